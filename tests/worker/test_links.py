"""Extra links of operators: left as XComs by the try, never in its way."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.operatorlink import BaseOperatorLink
from asyncflow.testing.player import play

START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


class New(BaseOperatorLink):
    name = "New"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return f"https://x.test/{ti_key.task_id}/{ti_key.try_number}/{operator.place}"


class Old(BaseOperatorLink):
    name = "Old"

    def get_link(self, operator: Any, dttm: Any) -> str:  # type: ignore[override]
        return f"https://x.test/{dttm.date()}"


class Broken(BaseOperatorLink):
    name = "Broken"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        raise RuntimeError("no link today")


class Nowhere(BaseOperatorLink):
    name = "Nowhere"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        return ""


class Linked(BaseOperator):
    template_fields = ("place",)
    operator_extra_links = (New(), Old(), Broken(), Nowhere(), BaseOperatorLink())

    def __init__(self, place: str, works: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.place, self.works = place, works

    def execute(self, context: Any) -> None:
        assert self.works


@pytest.mark.parametrize("works", [True, False])
def test_links_know_the_rendered_task_however_it_ended(works: bool, caplog: pytest.LogCaptureFixture) -> None:
    with DAG("d", start_date=START, schedule=None) as dag:
        Linked(task_id="t", place="{{ ds }}", works=works)
    played = play(dag, START, logs=False)
    assert played.tasks == {"t": "success" if works else "failed"}
    assert played.xcoms["t"] == {
        "_link_New": "https://x.test/t/1/2024-05-01",
        "_link_Old": "https://x.test/2024-05-01",
    }
    assert "The link 'Broken' of task 't' cannot be made" in caplog.text
