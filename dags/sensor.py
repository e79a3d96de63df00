"""Wait for something without holding anything: between two looks a rescheduled sensor is only an entry in a timer."""

from datetime import UTC, datetime, timedelta

from airflow import DAG
from airflow.operators.python import PythonOperator
from airflow.sensors.python import PythonSensor


def ten_seconds_have_passed(dag_run):
    return datetime.now(UTC) - dag_run.start_date > timedelta(seconds=10)


with DAG("sensor", schedule=None, start_date=datetime(2026, 1, 1), tags=["airflow"]) as dag:
    wait = PythonSensor(
        task_id="wait",
        python_callable=ten_seconds_have_passed,
        mode="reschedule",
        poke_interval=2,
        timeout=60,
    )
    go_on = PythonOperator(task_id="go_on", python_callable=lambda: print("it is time"))

    wait >> go_on
