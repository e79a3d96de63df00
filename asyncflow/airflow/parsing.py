"""`get_parsing_context`: for files that build only the DAG a task needs.

Here a file is imported once and its tasks are forked from it, so the answer is always "all of them".
"""

from __future__ import annotations

from typing import NamedTuple


class AirflowParsingContext(NamedTuple):
    """The one DAG and task that are wanted; None = all."""

    dag_id: str | None
    task_id: str | None


def get_parsing_context() -> AirflowParsingContext:
    return AirflowParsingContext(None, None)
