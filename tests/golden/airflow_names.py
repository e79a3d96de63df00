"""The `airflow` names for the golden tests, and the DAGs of the recorded cases built with them."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from asyncflow.airflow import finder

_BUILDER = Path(__file__).parent / "data" / "spec_to_dag.py"


@contextmanager
def airflow_names() -> Iterator[None]:
    """Make `import airflow` work inside of the block, as it does in DAG hosts and task processes."""
    finder.install()
    try:
        yield
    finally:
        finder.uninstall()


@cache
def dag_builder() -> Callable[[dict[str, Any]], Any]:
    """`build_dag` of the recorded `spec_to_dag.py`: the `dag` object of a case -> a DAG."""
    spec = importlib.util.spec_from_file_location("spec_to_dag", _BUILDER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with airflow_names():
        spec.loader.exec_module(module)
    return module.build_dag  # type: ignore[no-any-return]
