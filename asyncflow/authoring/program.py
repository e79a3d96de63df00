"""A DAG file run as a program: `dag.test()` and `dag.cli()` under `if __name__ == "__main__":`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asyncflow.authoring import timezone
from asyncflow.core import connections
from asyncflow.errors import InvalidInput

if TYPE_CHECKING:
    from asyncflow.authoring.api import TaskApi
    from asyncflow.authoring.dag import DAG


def play_dag(
    dag: DAG,
    logical_date: datetime | None,
    run_conf: Mapping[str, Any] | None,
    conn_file_path: str | None = None,
    variable_file_path: str | None = None,
    use_executor: bool = False,
    outer: TaskApi | None = None,
) -> Any:
    """Play one run in this process, in memory. `use_executor` has no effect: there is no executor in between.

    Inside of a running task, `outer` is its api: it is asked for Variables, Connections and other DAGs. In a test, what
    the test has set counts. The files are JSON or YAML: variables by name; connections by id, each with its fields or
    as URI. Raises InvalidInput.
    """
    from asyncflow.testing.memory import LayeredApi, MemoryApi, memory_in_use
    from asyncflow.testing.player import play

    api = LayeredApi(outer) if outer is not None else memory_in_use() or MemoryApi()
    api.variables |= {name: _as_text(value) for name, value in _read(variable_file_path).items()}
    api.connections |= {name: _fields(name, value) for name, value in _read(conn_file_path).items()}
    return play(dag, timezone.convert_to_utc(logical_date), conf=run_conf, api=api)


def _as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _fields(conn_id: str, value: Any) -> dict[str, Any]:
    try:
        return connections.from_text(value) if isinstance(value, str) else connections.from_json(value)
    except ValueError as error:
        raise InvalidInput(f"Connection {conn_id!r}: {error}.") from None


def _read(path: str | None) -> dict[str, Any]:
    if path is None:
        return {}
    import yaml

    try:
        found = yaml.safe_load(Path(path).read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}.") from None
    if not isinstance(found, dict):
        raise InvalidInput(f"{path} must hold names with values, not {type(found).__name__}.")
    return found


def run_cli(dag: DAG, arguments: Sequence[str] | None, say: Callable[[str], Any]) -> int:
    """The command line of a DAG file; the exit code. `arguments` None = those of the process."""
    parser = argparse.ArgumentParser(description=f"DAG {dag.dag_id}")
    kinds = parser.add_subparsers(dest="kind", required=True)
    dags = kinds.add_parser("dags", help="the whole DAG").add_subparsers(dest="command", required=True)
    dags.add_parser("show", help="its tasks as a tree")
    test = dags.add_parser("test", help="play one run here")
    test.add_argument("date", nargs="?", type=timezone.parse)
    test.add_argument("-c", "--conf", type=json.loads, help="conf of the run, as JSON")
    tasks = kinds.add_parser("tasks", help="one task").add_subparsers(dest="command", required=True)
    tasks.add_parser("list", help="ids of its tasks")
    one = tasks.add_parser("test", help="run one task here")
    one.add_argument("task_id")
    one.add_argument("date", nargs="?", type=timezone.parse)
    return _run_command(dag, parser.parse_args(arguments), say)


def _run_command(dag: DAG, given: argparse.Namespace, say: Callable[[str], Any]) -> int:
    dag.validate()
    if given.command == "show":
        say(dag.get_tree_view().rstrip())
        return 0
    if given.command == "list":
        say("\n".join(sorted(dag.task_ids)))
        return 0
    if given.kind == "dags":
        result = dag.test(given.date, run_conf=given.conf)
        say("\n".join(f"{task}: {state}" for task, state in result.tasks.items()))
        say(f"{dag.dag_id}: {result.state}")
        return 0 if result.state == "success" else 1
    from asyncflow.testing.player import run_one

    date = given.date or datetime.now(UTC)
    return 0 if run_one(dag, given.task_id, timezone.convert_to_utc(date)).outcome in ("success", "skipped") else 1
