"""`asyncflow tasks ...` over hand-written rows."""

from __future__ import annotations

import pytest

from tests.cli.conftest import Commands
from tests.cli.fake_actions import RUN, FakeActions, an_instance


def test_list_prints_task_ids_or_a_tree_or_rows(run: Commands) -> None:
    assert run("tasks", "list", "etl").stdout == "extract\nload\n"
    assert run("tasks", "list", "etl", "--tree").stdout == "extract [BashOperator]\n    load [BashOperator]\n"
    assert run.json("tasks", "list", "etl")[0]["downstream"] == ["load"]


def test_state_prints_the_word(run: Commands, actions: FakeActions) -> None:
    assert run("tasks", "state", "etl", "load", "2026-01-01").stdout == "failed\n"
    actions.instances[1]["state"] = None
    assert run("tasks", "state", "etl", "load", RUN).stdout == "None\n"


def test_wrong_names_offer_near_ones(run: Commands) -> None:
    assert "Did you mean 'load'?" in run("tasks", "state", "etl", "lod", "2026-01-01", code=3).stderr
    assert "Did you mean 'etl'?" in run("tasks", "list", "elt", code=3).stderr
    assert (
        "There is no run of etl for '2020-01-01'" in run("tasks", "state", "etl", "load", "2020-01-01", code=3).stderr
    )


def test_why_says_the_reason_or_that_nothing_waits(run: Commands, actions: FakeActions) -> None:
    assert "its state is failed" in run("tasks", "why", "etl", "load", RUN).stdout
    actions.why = "pool is full"
    assert run("tasks", "why", "etl", "load", RUN).stdout == "pool is full\n"


def test_logs_print_the_last_or_the_asked_try(run: Commands) -> None:
    assert run("tasks", "logs", "etl", "load", RUN).stdout == "two\n"
    assert run("tasks", "logs", "etl", "load", RUN, "--try-number", "1").stdout == "one\n"


def test_long_logs_are_printed_whole(run: Commands, actions: FakeActions) -> None:
    actions.logs["load", 2] = "0123456789" * 250_000
    assert run("tasks", "logs", "etl", "load", RUN).stdout == actions.logs["load", 2]


def test_states_for_dag_run_show_the_map_index_only_when_there_is_one(run: Commands, actions: FakeActions) -> None:
    rows = run.json("tasks", "states-for-dag-run", "etl", "2026-01-01")
    assert [(row["task_id"], row["state"]) for row in rows] == [("extract", "success"), ("load", "failed")]
    assert "map_index" not in rows[0]
    actions.instances.append(an_instance("copy", map_index=0))
    assert run.json("tasks", "states-for-dag-run", "etl", RUN)[2]["map_index"] == 0


def test_clear_lists_and_asks_before_it_changes_anything(run: Commands, actions: FakeActions) -> None:
    result = run("tasks", "clear", "etl", "-t", "lo.*", code=1, input="n\n")
    assert f"etl  {RUN}  load" in result.stdout
    assert [params["dry_run"] for _, params in actions.calls] == [True]


@pytest.mark.parametrize(
    ("flags", "asked"),
    [
        (("-d", "-u"), {"downstream": True, "upstream": True}),
        (("-f", "-r"), {"only_failed": True, "only_running": True}),
        (("-s", "2026-01-01", "-e", "2026-01-02"), {"start": "2026-01-01T00:00:00+00:00"}),
        (("--run-id", RUN), {"run_id": RUN}),
    ],
)
def test_clear_passes_airflows_flags_on(
    run: Commands, actions: FakeActions, flags: tuple[str, ...], asked: dict[str, object]
) -> None:
    assert run("tasks", "clear", "etl", "-y", *flags).stdout == "Cleared 2 task instances.\n"
    ((_, params),) = actions.calls
    assert asked.items() <= params.items()
    assert params["dry_run"] is False


def test_clear_in_every_dag_that_matches(run: Commands, actions: FakeActions) -> None:
    run("tasks", "clear", "e", "--dag-regex", "-y")
    assert [params["dag_id"] for _, params in actions.calls] == ["etl", "report"]
    assert "is not a regular expression" in run("tasks", "clear", "etl", "-t", "(", "-y", code=2).stderr


def test_clear_dry_run_changes_nothing(run: Commands, actions: FakeActions) -> None:
    run("tasks", "clear", "etl", "--dry-run", "-y")
    assert [params["dry_run"] for _, params in actions.calls] == [True]
    actions.instances = []
    assert run("tasks", "clear", "etl").stdout == "Nothing to clear.\n"
