"""The sensor: waits for the first rating of an interval."""

from airflow.sensors.base import BaseSensorOperator

from airflow_movies.hook import MoviesHook


class RatingsSensor(BaseSensorOperator):
    """True once there is a rating between the two dates."""

    template_fields = ("_start_date", "_end_date")

    def __init__(self, conn_id, start_date="{{ ds }}", end_date="{{ data_interval_end | ds }}", **kwargs):
        super().__init__(**kwargs)
        self._conn_id = conn_id
        self._start_date = start_date
        self._end_date = end_date

    def poke(self, context):
        with MoviesHook(self._conn_id) as hook:
            found = next(hook.get_ratings(self._start_date, self._end_date, batch_size=1), None)
        self.log.info("Found %s", "a rating" if found else "nothing yet")
        return found is not None
