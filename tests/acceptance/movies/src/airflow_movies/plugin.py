"""The plugin: a macro for templates, a link for task pages."""

from airflow.models.baseoperator import BaseOperatorLink
from airflow.plugins_manager import AirflowPlugin


def stars(rating):
    """`{{ macros.movies.stars(3) }}`"""
    return "*" * round(rating)


class MoviesLink(BaseOperatorLink):
    name = "Ratings"

    def get_link(self, operator, *, ti_key):
        return f"https://movies.example/{ti_key.dag_id}/{ti_key.task_id}"


class MoviesPlugin(AirflowPlugin):
    name = "movies"
    macros = [stars]
