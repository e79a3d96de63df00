"""The operator: fetches ratings into a JSON file."""

import json
import os

from airflow.models import BaseOperator
from airflow.utils.decorators import apply_defaults

from airflow_movies.hook import MoviesHook
from airflow_movies.plugin import MoviesLink


class FetchRatingsOperator(BaseOperator):
    """Ratings of an interval, written to `output_path`; returns how many."""

    template_fields = ("_start_date", "_end_date", "_output_path")
    operator_extra_links = (MoviesLink(),)

    @apply_defaults
    def __init__(
        self,
        conn_id,
        output_path,
        start_date="{{ data_interval_start | ds }}",
        end_date="{{ data_interval_end | ds }}",
        batch_size=1000,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._conn_id = conn_id
        self._output_path = output_path
        self._start_date = start_date
        self._end_date = end_date
        self._batch_size = batch_size

    def execute(self, context):
        with MoviesHook(self._conn_id) as hook:
            self.log.info("Fetching ratings for %s to %s", self._start_date, self._end_date)
            ratings = list(hook.get_ratings(self._start_date, self._end_date, self._batch_size))
        os.makedirs(os.path.dirname(self._output_path), exist_ok=True)
        with open(self._output_path, "w") as file:
            json.dump(ratings, file)
        return len(ratings)
