import datetime

import pytest
from airflow import DAG


@pytest.fixture
def test_dag():
    return DAG(
        "test_dag",
        default_args={"owner": "airflow", "start_date": datetime.datetime(2024, 1, 1)},
        schedule="@daily",
    )


@pytest.fixture
def run_task():
    """Book-style: clear what there is, run the task for its start date."""

    def run(task, dag):
        dag.clear()
        task.run(
            start_date=dag.default_args["start_date"],
            end_date=dag.default_args["start_date"],
            ignore_ti_state=True,
        )

    return run
