"""Settings that DAG files and tasks may ask for: `airflow.configuration.conf`.

A child process never reads the environment for settings: the server sends what it has (`HostConfig.conf`, flat
"section.key" -> text) and the host calls `conf.load()` before it imports the file. What was not sent has Airflow's
default, or asyncflow's where they differ (`catchup_by_default`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from asyncflow.authoring.exceptions import AirflowConfigException
from asyncflow.authoring.types import NOTSET, ArgNotSet

_DEFAULTS = {
    "core.catchup_by_default": "False",
    "core.dag_ignore_file_syntax": "regexp",
    "core.default_pool_task_slot_count": "128",
    "core.default_task_execution_timeout": "",
    "core.default_task_retries": "0",
    "core.default_task_retry_delay": "300",
    "core.default_task_weight_rule": "downstream",
    "core.default_timezone": "utc",
    "core.execute_tasks_new_python_interpreter": "False",
    "core.executor": "LocalExecutor",
    "core.load_examples": "False",
    "core.max_active_runs_per_dag": "16",
    "core.max_active_tasks_per_dag": "16",
    "core.max_consecutive_failed_dag_runs_per_dag": "0",
    "core.max_map_length": "1024",
    "core.max_task_retry_delay": "86400",
    "core.parallelism": "32",
    "core.unit_test_mode": "False",
    "email.default_email_on_failure": "True",
    "email.default_email_on_retry": "True",
    "operators.default_deferrable": "False",
    "operators.default_owner": "airflow",
    "operators.default_queue": "default",
    "scheduler.catchup_by_default": "False",
    "scheduler.ignore_first_depends_on_past_by_default": "True",
    "sensors.default_timeout": "604800",
    "smtp.smtp_host": "localhost",
    "smtp.smtp_mail_from": "airflow@example.com",
    "smtp.smtp_port": "25",
    "smtp.smtp_retry_limit": "5",
    "smtp.smtp_ssl": "False",
    "smtp.smtp_starttls": "True",
    "smtp.smtp_timeout": "30",
    "webserver.base_url": "http://localhost:8080",
    "webserver.dag_default_view": "grid",
    "webserver.dag_orientation": "LR",
    "webserver.default_ui_timezone": "UTC",
}

_TRUE = frozenset({"t", "true", "1", "yes", "on"})
_FALSE = frozenset({"f", "false", "0", "no", "off"})


class Conf:
    """Read access by section and key, as Airflow's `conf`. Names are case-insensitive."""

    def __init__(self) -> None:
        self._values: dict[str, str] = dict(_DEFAULTS)

    def load(self, values: Mapping[str, str]) -> None:
        """Start from the defaults again and lay `values` ("section.key" -> text) over them."""
        self._values = _DEFAULTS | {name.lower(): str(value) for name, value in values.items()}

    def get(self, section: str, key: str, fallback: Any = NOTSET, **_: Any) -> Any:
        """The text of a setting, else `fallback`. Raises AirflowConfigException when there is neither."""
        value = self._values.get(f"{section}.{key}".lower())
        if value is not None:
            return value
        if isinstance(fallback, ArgNotSet):
            raise AirflowConfigException(f"section/key [{section}/{key}] not found in config")
        return fallback

    def get_mandatory_value(self, section: str, key: str, **kwargs: Any) -> str:
        """The text of a setting that must be there."""
        return str(self.get(section, key, **kwargs))

    def has_option(self, section: str, option: str) -> bool:
        """Is there such a setting?"""
        return f"{section}.{option}".lower() in self._values

    def getsection(self, section: str) -> dict[str, str] | None:
        """All settings of a section, None if it has none."""
        prefix = f"{section}.".lower()
        found = {name[len(prefix) :]: value for name, value in self._values.items() if name.startswith(prefix)}
        return found or None

    def getint(self, section: str, key: str, **kwargs: Any) -> int:
        """The setting as a whole number."""
        return int(self._converted(int, "a whole number", section, key, kwargs))

    def getfloat(self, section: str, key: str, **kwargs: Any) -> float:
        """The setting as a number."""
        return float(self._converted(float, "a number", section, key, kwargs))

    def getboolean(self, section: str, key: str, **kwargs: Any) -> bool:
        """The setting as a truth value: true, t, yes, on, 1 and their opposites."""
        return bool(self._converted(_to_bool, "true or false", section, key, kwargs))

    def getlist(self, section: str, key: str, delimiter: str = ",", **kwargs: Any) -> list[str]:
        """The setting cut at `delimiter`, without blanks around the pieces."""
        value = self.get(section, key, **kwargs)
        if not isinstance(value, str):
            return list(value or [])
        return [piece.strip() for piece in value.split(delimiter) if piece.strip()]

    def getjson(self, section: str, key: str, **kwargs: Any) -> Any:
        """The setting as JSON; an empty text is None."""
        value = self.get(section, key, **kwargs)
        return self._converted(json.loads, "JSON", section, key, kwargs) if isinstance(value, str) and value else None

    def gettimedelta(self, section: str, key: str, **kwargs: Any) -> timedelta | None:
        """The setting, in seconds, as a timedelta; an empty text is None."""
        value = self.get(section, key, **kwargs)
        if value is None or isinstance(value, timedelta):
            return value
        return timedelta(seconds=self.getfloat(section, key)) if str(value) else None

    def _converted(self, kind: Any, words: str, section: str, key: str, kwargs: dict[str, Any]) -> Any:
        value = self.get(section, key, **kwargs)
        if not isinstance(value, str):
            return value
        try:
            return kind(value.partition("#")[0].strip())
        except ValueError:
            raise AirflowConfigException(f"[{section}] {key} is {value!r}, which is not {words}.") from None


def _to_bool(text: str) -> bool:
    lowered = text.lower()
    if lowered in _TRUE:
        return True
    if lowered in _FALSE:
        return False
    raise ValueError(text)


#: the settings of this process
conf = Conf()
