"""The keywords every task takes, what they are when nobody says, and how `default_args` fill them.

Precedence, strongest first: the argument itself, the task's own `default_args`, those of its task group (which include
the parents' groups), those of the DAG, the settings. `params` merge by key in the same order. As in Airflow 2.11.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, MutableMapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from asyncflow.authoring.checks import validate_key
from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.params import ParamsDict
from asyncflow.core.states import TriggerRule
from asyncflow.errors import InvalidDag

if TYPE_CHECKING:
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.taskgroup import TaskGroup

DEFAULT_POOL = "default_pool"
_TRIGGER_RULE_ALIASES = {
    "dummy": TriggerRule.ALWAYS,
    "none_failed_or_skipped": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS,
}


class TaskArguments(TypedDict, total=False):
    """Every keyword of Airflow 2.11's BaseOperator but task_id; None means the default."""

    owner: str
    email: str | Iterable[str] | None
    email_on_retry: bool
    email_on_failure: bool
    retries: int | None
    retry_delay: timedelta | float
    retry_exponential_backoff: bool | float
    max_retry_delay: timedelta | float | None
    start_date: datetime | None
    end_date: datetime | None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    dag: DAG | None
    params: MutableMapping[str, Any] | None
    default_args: dict[str, Any] | None
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str | None
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Any
    on_failure_callback: Any
    on_success_callback: Any
    on_retry_callback: Any
    on_skipped_callback: Any
    pre_execute: Any
    post_execute: Any
    trigger_rule: str
    resources: dict[str, Any] | None
    run_as_user: str | None
    task_concurrency: int | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any] | None
    do_xcom_push: bool
    multiple_outputs: bool
    inlets: Any
    outlets: Any
    task_group: TaskGroup | None
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    task_display_name: str | None
    logger_name: str | None
    allow_nested_operators: bool
    #: 1.10 and early 2.x: accepted, without effect there too
    provide_context: bool
    #: Airflow 3
    owner_links: Any
    retry_policy: Any


#: names of all of them, with task_id
TASK_KEYWORDS = frozenset(TaskArguments.__annotations__) | {"task_id"}

EXPECTED_TYPES: dict[str, tuple[type, ...]] = {
    "email": (str, Iterable),
    "email_on_retry": (bool,),
    "email_on_failure": (bool,),
    "depends_on_past": (bool,),
    "ignore_first_depends_on_past": (bool,),
    "wait_for_past_depends_before_skipping": (bool,),
    "wait_for_downstream": (bool,),
    "priority_weight": (int,),
    "queue": (str,),
    "pool": (str,),
    "pool_slots": (int,),
    "sla": (timedelta,),
    "execution_timeout": (timedelta,),
    "trigger_rule": (str,),
    "run_as_user": (str,),
    "task_concurrency": (int,),
    "map_index_template": (str,),
    "max_active_tis_per_dag": (int,),
    "max_active_tis_per_dagrun": (int,),
    "executor": (str,),
    "executor_config": (Mapping,),
    "do_xcom_push": (bool,),
    "multiple_outputs": (bool,),
    "doc": (str,),
    "doc_md": (str,),
    "doc_json": (str,),
    "doc_yaml": (str,),
    "doc_rst": (str,),
    "task_display_name": (str,),
    "logger_name": (str,),
    "allow_nested_operators": (bool,),
}


class MergedDefaults(dict[str, Any]):
    """default_args under which those of the group and DAG lie already."""


def task_defaults() -> dict[str, Any]:
    """The value of each keyword that nobody gave, by the settings of this process."""
    seconds = conf.get("core", "default_task_execution_timeout")
    timeout = timedelta(seconds=float(seconds)) if seconds and float(seconds) > 0 else None
    return {
        "owner": conf.get("operators", "default_owner"),
        "email_on_retry": conf.getboolean("email", "default_email_on_retry"),
        "email_on_failure": conf.getboolean("email", "default_email_on_failure"),
        "retries": conf.getint("core", "default_task_retries"),
        "retry_delay": timedelta(seconds=conf.getfloat("core", "default_task_retry_delay")),
        "retry_exponential_backoff": False,
        "depends_on_past": False,
        "ignore_first_depends_on_past": conf.getboolean("scheduler", "ignore_first_depends_on_past_by_default"),
        "wait_for_past_depends_before_skipping": False,
        "wait_for_downstream": False,
        "priority_weight": 1,
        "weight_rule": conf.get("core", "default_task_weight_rule"),
        "queue": conf.get("operators", "default_queue"),
        "pool": DEFAULT_POOL,
        "pool_slots": 1,
        "execution_timeout": timeout,
        "trigger_rule": TriggerRule.ALL_SUCCESS,
        "do_xcom_push": True,
        "multiple_outputs": False,
        "allow_nested_operators": True,
    }


def merged_defaults(
    dag: DAG | None,
    group: TaskGroup | None,
    params: Mapping[str, Any] | None,
    default_args: Mapping[str, Any] | None,
) -> tuple[MergedDefaults, ParamsDict]:
    """What a task in `group` of `dag` is to take for arguments it was not given, and its params."""
    if default_args is not None and not isinstance(default_args, Mapping):
        raise TypeError(f"default_args must be a dict, not {type(default_args).__name__}.")
    merged = MergedDefaults()
    merged_params = ParamsDict()
    if dag is not None:
        merged.update(copy.copy(dag.default_args))
        merged_params = copy.deepcopy(dag.params)
        if group is not None:
            merged.update(group.default_args)
    if params:
        merged_params.update(params)
    if default_args:
        merged.update(default_args)
        merged_params.update(default_args.get("params") or {})
    return merged, merged_params


def to_timedelta(value: timedelta | float, name: str) -> timedelta:
    """Seconds as a timedelta. Raises TypeError naming the argument."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{name} must be a timedelta or a number of seconds, not {type(value).__name__} ({value!r}).")
    return timedelta(seconds=value)


def to_retries(value: Any) -> int:
    """retries as a whole number; None is none."""
    if value is None:
        return 0
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return int(str(value))
    except ValueError:
        raise AirflowException(f"'retries' type must be int, not {type(value).__name__} ({value!r}).") from None


def to_trigger_rule(value: Any, task_id: str) -> TriggerRule:
    """The rule of a name, old aliases included."""
    name = str(getattr(value, "value", value))
    if name in _TRIGGER_RULE_ALIASES:
        return _TRIGGER_RULE_ALIASES[name]
    try:
        return TriggerRule(name)
    except ValueError:
        accepted = ", ".join(rule.value for rule in TriggerRule)
        raise AirflowException(f"Task {task_id!r}: the trigger_rule must be one of {accepted}; not {name!r}.") from None


def check_pool(pool: str | None, slots: int, task_id: str) -> str:
    """The name of the pool."""
    if slots < 1:
        raise ValueError(f"pool slots for {task_id} cannot be less than 1, they are {slots}.")
    if pool is None:
        return DEFAULT_POOL
    if pool != DEFAULT_POOL:
        try:
            validate_key(pool, "pool")
        except InvalidDag:
            # Airflow accepts any text in the pool table, and old DAG files use blanks
            if not pool.strip():
                raise
    return pool
