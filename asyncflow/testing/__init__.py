"""For tests of DAGs: play them in this process, on real or virtual time, with everything kept in memory.

The pytest plugin with the fixtures is `testing.plugin`; it is loaded by itself.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncflow.testing.dagbag import DagBag as DagBag
    from asyncflow.testing.dagbag import check_dag_file as check_dag_file
    from asyncflow.testing.dagbag import dag_files as dag_files
    from asyncflow.testing.engine import Engine as Engine
    from asyncflow.testing.instances import DagRun as DagRun
    from asyncflow.testing.instances import TaskInstance as TaskInstance
    from asyncflow.testing.memory import MemoryApi as MemoryApi
    from asyncflow.testing.player import play as play
    from asyncflow.testing.player import run_one as run_one

#: name -> module of this package that has it
_PLACES = {
    "DagBag": "dagbag",
    "DagRun": "instances",
    "Engine": "engine",
    "MemoryApi": "memory",
    "TaskInstance": "instances",
    "check_dag_file": "dagbag",
    "dag_files": "dagbag",
    "play": "player",
    "run_one": "player",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'asyncflow.testing' has no attribute {name!r}")
    return getattr(importlib.import_module(f"asyncflow.testing.{place}"), name)
