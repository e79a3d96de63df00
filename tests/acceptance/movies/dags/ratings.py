"""Fetches the ratings of each day and ranks the movies."""

import json
from collections import defaultdict
from datetime import datetime
from statistics import mean

from airflow import DAG
from airflow.models import Variable
from airflow.operators.bash import BashOperator
from airflow.operators.python import PythonOperator
from airflow_movies.operator import FetchRatingsOperator
from airflow_movies.sensor import RatingsSensor


def rank_movies(path, min_ratings):
    with open(path) as file:
        ratings = json.load(file)
    by_movie = defaultdict(list)
    for row in ratings:
        by_movie[row["movie"]].append(row["rating"])
    found = {movie: mean(given) for movie, given in by_movie.items() if len(given) >= min_ratings}
    return sorted(found, key=found.get, reverse=True)


with DAG("ratings", start_date=datetime(2024, 1, 1), schedule="@daily", catchup=False) as dag:
    folder = Variable.get("ratings_folder", default_var="/tmp/ratings")
    wait = RatingsSensor(task_id="wait", conn_id="movies", mode="reschedule", poke_interval=60)
    fetch = FetchRatingsOperator(task_id="fetch", conn_id="movies", output_path=folder + "/{{ ds }}.json")
    rank = PythonOperator(
        task_id="rank",
        python_callable=rank_movies,
        op_kwargs={"path": folder + "/{{ ds }}.json", "min_ratings": 2},
    )
    praise = BashOperator(task_id="praise", bash_command="echo {{ macros.movies.stars(4.6) }}")
    wait >> fetch >> rank >> praise
