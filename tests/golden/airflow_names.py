"""The `airflow` names for the golden tests, as they are in DAG hosts and task processes; taken away again afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from asyncflow.airflow import finder


@contextmanager
def airflow_names() -> Iterator[None]:
    """Make `import airflow` work inside of the block; modules that were imported meanwhile keep what they got."""
    finder.install()
    try:
        yield
    finally:
        finder.uninstall()
