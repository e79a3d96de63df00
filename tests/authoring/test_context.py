"""The context mapping itself, and the context of a task."""

from __future__ import annotations

import datetime as dt
import warnings
from typing import Any

import pytest

from asyncflow.authoring.context import (
    Context,
    Lazy,
    context_merge,
    get_current_context,
    make_context,
    set_current_context,
)
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.exceptions import AirflowContextDeprecationWarning, AirflowException, ParamValidationError
from asyncflow.authoring.taskinstance import TaskInstance
from asyncflow.core.messages import RunContext, TryInfo
from asyncflow.operators.empty import EmptyOperator
from asyncflow.testing.memory import MemoryApi

START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


def test_it_is_a_mapping() -> None:
    context = Context({"a": 1}, b=2)
    context["c"] = 3
    del context["b"]
    context.update(d=4)
    assert dict(context) == {"a": 1, "c": 3, "d": 4}
    assert ("a" in context, "b" in context, context.get("b", 0), len(context)) == (True, False, 0, 3)
    assert dict(context | {"a": 9}) == {"a": 9, "c": 3, "d": 4}
    assert context.copy()["a"] == 1
    context_merge(context, {"e": 5}, f=6)
    assert (context["e"], context["f"]) == (5, 6)
    assert repr(context).startswith("Context(['a'")


def test_lazy_values_are_worked_out_once_and_only_when_looked_at() -> None:
    calls: list[int] = []
    context = Context({"dear": Lazy(lambda: calls.append(1) or "value")})
    assert "dear" in context
    assert list(context) == ["dear"]
    assert calls == []
    assert context["dear"] == context["dear"] == "value"
    assert calls == [1]


def test_reading_a_deprecated_variable_warns_except_in_templates() -> None:
    context = Context({"execution_date": 1, "ds": 2})
    with pytest.warns(AirflowContextDeprecationWarning, match="use data_interval_start or logical_date instead"):
        assert context["execution_date"] == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert context["ds"] == 2
        assert dict(context.quiet()) == {"execution_date": 1, "ds": 2}
        assert (len(context.quiet()), "ds" in context.quiet()) == (2, True)


def test_the_current_context_is_that_of_the_innermost_task() -> None:
    with pytest.raises(AirflowException, match="inside a running task only"):
        get_current_context()
    with set_current_context("outer"):
        with set_current_context("inner"):
            assert get_current_context() == "inner"
        assert get_current_context() == "outer"


def instance(conf: dict[str, Any] | None = None, logical_date: dt.datetime | None = START, **dag_args: Any) -> Any:
    api = MemoryApi()
    with DAG("d", start_date=START, schedule="@daily", **dag_args):
        task = EmptyOperator(task_id="t", params={"own": 1})
    run = RunContext(run_id="r", logical_date=logical_date, conf=conf or {})
    info = TryInfo(token="", dag_id="d", task_id="t", run=run, log_path="")
    return TaskInstance(task, info, api, now=lambda: START)


def test_params_are_overridden_by_task_and_conf() -> None:
    context = make_context(instance(conf={"both": "conf"}, params={"both": "dag", "only": 2}))
    assert context["params"] == {"both": "conf", "only": 2, "own": 1}


def test_a_conf_that_does_not_fit_is_refused() -> None:
    from asyncflow.authoring.params import Param

    with pytest.raises(ParamValidationError):
        make_context(instance(conf={"n": "x"}, params={"n": Param(1, type="integer")}))


def test_a_run_without_logical_date_has_no_variables_made_from_it() -> None:
    context = make_context(instance(logical_date=None))
    assert "ds" not in context
    assert context["data_interval_start"] is None
    assert context["run_id"] == "r"
