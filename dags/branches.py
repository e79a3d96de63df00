"""One of several ways: a branch skips what it does not choose, and a later task joins the ways again."""

from datetime import datetime

from airflow import DAG
from airflow.operators.empty import EmptyOperator
from airflow.operators.python import BranchPythonOperator, PythonOperator
from airflow.utils.edgemodifier import Label
from airflow.utils.trigger_rule import TriggerRule


def choose(logical_date, **_):
    return "weekend" if logical_date.weekday() >= 5 else "weekday"


def work(ds):
    print(f"{ds} is a working day")


with DAG(
    "branches",
    schedule="0 6 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    tags=["airflow"],
) as dag:
    which = BranchPythonOperator(task_id="which_day", python_callable=choose)
    weekday = PythonOperator(task_id="weekday", python_callable=work)
    weekend = EmptyOperator(task_id="weekend")
    # the default rule, all_success, would skip this one too: one of its upstream tasks always is
    done = EmptyOperator(task_id="done", trigger_rule=TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS)

    which >> Label("Monday to Friday") >> weekday >> done
    which >> Label("Saturday, Sunday") >> weekend >> done
