"""As many tasks as there is data: one copy of `check` per host, each with its own log and retries.

Trigger it with another list:  asyncflow dags trigger mapping --conf '{"hosts": ["one", "two"]}'
"""

from datetime import datetime

from asyncflow import Param, dag, task


@dag(
    schedule=None,
    start_date=datetime(2026, 1, 1),
    params={
        "hosts": Param(["north", "south", "east"], type="array", items={"type": "string"}, minItems=1),
    },
    tags=["native"],
)
def mapping():
    @task
    def hosts(params) -> list[str]:
        return params["hosts"]

    @task
    def check(host: str) -> dict:
        return {"host": host, "letters": len(host)}

    @task
    def summary(results) -> int:
        total = sum(result["letters"] for result in results)
        print(f"{total} letters in all")
        return total

    summary(check.expand(host=hosts()))


mapping()
