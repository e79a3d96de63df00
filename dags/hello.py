"""Start here: three functions become three tasks, and what one returns goes to the next."""

from datetime import datetime

from asyncflow import dag, task


@dag(schedule="@daily", start_date=datetime(2026, 1, 1), tags=["start here"])
def hello():
    """Greets everybody, once a day."""

    @task
    def names() -> list[str]:
        return ["Ada", "Grace", "Edsger"]

    @task
    def greet(people: list[str]) -> str:
        return "Hello " + ", ".join(people) + "!"

    @task
    def show(text: str, ds: str) -> None:  # `ds` is filled from the context: the day the run stands for
        print(f"{ds}: {text}")

    show(greet(names()))


hello()
