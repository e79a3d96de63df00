"""Two DAGs joined by a dataset: when `make_report_data` has updated it, `send_report` runs by itself.

Unpause both and trigger the first; `asyncflow datasets list` shows who makes what and who waits for it.
"""

from datetime import datetime

from airflow.datasets import Dataset
from airflow.decorators import dag, task

NUMBERS = Dataset("file:///tmp/report/numbers")
TEXTS = Dataset("file:///tmp/report/texts")


@dag(schedule=None, start_date=datetime(2024, 1, 1), tags=["example"])
def make_report_data():
    @task(outlets=[NUMBERS])
    def numbers(outlet_events=None):
        outlet_events[NUMBERS].extra = {"rows": 3}

    @task(outlets=[TEXTS])
    def texts():
        print("written")

    numbers() >> texts()


@dag(schedule=(NUMBERS & TEXTS), start_date=datetime(2024, 1, 1), tags=["example"])
def send_report():
    @task
    def send(triggering_dataset_events=None):
        for uri, events in triggering_dataset_events.items():
            for event in events:
                print(uri, event.extra, "by", event.source_dag_id, event.source_task_id)

    send()


make_report_data()
send_report()
