"""What people did leaves a line, without secrets; what the server does by itself does not."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime
from typing import Any

import pytest

from asyncflow.engine import audit
from asyncflow.engine.actions import Actions
from asyncflow.engine.audit import Acting, acting, actor, audit_lines, masked, recorded
from asyncflow.errors import Conflict

pytestmark = pytest.mark.anyio
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: verbs of actions that change nothing
READS = {"can", "connection", "find", "get", "health", "list", "missed", "next", "pool", "preview", "read", "remember"}
READS |= {"test", "variable", "version", "delay", "kept"}


@recorded
class Things:
    """Actions that say what was noted of them."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str, dict[str, Any], Any, str]] = []

    async def _note_audit(self, person: Acting, action: str, given: dict[str, Any], answer: Any, error: str) -> None:
        self.noted.append((person.via, action, given, answer, error))

    async def set_thing(self, name: str, size: int = 1, dry_run: bool = False) -> dict[str, Any]:
        """Set one."""
        return {"count": size}

    async def clear_things(self) -> dict[str, Any]:
        """Calls another action."""
        return await self.set_thing("inner")

    async def delete_thing(self, name: str) -> None:
        """Is refused."""
        raise Conflict("It is in use.")

    async def get_thing(self, name: str) -> str:
        """Changes nothing."""
        return name


async def test_what_a_person_changes_is_noted() -> None:
    things = Things()
    with acting("cli"):
        assert await things.set_thing("a", size=3) == {"count": 3}
        await things.get_thing("a")
    assert things.noted == [("cli", "set_thing", {"name": "a", "size": 3}, {"count": 3}, "")]


async def test_nothing_is_noted_of_the_server_of_previews_and_of_parts() -> None:
    things = Things()
    await things.set_thing("a")
    with acting("ui"):
        await things.set_thing("a", dry_run=True)
        await things.clear_things()
    assert [action for _, action, *_ in things.noted] == ["clear_things"]


async def test_what_is_refused_is_noted_with_the_reason() -> None:
    things = Things()
    with acting("ui"), pytest.raises(Conflict):
        await things.delete_thing("a")
    with acting("ui"), pytest.raises(TypeError):
        await things.delete_thing()  # type: ignore[call-arg]
    assert [line[4] for line in things.noted] == ["It is in use."]


def test_the_journal_names_who_acts() -> None:
    assert actor() == "user"
    with acting("ui"):
        assert actor() == "ui"
        with acting("cli", "ann"):
            assert actor() == "ann"
    assert actor() == "user"


def test_every_action_is_known_to_change_something_or_not() -> None:
    names = [name for name in dir(Actions) if not name.startswith("_")]
    verbs = {name.partition("_")[0] for name in names if inspect.iscoroutinefunction(getattr(Actions, name))}
    assert verbs - audit.VERBS - READS == set()


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"dag_id": "d", "conf": {"api_token": "x", "n": [1]}, "note": None}, {"conf": {"api_token": "***", "n": [1]}}),
        ({"key": "db_password", "value": "x"}, {"key": "db_password", "value": "***"}),
        ({"key": "colour", "value": "red"}, {"key": "colour", "value": "red"}),
        ({"conn_id": "c", "uri": "http://a:b@c"}, {"conn_id": "c", "uri": "***"}),
        ({"fields": {"host": "h", "password": "x"}}, {"fields": {"host": "h", "password": "***"}}),
        ({"fields": {"extra": "{}", "login": ""}}, {"fields": {"extra": "***", "login": ""}}),
        ({"variables": {"b": "x", "a": "y"}}, {"variables": ["a", "b"]}),
        ({"conf": ' {"n": {"secret": 1}}'}, {"conf": {"n": {"secret": "***"}}}),
        ({"conf": "{no json"}, {"conf": "{no json"}),
        ({"text": "a=1"}, {"text": "3 characters"}),
        ({"keys": [["d", "r", "t", -1], ["d", "r", "t", 4]]}, {"keys": ["r.t", "r.t[4]"]}),
        ({"runs": [("d", "r")]}, {"runs": ["r"]}),
        ({"note": "x" * 3000}, {"note": "x" * 2000 + "..."}),
        ({"names": list(range(30))}, {"names": list(range(20))}),
        ({"at": NOW}, {"at": "2026-01-01T00:00:00+00:00"}),
    ],
)  # fmt: skip
def test_arguments_are_kept_without_secrets(given: dict[str, Any], kept: dict[str, Any]) -> None:
    assert masked(given) == kept


def lines(given: dict[str, Any], answer: Any = None, error: str = "") -> list[tuple[str, str, str, int | None]]:
    found = audit_lines(Acting("ui"), "do", given, answer, error, masked(given), NOW)
    return [(line.dag_id, line.run_id, line.task_id, line.touched) for line in found]


def test_a_line_names_what_the_action_was_about() -> None:
    assert lines({"dag_id": "d", "run_id": None}, {"run_id": "made"}) == [("d", "made", "", None)]
    assert lines({"dag_id": "d", "run_id": "r", "task_id": "t"}, {"count": 2}) == [("d", "r", "t", 2)]
    assert lines({"name": "pool"}) == [("", "", "", None)]
    assert lines({"variables": {}}, {"imported": ["a", "b"]}) == [("", "", "", 2)]
    assert lines({"dag_id": "d"}, {"deleted_runs": 3}, "") == [("d", "", "", 3)]


def test_an_action_on_many_has_a_line_for_each_dag() -> None:
    tasks = [["d", "r", "a", -1], ["d", "r", "b", 2], ["e", "r", "a", -1], ["e", "s", "a", -1]]
    found = audit_lines(Acting("ui"), "do", {"keys": tasks}, {"tasks": tasks}, "", {"keys": ["x"], "action": "a"}, NOW)
    assert [(line.dag_id, line.run_id, line.touched) for line in found] == [("d", "r", 2), ("e", "", 2)]
    assert found[0].arguments == {"action": "a", "what": ["r.a", "r.b[2]"]}
    answer = {"tasks": [], "runs": [], "refused": ["It runs.", "It is gone."], "count": 0}
    (left,) = audit_lines(Acting("ui"), "do", {"runs": [["d", "r"]]}, answer, "", {"runs": []}, NOW)
    assert (left.run_id, left.touched, left.error) == ("r", 0, "It runs. It is gone.")
    refused = audit_lines(Acting("ui"), "do", {"runs": [["d", "r"]] * 25}, None, "No.", {"runs": []}, NOW)
    assert [(line.dag_id, line.touched, line.error) for line in refused] == [("d", None, "No.")]
    assert len(refused[0].arguments["what"]) == 21
