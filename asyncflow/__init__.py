"""asyncflow: Airflow's DAG files, on one host, from one process.

The names that DAG authors import (`from asyncflow import DAG, task`) are loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asyncflow.authoring.baseoperator import BaseOperator as BaseOperator
    from asyncflow.authoring.connection import Connection as Connection
    from asyncflow.authoring.context import get_current_context as get_current_context
    from asyncflow.authoring.dag import DAG as DAG
    from asyncflow.authoring.dag import dag as dag
    from asyncflow.authoring.dataset import Dataset as Dataset
    from asyncflow.authoring.decorators import setup as setup
    from asyncflow.authoring.decorators import task as task
    from asyncflow.authoring.decorators import task_group as task_group
    from asyncflow.authoring.decorators import teardown as teardown
    from asyncflow.authoring.edges import Label as Label
    from asyncflow.authoring.edges import chain as chain
    from asyncflow.authoring.edges import chain_linear as chain_linear
    from asyncflow.authoring.edges import cross_downstream as cross_downstream
    from asyncflow.authoring.params import Param as Param
    from asyncflow.authoring.taskgroup import TaskGroup as TaskGroup
    from asyncflow.authoring.variable import Variable as Variable
    from asyncflow.authoring.xcom_arg import XComArg as XComArg
    from asyncflow.core.states import TriggerRule as TriggerRule

__version__ = "0.1.0"

#: name -> module of this package that has it
_PLACES = {
    "BaseOperator": "authoring.baseoperator",
    "Connection": "authoring.connection",
    "DAG": "authoring.dag",
    "Dataset": "authoring.dataset",
    "Label": "authoring.edges",
    "Param": "authoring.params",
    "TaskGroup": "authoring.taskgroup",
    "TriggerRule": "core.states",
    "Variable": "authoring.variable",
    "XComArg": "authoring.xcom_arg",
    "chain": "authoring.edges",
    "chain_linear": "authoring.edges",
    "cross_downstream": "authoring.edges",
    "dag": "authoring.dag",
    "get_current_context": "authoring.context",
    "setup": "authoring.decorators",
    "task": "authoring.decorators",
    "task_group": "authoring.decorators",
    "teardown": "authoring.decorators",
}
__all__ = sorted(_PLACES)


def __getattr__(name: str) -> Any:
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module 'asyncflow' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"asyncflow.{place}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_PLACES})
