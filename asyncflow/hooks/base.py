"""BaseHook: how operators and user code get connections."""

from __future__ import annotations

import logging
from typing import Any

from asyncflow.authoring.connection import Connection


class BaseHook:
    """Base of hooks; `get_connection` is all there is to it."""

    def __init__(self, logger_name: str | None = None) -> None:
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

    def get_conn(self) -> Any:
        """The client of the other system; subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define get_conn().")

    @classmethod
    def get_connection_form_widgets(cls) -> dict[str, Any]:
        return {}

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        return {}
