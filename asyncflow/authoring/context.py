"""The context of a running task: what `context[...]`, `**kwargs` and templates see.

`make_context` builds it for one task instance; all variables of Airflow 2.11's template reference. What costs a look at
the timetable or a question to the server is worked out when it is first asked for.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pendulum

from asyncflow.authoring import macros
from asyncflow.authoring.assetevents import InletEvents, OutletEvents, TriggeringEvents, triggering_by_uri
from asyncflow.authoring.conf import conf
from asyncflow.authoring.connection import Connection
from asyncflow.authoring.exceptions import (
    AirflowContextDeprecationWarning,
    AirflowException,
    AirflowNotFoundException,
)
from asyncflow.authoring.statestore import AssetStateStores, task_state_store
from asyncflow.authoring.timezone import coerce_datetime
from asyncflow.authoring.types import NOTSET, ArgNotSet
from asyncflow.authoring.variable import Variable
from asyncflow.core.timetable import DataInterval

if TYPE_CHECKING:
    from asyncflow.authoring.taskinstance import DagRun, TaskInstance

#: variables that are gone in Airflow 3, and what to use; read in Python code they warn, in templates they do not
DEPRECATED = {
    "conf": "",
    "execution_date": "data_interval_start or logical_date",
    "next_ds": "{{ data_interval_end | ds }}",
    "next_ds_nodash": "{{ data_interval_end | ds_nodash }}",
    "next_execution_date": "data_interval_end",
    "prev_ds": "",
    "prev_ds_nodash": "",
    "prev_execution_date": "",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "tomorrow_ds": "",
    "tomorrow_ds_nodash": "",
    "yesterday_ds": "",
    "yesterday_ds_nodash": "",
}


class Lazy:
    """A context value that is worked out when it is first looked at."""

    __slots__ = ("work",)

    def __init__(self, work: Callable[[], Any]) -> None:
        self.work = work


class Context(MutableMapping[str, Any]):
    """A dict to those who use it; values may be `Lazy` inside."""

    def __init__(self, values: Mapping[str, Any] | None = None, **more: Any) -> None:
        self._values: dict[str, Any] = {**(values or {}), **more}

    def __getitem__(self, key: str) -> Any:
        if key in DEPRECATED and key in self._values:
            use = f"; use {DEPRECATED[key]} instead" if DEPRECATED[key] else ""
            warnings.warn(
                f"The context variable {key!r} is gone in Airflow 3{use}.",
                AirflowContextDeprecationWarning,
                stacklevel=2,
            )
        return self.value(key)

    def value(self, key: str) -> Any:
        """As `context[key]`, without the warning. Raises KeyError."""
        value = self._values[key]
        if isinstance(value, Lazy):
            value = self._values[key] = value.work()
        return value

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __or__(self, other: Mapping[str, Any]) -> Context:
        return Context({**self._values, **_raw(other)})

    def __repr__(self) -> str:
        return f"Context({sorted(self._values)})"

    def copy(self) -> Context:
        return Context(self._values)

    def handed_on(self) -> dict[str, Any]:
        """A plain dict for `function(**context)`, in which what costs a question to the server is asked at its first
        use only: such a value is a proxy, as in Airflow 2."""
        from wrapt import LazyObjectProxy

        return {
            key: LazyObjectProxy(partial(self.value, key)) if isinstance(value, Lazy) else value
            for key, value in self._values.items()
        }

    def quiet(self) -> Mapping[str, Any]:
        """This context, read without deprecation warnings: for templates and for handing on as keyword arguments."""
        return _Quiet(self)


def _raw(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return values._values if isinstance(values, Context) else values


class _Quiet(Mapping[str, Any]):
    def __init__(self, context: Context) -> None:
        self._context = context

    def __getitem__(self, key: str) -> Any:
        return self._context.value(key)

    def __contains__(self, key: object) -> bool:
        return key in self._context

    def __iter__(self) -> Iterator[str]:
        return iter(self._context)

    def __len__(self) -> int:
        return len(self._context)


# ---- the context of the task that runs now --------------------------------------------------------------------------

_running: list[Any] = []
#: of one of the tasks that share an event loop
_own: ContextVar[Any] = ContextVar("asyncflow_context", default=None)


def get_current_context() -> Any:
    """The context of the running task. Raises AirflowException outside of one."""
    if not _running:
        if (own := _own.get()) is not None:
            return own
        raise AirflowException("get_current_context() works inside a running task only (in execute or below it)")
    return _running[-1]


@contextmanager
def set_current_context(context: Any) -> Iterator[Any]:
    """Make `context` the one that `get_current_context` gives inside of the block."""
    _running.append(context)
    try:
        yield context
    finally:
        _running.pop()


@contextmanager
def own_context(context: Any) -> Iterator[None]:
    """As `set_current_context`, but for the coroutine that enters it alone."""
    token = _own.set(context)
    try:
        yield
    finally:
        _own.reset(token)


# ---- accessors ------------------------------------------------------------------------------------------------------


class VariableAccessor:
    """`var.value.<name>` and `var.json.<name>` in templates."""

    def __init__(self, *, deserialize_json: bool) -> None:
        self._json = deserialize_json

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        return Variable.get(key, deserialize_json=self._json)

    def get(self, key: str, default: Any = NOTSET) -> Any:
        """The variable; a missing one is `default`, or KeyError without one."""
        if isinstance(default, ArgNotSet):
            return Variable.get(key, deserialize_json=self._json)
        return Variable.get(key, default, deserialize_json=self._json)


class ConnectionAccessor:
    """`conn.<conn_id>` in templates."""

    def __getattr__(self, key: str) -> Any:
        if key.startswith("__"):
            raise AttributeError(key)
        return Connection.get(key)

    def get(self, key: str, default_conn: Any = None) -> Any:
        """The connection, or `default_conn` if there is none."""
        try:
            return Connection.get(key)
        except AirflowNotFoundException:
            return default_conn


# ---- building -------------------------------------------------------------------------------------------------------


def make_context(ti: TaskInstance) -> Context:
    """The context of a task instance. Raises ParamValidationError if params or conf do not fit their schema."""
    task, run = ti.task, ti.dag_run
    return Context(
        {
            **_dates(ti),
            "asset_state_store": AssetStateStores([*task.inlets, *task.outlets]),
            "conf": conf,
            "conn": ConnectionAccessor(),
            "dag": task.dag,
            "dag_run": run,
            "expanded_ti_count": None,
            "inlet_events": InletEvents(task.inlets),
            "inlets": task.inlets,
            "macros": macros,
            "map_index_template": task.map_index_template,
            "outlet_events": OutletEvents(),
            "outlets": task.outlets,
            "partition_key": run.partition_key,
            "params": params_of(task, run.conf),
            "run_id": run.run_id,
            "task": task,
            "task_instance": ti,
            "task_state_store": task_state_store(ti.dag_id, ti.run_id, ti.task_id, ti.map_index),
            "test_mode": ti.test_mode,
            "ti": ti,
            "triggering_asset_events": Lazy(lambda: TriggeringEvents(run.consumed_dataset_events)),
            "triggering_dataset_events": Lazy(lambda: triggering_by_uri(run.consumed_dataset_events)),
            "try_number": ti.try_number,
            "var": {
                "json": VariableAccessor(deserialize_json=True),
                "value": VariableAccessor(deserialize_json=False),
            },
        }
    )


def params_of(task: Any, run_conf: Mapping[str, Any] | None) -> dict[str, Any]:
    """Params of the DAG, overridden by the task's and (if the settings allow) by the conf of the run; validated."""
    from asyncflow.authoring.params import ParamsDict

    params = ParamsDict()
    if task.dag is not None:
        params.update(task.dag.params)
    params.update(task.params)
    if run_conf and conf.getboolean("core", "dag_run_conf_overrides_params", fallback=True):
        params.update(run_conf)
    valid: dict[str, Any] = params.validate()
    return valid


def _dates(ti: TaskInstance) -> dict[str, Any]:
    run = ti.dag_run
    values: dict[str, Any] = {
        "data_interval_end": run.data_interval_end,
        "data_interval_start": run.data_interval_start,
    }
    logical = run.logical_date
    if logical is None:  # a run of the Airflow 3 dialect without a logical date has none of the names made from it
        return values
    # Plain dates and texts: pendulum's arithmetic costs ten times as much, and every task comes by here.
    today, time, text = dt.date(logical.year, logical.month, logical.day), f"{logical:%H%M%S}", logical.isoformat()
    yesterday, tomorrow = (today + dt.timedelta(days=days) for days in (-1, 1))
    day, day_nodash = today.isoformat(), _nodash(today)
    values |= {
        "ds": day,
        "ds_nodash": day_nodash,
        "execution_date": logical,
        "logical_date": logical,
        "task_instance_key_str": f"{ti.dag_id}__{ti.task_id}__{day_nodash}",
        "tomorrow_ds": tomorrow.isoformat(),
        "tomorrow_ds_nodash": _nodash(tomorrow),
        "ts": text,
        "ts_nodash": f"{day_nodash}T{time}",
        "ts_nodash_with_tz": text.replace("-", "").replace(":", ""),
        "yesterday_ds": yesterday.isoformat(),
        "yesterday_ds_nodash": _nodash(yesterday),
    }
    neighbours = _Neighbours(ti)
    for name, moment in (("next", neighbours.next), ("prev", neighbours.previous)):
        values[f"{name}_execution_date"] = Lazy(moment)
        values[f"{name}_ds"] = Lazy(partial(_day, moment, "%Y-%m-%d"))
        values[f"{name}_ds_nodash"] = Lazy(partial(_day, moment, "%Y%m%d"))
    for name, part in (
        ("prev_data_interval_start_success", "data_interval_start"),
        ("prev_data_interval_end_success", "data_interval_end"),
        ("prev_execution_date_success", "logical_date"),
        ("prev_start_date_success", "start_date"),
        ("prev_end_date_success", "end_date"),
    ):
        values[name] = Lazy(partial(neighbours.last_success, part))
    return values


def _nodash(day: dt.date) -> str:
    return day.isoformat().replace("-", "")


def _day(find: Callable[[], dt.datetime | None], form: str) -> str | None:
    moment = find()
    return moment.strftime(form) if moment is not None else None


class _Neighbours:
    """The schedule's dates around a run, and the last run that succeeded before it."""

    def __init__(self, ti: TaskInstance) -> None:
        self._ti = ti

    def next(self) -> pendulum.DateTime | None:
        """The next logical date; of a run triggered by hand, its own."""
        run = self._ti.dag_run
        if run.external_trigger:
            return run.logical_date
        if run.data_interval_start is None or run.data_interval_end is None:
            return None
        interval = DataInterval(run.data_interval_start, run.data_interval_end)
        info = self._ti.task.dag.next_dagrun_info(interval, restricted=False)
        return coerce_datetime(info.logical_date) if info is not None else None

    def previous(self) -> pendulum.DateTime | None:
        """The logical date before; of a run triggered by hand, its own."""
        run = self._ti.dag_run
        if run.external_trigger:
            return run.logical_date
        return self._ti.task.dag.previous_schedule(run.logical_date)  # type: ignore[no-any-return]

    @cached_property
    def _last_success(self) -> DagRun | None:
        return self._ti.get_previous_dagrun(state="success")

    def last_success(self, part: str) -> pendulum.DateTime | None:
        """One date of the last run before that succeeded."""
        return getattr(self._last_success, part, None)


def context_merge(context: MutableMapping[str, Any], *args: Any, **kwargs: Any) -> None:
    """Update a context in place (`airflow.utils.context`)."""
    context.update(*args, **kwargs)
