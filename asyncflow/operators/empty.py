"""EmptyOperator: a task that does nothing; the scheduler ends it without a process."""

from __future__ import annotations

from typing import Any

from asyncflow.authoring.baseoperator import BaseOperator


class EmptyOperator(BaseOperator):
    """Groups other tasks: everything before it, everything after it."""

    ui_color = "#e8f7e4"
    inherits_from_empty_operator = True

    def execute(self, context: Any) -> None:
        """Nothing."""

    #: a subclass with an `execute` of its own has something to run after all
    empty_execute = execute


#: 1.10's name
DummyOperator = EmptyOperator
