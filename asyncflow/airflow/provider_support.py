"""What provider packages take from Airflow besides operators and hooks: lineage, listeners, time limits, run variables.

Lineage and listeners are accepted and lead nowhere: nothing collects them here.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, NamedTuple, TypeVar

from asyncflow.authoring.exceptions import AirflowTaskTimeout
from asyncflow.authoring.providers import provider_infos
from asyncflow.operators.bash import context_variables

F = TypeVar("F", bound=Callable[..., Any])

_NAMES = ("DAG_EMAIL", "DAG_OWNER", "DAG_ID", "TASK_ID", "EXECUTION_DATE", "TRY_NUMBER", "DAG_RUN_ID")
#: how Airflow calls the facts of a run in configurations, and in environments
AIRFLOW_VAR_NAME_FORMAT_MAPPING = {
    f"AIRFLOW_CONTEXT_{name}": {
        "default": f"airflow.ctx.{name.lower()}",
        "env_var_format": f"AIRFLOW_CTX_{name}",
    }
    for name in _NAMES
}


def context_to_airflow_vars(context: Any, in_env_var_format: bool = False) -> dict[str, str]:
    """The facts of a run that other programs are told: AIRFLOW_CTX_DAG_ID, or airflow.ctx.dag_id."""
    found = context_variables(context)
    if in_env_var_format:
        return found
    return {f"airflow.ctx.{name.removeprefix('AIRFLOW_CTX_').lower()}": value for name, value in found.items()}


class timeout:
    """`with timeout(seconds):` raises AirflowTaskTimeout in the block when the time is up; in the main thread only."""

    def __init__(self, seconds: float = 1, error_message: str = "Timeout") -> None:
        self.seconds, self.error_message = seconds, error_message
        self._before: Any = None

    def handle_timeout(self, signum: int, frame: FrameType | None) -> None:
        """The alarm rang."""
        raise AirflowTaskTimeout(self.error_message)

    def __enter__(self) -> timeout:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGALRM, self.handle_timeout)
            signal.setitimer(signal.ITIMER_REAL, self.seconds)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)


class DialectInfo(NamedTuple):
    """A kind of SQL that a provider package knows."""

    name: str
    dialect_class_name: str
    provider_name: str


class ProvidersManager:
    """What the installed provider packages say of themselves, as far as packages ask for it."""

    @property
    def dialects(self) -> dict[str, DialectInfo]:
        """The SQL dialects, by name."""
        return {
            entry["dialect-type"]: DialectInfo(
                entry["dialect-type"], entry["dialect-class-name"], str(info.get("package-name", ""))
            )
            for info in provider_infos()
            for entry in info.get("dialects", ())
        }


@dataclass
class AssetLineageInfo:
    """One dataset that a hook read or wrote."""

    asset: Any = None
    count: int = 0
    context: Any = None


@dataclass
class HookLineage:
    """All of them."""

    inputs: list[AssetLineageInfo] = field(default_factory=list)
    outputs: list[AssetLineageInfo] = field(default_factory=list)


class HookLineageCollector:
    """Takes what hooks report, and keeps none of it."""

    has_collected = False

    @property
    def collected_assets(self) -> HookLineage:
        """Nothing."""
        return HookLineage()

    def add_input_asset(self, *args: Any, **kwargs: Any) -> None: ...

    def add_output_asset(self, *args: Any, **kwargs: Any) -> None: ...

    add_input_dataset, add_output_dataset = add_input_asset, add_output_asset

    def add_extra(self, *args: Any, **kwargs: Any) -> None: ...


class HookLineageReader:
    """Reads what was collected: nothing."""

    def __init__(self, **kwargs: Any) -> None:
        self.lineage_collector = get_hook_lineage_collector()

    def retrieve_hook_lineage(self) -> HookLineage:
        return HookLineage()


_collector = HookLineageCollector()


def get_hook_lineage_collector() -> HookLineageCollector:
    """The one there is."""
    return _collector


def hookimpl(function: F | None = None, **options: Any) -> Any:
    """Marks a function of a listener; with or without options, the function stays as it is."""
    return function if function is not None else lambda marked: marked


class ListenerManager:
    """Listeners can be added; nothing calls them."""

    has_listeners = False

    def add_listener(self, listener: Any) -> None: ...

    def clear(self) -> None: ...


_listeners = ListenerManager()


def get_listener_manager() -> ListenerManager:
    """The one there is."""
    return _listeners
