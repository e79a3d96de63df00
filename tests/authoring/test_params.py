"""Param and ParamsDict: values, schemas, and sentences about values that do not fit."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from asyncflow import DAG
from asyncflow.authoring.exceptions import AirflowException, ParamValidationError
from asyncflow.authoring.params import Param, ParamsDict
from asyncflow.authoring.types import NOTSET


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, 1, "1"),
        ({"type": "integer"}, 1, True),
        ({"type": "boolean"}, True, 1),
        ({"type": ["null", "string"]}, None, 1),
        ({"type": "string", "minLength": 2}, "ab", "a"),
        ({"enum": [1, 2]}, 2, 3),
        ({"type": "string", "format": "date"}, "2024-01-01", "soon"),
        ({"type": "array", "items": {"type": "integer"}}, [1], ["1"]),
        ({"type": "object", "required": ["a"]}, {"a": 1}, {}),
    ],
)
def test_value_must_fit_the_schema(schema: dict[str, Any], good: Any, bad: Any) -> None:
    assert Param(good, **schema).resolve() == good
    with pytest.raises(ParamValidationError):
        Param(good, **schema).resolve(bad)
    assert Param(bad, **schema).resolve(suppress_exception=True) is None


def test_param_without_value_or_schema() -> None:
    with pytest.raises(ParamValidationError, match="no default value"):
        Param().resolve()
    assert Param().resolve(suppress_exception=True) is None
    assert Param().has_value is False
    assert Param(None).resolve() is None


def test_value_must_be_json() -> None:
    with pytest.raises(ParamValidationError, match="json-serializable"):
        Param({1, 2})


def test_broken_schema_is_said_to_be_broken() -> None:
    with pytest.raises(ParamValidationError, match="JSON schema of a param is invalid"):
        Param(1, type="no such type").resolve()


def test_dict_gives_values_and_keeps_schemas_when_set() -> None:
    params = ParamsDict({"a": Param(1, type="integer"), "b": 2})
    params["a"] = 5
    params["c"] = "new"
    assert dict(params) == {"a": 5, "b": 2, "c": "new"}
    assert params.get_param("a").schema == {"type": "integer"}
    with pytest.raises(ParamValidationError, match="Invalid input for param a: 'x' is not of type 'integer'"):
        params["a"] = "x"
    del params["c"]
    assert "c" not in params
    assert len(params) == 2
    assert params == {"a": 5, "b": 2}
    assert repr(params) == "{'a': 5, 'b': 2}"


def test_validate_names_the_param_and_dump_does_not_raise() -> None:
    params = ParamsDict({"n": Param("x", type="integer")})
    assert params.dump() == {"n": None}
    with pytest.raises(ParamValidationError, match="param n"):
        params.validate()


def test_copies_are_independent() -> None:
    params = ParamsDict({"a": 1})
    deep = copy.deepcopy(params)
    deep["a"] = 2
    assert (params["a"], deep["a"], copy.copy(params) == params) == (1, 2, True)


def test_update_takes_params_and_plain_values() -> None:
    params = ParamsDict({"a": 1})
    params.update(ParamsDict({"b": Param(2, type="integer")}))
    params.update({"c": 3}, d=4)
    assert params.dump() == {"a": 1, "b": 2, "c": 3, "d": 4}
    assert params.get_param("b").schema == {"type": "integer"}


def test_params_compare_by_value() -> None:
    assert Param(1, "d", type="integer") == Param(1, "d", type="integer")
    assert Param(1) != Param(2)
    assert Param(1) != 1
    assert ParamsDict({"a": 1}) != 5


def test_dag_param_takes_conf_then_default_then_params() -> None:
    class Run:
        conf = {"a": "conf"}

    dag = DAG("d", params={"c": "params"})
    context = {"dag_run": Run(), "params": {"c": "params"}}
    assert dag.param("a", "default").resolve(context) == "conf"
    assert dag.param("b", "default").resolve(context) == "default"
    assert dag.param("c").resolve(context) == "params"
    assert dag.params["a"] == "default"
    with pytest.raises(AirflowException, match="No value could be resolved for parameter x"):
        dag.param("x", NOTSET).resolve(context)
