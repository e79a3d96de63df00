"""A file as it was written for Airflow 1.10 and 2: it runs here as it is.

Run one task of it on its own:    asyncflow test classic report 2026-01-31
Run all of it in the foreground:  asyncflow dags test classic 2026-01-31
"""

from datetime import datetime, timedelta

from airflow import DAG
from airflow.operators.bash_operator import BashOperator
from airflow.operators.python_operator import PythonOperator

default_args = {
    "owner": "data",
    "depends_on_past": False,
    "start_date": datetime(2026, 1, 1),
    "retries": 1,
    "retry_delay": timedelta(seconds=10),
}

dag = DAG(
    "classic",
    default_args=default_args,
    description="Templates, XCom and upstream tasks, the classic way",
    schedule_interval=timedelta(hours=1),
    catchup=False,
    tags=["airflow"],
)

count = BashOperator(
    task_id="count",
    # the last line that a command prints becomes its XCom
    bash_command="echo 'counting for {{ ds }}' && ls / | wc -l",
    dag=dag,
)


def report(folder, **context):
    found = context["ti"].xcom_pull(task_ids="count")
    print(f"{folder} had {found} entries between {context['data_interval_start']} and {context['data_interval_end']}")


report = PythonOperator(task_id="report", python_callable=report, op_kwargs={"folder": "/"}, dag=dag)

count >> report

if __name__ == "__main__":
    dag.cli()
