"""conf, timezone, callables, datasets, week days, program: the small modules of authoring."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import Any

import pendulum
import pytest

import asyncflow
from asyncflow import DAG, task
from asyncflow.authoring import timezone
from asyncflow.authoring.callables import KeywordParameters, determine_kwargs
from asyncflow.authoring.conf import Conf
from asyncflow.authoring.dataset import Dataset, DatasetAlias, Metadata
from asyncflow.authoring.exceptions import AirflowConfigException
from asyncflow.authoring.program import run_cli
from asyncflow.authoring.types import NOTSET, is_arg_set
from asyncflow.authoring.weekday import WeekDay
from asyncflow.errors import InvalidInput
from asyncflow.operators.empty import EmptyOperator

# ---- conf -----------------------------------------------------------------------------------------------------------


def test_conf_converts_what_the_server_sent() -> None:
    conf = Conf()
    conf.load(
        {"a.text": "x", "A.Number": "3 # three", "a.yes": "True", "a.list": "p, q,", "a.json": '{"k": 1}', "a.s": "5"}
    )
    assert (conf.get("a", "text"), conf.getint("a", "number"), conf.getfloat("a", "number")) == ("x", 3, 3.0)
    assert (conf.getboolean("A", "YES"), conf.getlist("a", "list"), conf.getjson("a", "json")) == (
        True,
        ["p", "q"],
        {"k": 1},
    )
    assert conf.gettimedelta("a", "s") == dt.timedelta(seconds=5)
    assert conf.has_option("a", "text")
    assert conf.getsection("a") == {
        "text": "x",
        "number": "3 # three",
        "yes": "True",
        "list": "p, q,",
        "json": '{"k": 1}',
        "s": "5",
    }
    assert conf.getsection("nothing") is None


def test_conf_falls_back_or_says_what_is_missing() -> None:
    conf = Conf()
    assert conf.get("a", "b", fallback=None) is None
    assert conf.getint("a", "b", fallback=7) == 7
    assert conf.getboolean("core", "load_examples") is False
    with pytest.raises(AirflowConfigException, match=r"section/key \[a/b\] not found"):
        conf.get("a", "b")
    conf.load({"a.b": "many"})
    with pytest.raises(AirflowConfigException, match=r"\[a\] b is 'many', which is not a whole number"):
        conf.getint("a", "b")
    with pytest.raises(AirflowConfigException, match="not true or false"):
        conf.getboolean("a", "b")


def test_loading_again_starts_from_the_defaults() -> None:
    conf = Conf()
    conf.load({"core.parallelism": "1"})
    conf.load({})
    assert conf.getint("core", "parallelism") == 32


# ---- timezone -------------------------------------------------------------------------------------------------------


def test_moments_become_utc() -> None:
    amsterdam = dt.datetime(2024, 7, 1, 12, tzinfo=pendulum.timezone("Europe/Amsterdam"))
    assert timezone.convert_to_utc(amsterdam) == pendulum.datetime(2024, 7, 1, 10)
    assert timezone.convert_to_utc(dt.datetime(2024, 7, 1)) == pendulum.datetime(2024, 7, 1)
    assert timezone.convert_to_utc(None) is None
    assert timezone.coerce_datetime(dt.datetime(2024, 7, 1)) == pendulum.datetime(2024, 7, 1)
    assert timezone.parse("2024-07-01T00:00:00+02:00") == pendulum.datetime(2024, 6, 30, 22)
    assert timezone.datetime(2024, 7, 1).tzinfo is not None


def test_awareness_is_given_and_taken_once() -> None:
    naive = dt.datetime(2024, 7, 1)
    aware = timezone.make_aware(naive, pendulum.timezone("Asia/Tokyo"))
    assert aware == pendulum.datetime(2024, 6, 30, 15)
    assert timezone.make_naive(aware, pendulum.timezone("Asia/Tokyo")) == naive
    with pytest.raises(ValueError, match="expects a naive datetime"):
        timezone.make_aware(aware)
    with pytest.raises(ValueError, match="naive datetime"):
        timezone.make_naive(naive)


@pytest.mark.parametrize(
    ("value", "text"), [(None, None), (0.5, "<1s"), (dt.timedelta(days=1, seconds=3661), "1d:1h:1M:1s"), (60, "1M")]
)
def test_durations_in_short(value: Any, text: str | None) -> None:
    assert timezone.td_format(value) == text


# ---- callables ------------------------------------------------------------------------------------------------------


def test_function_gets_what_it_names() -> None:
    context = {"a": 1, "b": 2}
    assert determine_kwargs(lambda a: None, (), context) == {"a": 1}
    assert determine_kwargs(lambda **kwargs: None, (), context) == context
    assert determine_kwargs(lambda x, b: None, (0,), context) == {"b": 2}
    assert determine_kwargs(lambda *args: None, (0, 1), {"args": 1}) == {}
    assert KeywordParameters.determine(lambda a: None, (), context).unpacking() == {"a": 1}
    with pytest.raises(ValueError, match="The key 'a' in args is a part of kwargs and therefore reserved"):
        determine_kwargs(lambda a: None, (0,), context)


def test_function_without_signature_gets_nothing() -> None:
    assert determine_kwargs(dict, (), {"a": 1}) == {}


# ---- datasets -------------------------------------------------------------------------------------------------------


def test_datasets_combine_to_conditions() -> None:
    a, b, c = Dataset("s3://a"), Dataset("s3://b"), Dataset("s3://c")
    assert (a | b | c).as_expression() == {"any": ["s3://a", "s3://b", "s3://c"]}
    assert (a & b & c).as_expression() == {"all": ["s3://a", "s3://b", "s3://c"]}
    assert ((a & b) | DatasetAlias("x")).as_expression() == {"any": [{"all": ["s3://a", "s3://b"]}, {"alias": "x"}]}
    assert [uri for uri, _ in ((a & b) | a).iter_datasets()] == ["s3://a", "s3://b"]
    assert (a | b) == (a | b)
    with pytest.raises(TypeError, match="Datasets combine with datasets, not with str"):
        a | "s3://b"


def test_datasets_are_equal_by_uri_and_extra() -> None:
    assert Dataset("x") == Dataset("x")
    assert len({Dataset("x"), Dataset("x"), Dataset("y")}) == 2
    assert Dataset("x", extra={"a": 1}) != Dataset("x")
    assert Dataset(name="n").uri == "n"
    assert Metadata(Dataset("x"), {"rows": 1}).extra == {"rows": 1}


@pytest.mark.parametrize("uri", ["", " ", "airflow://x", "airflow:x", "ü", "x" * 3001, 5])
def test_uri_that_cannot_be_is_refused(uri: Any) -> None:
    with pytest.raises(ValueError, match="dataset"):
        Dataset(uri)


# ---- week days ------------------------------------------------------------------------------------------------------


def test_week_days_have_names_and_numbers() -> None:
    assert WeekDay.validate_week_day("monday") == {1}
    assert WeekDay.validate_week_day([WeekDay.SATURDAY, "Sunday"]) == {6, 7}
    with pytest.raises(AttributeError, match='Invalid Week Day passed: "someday"'):
        WeekDay.validate_week_day("someday")
    with pytest.raises(TypeError, match="not int"):
        WeekDay.validate_week_day(5)


# ---- program --------------------------------------------------------------------------------------------------------


def a_dag() -> DAG:
    @task
    def greet(**context: Any) -> str:
        return f"hello {context['dag_run'].conf.get('name')} {context['var']['value'].get('word', '-')}"

    with DAG("d", start_date=dt.datetime(2024, 1, 1)) as made:
        greet() >> EmptyOperator(task_id="end")
    return made


def test_dag_plays_itself_with_variables_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "v.json").write_text(json.dumps({"word": "yes"}))
    result = a_dag().test(run_conf={"name": "me"}, variable_file_path=str(tmp_path / "v.json"))
    assert (result.state, result.xcoms["greet"]["return_value"]) == ("success", "hello me yes")


def test_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"missing.json cannot be read"):
        a_dag().test(variable_file_path=str(tmp_path / "missing.json"))
    (tmp_path / "list.yaml").write_text("- a")
    with pytest.raises(InvalidInput, match="must hold names with values, not list"):
        a_dag().test(conn_file_path=str(tmp_path / "list.yaml"))


def test_command_line_of_a_dag_file() -> None:
    said: list[str] = []
    assert run_cli(a_dag(), ["tasks", "list"], said.append) == 0
    assert run_cli(a_dag(), ["dags", "show"], said.append) == 0
    assert run_cli(a_dag(), ["dags", "test", "2024-02-01", "-c", '{"name": "x"}'], said.append) == 0
    assert run_cli(a_dag(), ["tasks", "test", "greet", "2024-02-01"], said.append) == 0
    assert said[0] == "end\ngreet"
    assert "greet" in said[1]
    assert said[2:] == ["greet: success\nend: success", "d: success"]


def test_command_line_tells_failure_by_its_exit_code() -> None:
    with DAG("d", start_date=dt.datetime(2024, 1, 1)) as made:

        @task
        def fail() -> None:
            raise ValueError

        fail()
    assert run_cli(made, ["dags", "test"], lambda text: None) == 1
    assert run_cli(made, ["tasks", "test", "fail"], lambda text: None) == 1


# ---- the package ----------------------------------------------------------------------------------------------------


def test_names_of_the_package_are_all_there() -> None:
    for name in asyncflow.__all__:
        assert getattr(asyncflow, name) is not None
    assert "DAG" in dir(asyncflow)
    with pytest.raises(AttributeError, match="has no attribute 'Dag'"):
        asyncflow.Dag  # noqa: B018


def test_marker_for_arguments_not_given() -> None:
    assert not is_arg_set(NOTSET)
    assert is_arg_set(None)
    assert not NOTSET
