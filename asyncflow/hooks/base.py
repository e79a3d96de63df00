"""BaseHook: how operators and user code get connections."""

from __future__ import annotations

import logging
from typing import Any

from asyncflow.authoring.connection import Connection


class BaseHook:
    """Base of hooks; `get_connection` is all there is to it."""

    #: for subclasses that do not call super().__init__()
    _logger_name: str | None = None

    def __init__(self, logger_name: str | None = None, **_: Any) -> None:
        """`source`, of Airflow 1.10, has no effect."""
        self._logger_name = logger_name

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger(self._logger_name or f"airflow.task.hooks.{type(self).__module__}")

    @classmethod
    def get_connection(cls, conn_id: str) -> Connection:
        """The connection of this name. Raises AirflowNotFoundException."""
        return Connection.get(conn_id)

    @classmethod
    def get_connections(cls, conn_id: str) -> list[Connection]:
        """As `get_connection`, in a list (Airflow 1.10)."""
        return [cls.get_connection(conn_id)]

    @classmethod
    def get_hook(cls, conn_id: str, hook_params: dict[str, Any] | None = None) -> Any:
        """The hook that fits the type of a connection. Raises AirflowException if no installed package has one."""
        return cls.get_connection(conn_id).get_hook(hook_params=hook_params)

    def get_conn(self) -> Any:
        """The client of the other system; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_conn().")

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        return {}
