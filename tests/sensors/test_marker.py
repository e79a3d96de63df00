"""ExternalTaskMarker: what the server is told of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from asyncflow.authoring.dag import DAG
from asyncflow.authoring.serialize import to_spec
from asyncflow.core.specs import MarkerSpec
from asyncflow.sensors.external_task import ExternalTaskMarker


def marker(**arguments: Any) -> MarkerSpec | None:
    with DAG("parent", schedule=None, start_date=datetime(2024, 1, 1, tzinfo=UTC)) as dag:
        ExternalTaskMarker(task_id="m", external_dag_id="child", external_task_id="t", **arguments)
    return to_spec(dag).tasks["m"].marker


def test_the_same_date_is_meant_unless_it_says_otherwise() -> None:
    assert marker(recursion_depth=3) == MarkerSpec(dag_id="child", task_id="t", recursion_depth=3)


@pytest.mark.parametrize(
    ("template", "offset"),
    [
        ("{{ (logical_date + macros.timedelta(hours=2)).isoformat() }}", timedelta(hours=2)),
        ("{{ (execution_date - macros.timedelta(days=1)).isoformat() }}", timedelta(days=-1)),
        ("{{ ts }}", timedelta(0)),
        ("{{ ds }}", None),  # the hour is lost
        ("2024-01-01", None),
        ("{{ ti.task_id }}", None),
        ("nonsense", None),
        ("P1D", None),
    ],
)
def test_a_template_that_shifts_the_date_is_understood(template: str, offset: timedelta | None) -> None:
    found = marker(execution_date=template)
    assert found is not None
    assert found.offset == offset
