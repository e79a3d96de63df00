"""`asyncflow audit`: what people changed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Commands
from tests.cli.fake_actions import RUN, FakeActions


@pytest.fixture(autouse=True)
def lines(actions: FakeActions) -> None:
    line = {
        "id": 2,
        "at": "2026-01-01T00:00:00+00:00",
        "via": "ui",
        "who": "",
        "action": "clear_tasks",
        "dag_id": "etl",
    }
    line |= {"run_id": RUN, "task_id": "load", "map_index": 3, "touched": 4, "error": ""}
    line |= {"arguments": {"only_failed": True}}
    actions.audit = [line, {**line, "id": 1, "via": "cli", "who": "ann", "map_index": -1, "error": "No."}]


def test_it_lists_who_did_what(run: Commands) -> None:
    text = run("audit").stdout
    assert "clear_tasks" in text
    assert "load[3]" in text
    assert "ann (cli)" in text
    assert "only_failed" not in text
    rows = run.json("audit")
    assert [(row["id"], row["via"], row["arguments"]) for row in rows] == [
        (2, "ui", {"only_failed": True}),
        (1, "cli", {"only_failed": True}),
    ]


def test_it_asks_for_what_is_wanted(run: Commands, actions: FakeActions) -> None:
    flags = ("-d", "etl", "-r", RUN, "-t", "load", "--via", "ui", "--action", "clear_tasks", "-q", "x", "--limit", "5")
    run("audit", *flags, "-s", "2026-01-01", "-e", "2026-01-02T03:00")
    wanted: dict[str, Any] = {"dag_id": "etl", "run_id": RUN, "task_id": "load", "via": "ui", "action": "clear_tasks"}
    wanted |= {"start": "2026-01-01T00:00:00+00:00", "end": "2026-01-02T03:00:00+00:00", "text": "x", "limit": 5}
    assert actions.calls == [("list_audit", wanted)]
    assert "need --dag-id" in run("audit", "-r", RUN, code=2).stderr


def test_nothing_is_said_to_be_nothing(run: Commands, actions: FakeActions) -> None:
    actions.audit = []
    assert run("audit").stderr == "Nothing was changed.\n"
    assert run("audit", "-o", "plain").stdout.split()[0] == "at"
