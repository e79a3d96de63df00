"""Movie ratings for Airflow."""


def provider_info():
    return {
        "package-name": "airflow-movies",
        "name": "Movies",
        "versions": ["1.0"],
        "connection-types": [{"connection-type": "movies", "hook-class-name": "airflow_movies.hook.MoviesHook"}],
    }
