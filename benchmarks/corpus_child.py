"""Imports or plays one DAG file, for `corpus.py`: started by it once per file, and once per DAG that is played.

The request is a JSON object on stdin, the answer one in the file that the request names, as stdout is the tasks'.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path
from typing import Any


def main() -> None:
    request = json.load(sys.stdin)
    try:
        answer = _answer(request)
    except BaseException as error:  # the file's own, whatever it is: this is what is compared
        answer = {"error": f"{type(error).__name__}: {error}"}
    Path(request["answer"]).write_text(json.dumps(answer))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    dags = _load(request)
    if request["dag_id"] is None:
        return {"dags": {dag_id: _shape(dag) for dag_id, dag in dags.items()}}
    return _play(dags, request["dag_id"], request["logical_date"])


def _load(request: dict[str, Any]) -> dict[str, Any]:
    """The DAGs of the file, by the product's own way in."""
    from asyncflow.config import Settings
    from asyncflow.core.messages import HostConfig
    from asyncflow.executors.conf import airflow_conf
    from asyncflow.worker.importer import import_plainly, prepare

    path = Path(request["file"])
    config = HostConfig(
        host_id="corpus",
        dags_folder=str(path.parent),
        file=path.name,
        conf=airflow_conf(Settings(home=Path(request["home"]), dags=path.parent)),
        extra_paths=tuple(request["paths"]),
        import_timeout=request["limit"],
    )
    prepare(config)
    return import_plainly(config).dags


def _shape(dag: Any) -> dict[str, Any]:
    """What the server would know of the DAG, in figures. Raises InvalidDag for what the server would refuse."""
    from asyncflow.authoring.serialize import to_spec

    spec = to_spec(dag)
    return {
        "n_tasks": len(spec.tasks),
        "n_edges": sum(len(task.downstream) for task in spec.tasks.values()),
    }


def _play(dags: dict[str, Any], dag_id: str, logical_date: str) -> dict[str, Any]:
    from asyncflow.testing.player import play

    # The DAG alone: others, of the same file too, are not known, as where the expected ends come from.
    played = play(dags[dag_id], datetime.fromisoformat(logical_date), jump_pokes=True)
    xcoms = {f"{task}:{key}": value for task, values in played.xcoms.items() for key, value in values.items()}
    return {
        "state": played.state,
        "tasks": played.tasks,
        "errors": played.errors,
        "xcom": json.loads(json.dumps(xcoms, default=str)),
    }


if __name__ == "__main__":
    main()
