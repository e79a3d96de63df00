"""`LoggingMixin`: `self.log` for hooks and other classes."""

from __future__ import annotations

import logging
from typing import Any


class LoggingMixin:
    """Gives a class a logger with its own name."""

    _log: logging.Logger | None = None
    _logger_name: str | None = None
    _log_config_logger_name: str | None = None

    def __init__(self, context: Any = None) -> None:
        del context  # Airflow's log handlers want it; ours do not

    @classmethod
    def logger(cls) -> logging.Logger:
        return logging.getLogger(cls._name())

    @classmethod
    def _name(cls) -> str:
        own = cls._logger_name or f"{cls.__module__}.{cls.__name__}"
        return f"{cls._log_config_logger_name}.{own}" if cls._log_config_logger_name else own

    @property
    def log(self) -> logging.Logger:
        if self._log is None:
            self._log = logging.getLogger(self._name())
        return self._log
