"""What happens when something fails: retries with growing delays, a time limit, and a function that is told."""

from datetime import datetime, timedelta

from asyncflow import DAG, task
from asyncflow.authoring.exceptions import AirflowSkipException


def tell(context):
    print(f"{context['ti'].task_id} failed for good: {context['exception']}")


with DAG(
    "retries",
    schedule=None,  # runs only when it is triggered
    start_date=datetime(2026, 1, 1),
    default_args={
        "retries": 3,
        "retry_delay": timedelta(seconds=2),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=1),
        "execution_timeout": timedelta(minutes=5),
        "on_failure_callback": tell,
    },
    tags=["native"],
) as dag:

    @task
    def flaky(ti):
        """Fails in its first try, as networks do."""
        if ti.try_number == 1:
            raise ConnectionError("nobody answers; look at the log of try 2")
        return "got it"

    @task
    def optional(answer: str):
        """A task may decide that there is nothing to do."""
        raise AirflowSkipException(f"{answer}, and nothing is new")

    optional(flaky())
