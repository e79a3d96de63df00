"""The DAGs of the screenshots: a small company's data platform. Its tasks do nothing, for a moment."""

import random
import time
from datetime import datetime, timedelta

from airflow import DAG
from airflow.datasets import Dataset
from airflow.decorators import dag, task, task_group
from airflow.operators.bash import BashOperator
from airflow.operators.empty import EmptyOperator

ORDERS = Dataset("s3://warehouse/orders")
DAY_ONE = datetime(2026, 1, 1)


def work(low: float = 0.05, high: float = 0.6) -> None:
    """Take a while."""
    time.sleep(random.uniform(low, high))


@dag(
    schedule="0 3 * * *",
    start_date=DAY_ONE,
    tags=["finance", "nightly"],
    default_args={"owner": "finance", "retries": 2, "retry_delay": timedelta(seconds=1)},
    description="Orders of the shops into the warehouse, checked and summed up.",
    params={"region": "all"},
)
def orders():
    """### Orders

    Reads what the shops sold yesterday, checks it and loads it.
    """

    @task
    def list_shops() -> list[str]:
        work()
        return ["seoul", "busan", "lisbon", "oslo"]

    @task_group
    def ingest(shops):
        @task
        def extract(shop: str) -> str:
            print(f"Reading the orders of {shop}")
            work()
            return shop

        @task
        def check(shop: str, logical_date=None, ti=None) -> str:
            print(f"Checking {shop}")
            if shop == "busan" and logical_date.day % 6 == 1 and ti.try_number == 1:
                raise ValueError("18 orders have no customer")
            work()
            return shop

        return check.expand(shop=extract.expand(shop=shops))

    @task(outlets=[ORDERS])
    def load(shops) -> int:
        work(0.2, 1)
        return 4711

    @task
    def sum_up(rows: int) -> None:
        work()

    loaded = load(ingest(list_shops()))
    sum_up(loaded) >> EmptyOperator(task_id="done", owner="finance")


@dag(
    schedule=[ORDERS],
    start_date=DAY_ONE,
    tags=["ml"],
    default_args={"owner": "research"},
    description="Trains the model of who buys again, whenever new orders are there.",
)
def churn_model():
    @task
    def features() -> int:
        work()
        return 64

    @task(retries=1, retry_delay=timedelta(seconds=1))
    def train(count: int, ti=None) -> float:
        print(f"Training on {count} features")
        for epoch in range(1, 6):
            print(f"epoch {epoch}: loss {1 / epoch:.3f}")
        work()
        if random.random() < 0.3:
            raise MemoryError("the training set does not fit: 31.2 GB of 16 GB")
        return 0.93

    @task
    def publish(score: float) -> None:
        work()

    publish(train(features()))


with DAG(
    "hourly_metrics",
    schedule="@hourly",
    start_date=DAY_ONE,
    tags=["platform"],
    default_args={"owner": "platform"},
    description="Counts and latencies of all services.",
) as metrics:
    collect = [BashOperator(task_id=f"collect_{name}", bash_command="sleep 0.1") for name in ("api", "web", "jobs")]
    collect >> BashOperator(task_id="aggregate", bash_command="sleep 0.2") >> EmptyOperator(task_id="publish")

with DAG(
    "export_ledger",
    schedule="0 6 * * 1",
    start_date=DAY_ONE,
    tags=["finance", "weekly"],
    default_args={"owner": "finance"},
    description="The ledger for the auditors, every Monday.",
) as ledger:
    dump = BashOperator(task_id="dump", bash_command="echo dumping; sleep 0.2")
    sign = BashOperator(task_id="sign", bash_command="echo 'gpg: no secret key' >&2; exit 2")
    dump >> sign >> BashOperator(task_id="upload", bash_command="true")

with DAG(
    "clean_up",
    schedule="30 4 * * *",
    start_date=DAY_ONE,
    tags=["platform"],
    default_args={"owner": "platform"},
    description="Removes what is older than 90 days.",
) as clean:
    [BashOperator(task_id=f"clean_{name}", bash_command="sleep 0.1") for name in ("logs", "uploads", "sessions")]

with DAG(
    "reindex_search",
    schedule=None,
    start_date=DAY_ONE,
    tags=["search"],
    default_args={"owner": "search"},
    description="Builds the search index anew; started by hand.",
) as reindex:

    @task
    def snapshot() -> None:
        work()

    @task
    def rebuild() -> None:
        for n in range(1, 601):
            print(f"\x1b[32mshard {n % 12:02d}\x1b[0m {n * 1000:,} documents", flush=True)
            time.sleep(0.5)

    @task
    def switch_over() -> None:
        work()

    snapshot() >> rebuild() >> switch_over()

orders()
churn_model()
