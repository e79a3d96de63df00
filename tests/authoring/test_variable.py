"""Variables: from the server or the environment, with defaults, as text or JSON."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from asyncflow.authoring import masking
from asyncflow.authoring.api import use_api
from asyncflow.authoring.masking import mask_text
from asyncflow.authoring.variable import Variable
from asyncflow.errors import ServerUnreachable
from asyncflow.testing.memory import MemoryApi


@pytest.fixture
def api() -> Iterator[MemoryApi]:
    api = MemoryApi(variables={"n": "5", "data": '{"a": [1]}', "db_password": "hunter22"})
    before = use_api(api)
    yield api
    use_api(before)
    masking.forget_secrets()


def test_values_are_text_or_json(api: MemoryApi) -> None:
    assert Variable.get("n") == "5"
    assert Variable.get("data", deserialize_json=True) == {"a": [1]}


def test_a_missing_one_gives_the_default_or_a_key_error(api: MemoryApi) -> None:
    assert Variable.get("absent", default_var=None) is None
    assert Variable.get("absent", "positional") == "positional"
    assert Variable.get("absent", default=3) == 3
    with pytest.raises(KeyError, match="Variable absent does not exist"):
        Variable.get("absent")


def test_the_environment_wins(api: MemoryApi, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_N", "6")
    assert Variable.get("n") == "6"


def test_set_update_delete(api: MemoryApi) -> None:
    Variable.set("new", {"a": 1}, serialize_json=True)
    assert Variable.get("new", deserialize_json=True) == {"a": 1}
    Variable.update("new", 7)
    assert api.variables["new"] == "7"
    assert (Variable.delete("new"), Variable.delete("new")) == (1, 0)
    with pytest.raises(KeyError):
        Variable.update("new", 8)


def test_setdefault_stores_only_what_is_missing(api: MemoryApi) -> None:
    assert Variable.setdefault("n", "9") == "5"
    assert Variable.setdefault("fresh", [1], deserialize_json=True) == [1]
    assert Variable.get("fresh", deserialize_json=True) == [1]
    with pytest.raises(ValueError, match="must be set"):
        Variable.setdefault("other", None)


def test_values_with_a_sensitive_name_are_hidden(api: MemoryApi) -> None:
    Variable.get("db_password")
    assert mask_text("hunter22") == "***"
    assert repr(Variable("db_password", "hunter22")) == "db_password : ***"


def test_without_a_server_there_are_none_and_nothing_can_be_written() -> None:
    before = use_api(None)
    try:
        assert Variable.get("n", default_var="none here") == "none here"
        with pytest.raises(ServerUnreachable, match="inside a running task only"):
            Variable.set("n", "1")
    finally:
        use_api(before)
