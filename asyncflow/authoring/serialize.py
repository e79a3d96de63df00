"""From the DAG that a file made to the DagSpec that the server keeps.

Deterministic: the same file gives equal bytes, whatever the process, so that a hash of them names the version. That is
why sets are sorted and objects are shown by class, never by address.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from asyncflow.authoring import timezone, xcom
from asyncflow.authoring.conf import conf
from asyncflow.authoring.exceptions import AirflowDagCycleException, ParamValidationError
from asyncflow.authoring.expand import DictOfListsExpandInput, ExpandInput, ListOfDictsExpandInput
from asyncflow.authoring.mapping import MappedOperator, MappedTaskGroup
from asyncflow.authoring.params import ParamsDict
from asyncflow.authoring.source import located
from asyncflow.authoring.taskgroup import TaskGroup
from asyncflow.authoring.timetable_values import zone_name
from asyncflow.authoring.timetables import dataset_expression
from asyncflow.authoring.types import ArgNotSet
from asyncflow.authoring.weights import rule_name, total_weights
from asyncflow.authoring.xcom_arg import ConcatXComArg, MapXComArg, PlainXComArg, XComArg, ZipXComArg
from asyncflow.core.graph import topological_order
from asyncflow.core.specs import (
    DagSpec,
    ExpandSpec,
    LiteralInput,
    MapInput,
    ParamSpec,
    SensorSpec,
    TaskGroupSpec,
    TaskSpec,
    XComInput,
)
from asyncflow.core.states import TriggerRule
from asyncflow.errors import CycleFound, InvalidDag

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator
    from asyncflow.authoring.dag import DAG
from asyncflow.authoring.deadlines import specs_of

_CALLBACKS = ("execute", "success", "failure", "retry", "skipped")
#: longest text of a template field that the UI gets
_SHOWN = 4000


def to_spec(dag: DAG, *, file: str = "", settings: Mapping[str, str] | None = None) -> DagSpec:
    """The DAG as data. Raises InvalidDag (also its subclasses) with `where` for a DAG that cannot run.

    `file` is relative to the DAG folder. `settings` ("section.key" -> text), if given, become those of this process.
    """
    if settings is not None:
        conf.load(settings)
    validate(dag)
    weights = total_weights(dag)
    mapped_over = _mapped_over(dag)
    return DagSpec(
        dag_id=dag.dag_id,
        file=file,
        line=dag.created_at.line or None,
        dialect=dag.dialect,
        display_name=dag.dag_display_name if dag.dag_display_name != dag.dag_id else "",
        description=dag.description,
        doc_md=dag.doc_md,
        owner=dag.owner,
        tags=tuple(sorted(set(dag.tags))),
        timetable=dag.timetable.to_spec(),
        schedule_text=_schedule_text(dag.schedule_interval),
        timezone=zone_name(dag.timezone),
        start_date=_utc(_first_start(dag)),
        end_date=_utc(_last_end(dag)),
        catchup=dag.catchup,
        max_active_runs=dag.max_active_runs,
        max_active_tasks=dag.max_active_tasks,
        max_consecutive_failed_dag_runs=dag.max_consecutive_failed_dag_runs,
        dagrun_timeout=dag.dagrun_timeout,
        is_paused_upon_creation=dag.is_paused_upon_creation,
        fail_fast=dag.fail_stop,
        render_template_as_native_obj=dag.render_template_as_native_obj,
        sla_miss_callback=bool(dag.sla_miss_callback),
        deadlines=specs_of(dag.deadline),
        callbacks=frozenset(kind for kind in ("success", "failure") if getattr(dag, f"on_{kind}_callback")),
        params=_params(dag.params),
        dataset_expression=_dataset_expression(dag),
        owner_links=dict(sorted(dag.owner_links.items())),
        access_control=_json(dag.access_control or {}),
        tasks={task.task_id: _task(task, weights, mapped_over) for task in dag.tasks},
        groups={group_id: _group(group) for group_id, group in dag.task_group_dict.items()},
        extra=_dag_extra(dag),
    )


# ---- checks ---------------------------------------------------------------------------------------------------------


def validate(dag: DAG) -> None:
    """Raises InvalidDag (or a subclass) for what only the whole DAG shows."""
    try:
        dag.timetable.validate()
        _check_params(dag)
    except InvalidDag as error:
        raise located(error, dag.created_at) from None
    task_order(dag)
    _check_setups(dag)
    _check_mapped_groups(dag)


def task_order(dag: DAG) -> list[str]:
    """Task ids so that each comes after those upstream of it. Raises AirflowDagCycleException naming the circle."""
    edges = {task.task_id: [i for i in sorted(task.downstream_task_ids) if i in dag.task_dict] for task in dag.tasks}
    try:
        return topological_order(edges)
    except CycleFound as error:
        raise located(AirflowDagCycleException(f"DAG {dag.dag_id!r}: {error}"), dag.created_at) from None


def _check_params(dag: DAG) -> None:
    """A DAG that is started by its schedule needs a valid default for each param."""
    if not dag.timetable.can_be_scheduled:
        return
    for name, param in dag.params.items_as_params().items():
        if not param.has_value:
            raise ParamValidationError(
                f"DAG {dag.dag_id!r}: param {name!r} has no default; a DAG with a schedule needs one for each param."
            )
    try:
        ParamsDict(dag.params).validate()
    except ParamValidationError as error:
        raise ParamValidationError(f"DAG {dag.dag_id!r}: {error}") from None


def _check_setups(dag: DAG) -> None:
    for task in dag.tasks:
        if not task.is_setup:
            continue
        for after in task.downstream_list:
            if not after.is_teardown and after.trigger_rule is not TriggerRule.ALL_SUCCESS:
                raise located(
                    InvalidDag(
                        f"Task {after.task_id!r} has the trigger rule {after.trigger_rule.value!r}: "
                        "Setup tasks must be followed with trigger rule ALL_SUCCESS."
                    ),
                    after.created_at,
                )


def _check_mapped_groups(dag: DAG) -> None:
    for task in dag.tasks:
        if task.trigger_rule is TriggerRule.ALWAYS and task.get_closest_mapped_task_group() is not None:
            raise located(
                InvalidDag(f"Task {task.task_id!r}: in a mapped task group the trigger rule 'always' is not allowed."),
                task.created_at,
            )


# ---- tasks ----------------------------------------------------------------------------------------------------------


def _task(task: AbstractOperator, weights: Mapping[str, int], mapped_over: frozenset[str]) -> TaskSpec:
    group = task.task_group
    return TaskSpec(
        task_id=task.task_id,
        operator=task.operator_name,
        task_module=task.task_module,
        task_display_name=task.task_display_name if task.task_display_name != task.task_id else "",
        label=task.local_id,
        owner=str(task.owner),
        group_id=group.group_id if group is not None else None,
        downstream=tuple(sorted(task.downstream_task_ids)),
        upstream=tuple(sorted(task.upstream_task_ids)),
        edge_labels=_edge_labels(task),
        **_rules(task),
        **_slots(task, weights),
        is_setup=task.is_setup,
        is_teardown=task.is_teardown,
        on_failure_fail_dagrun=task.on_failure_fail_dagrun,
        is_empty=_is_empty(task),
        marker=task.marker_spec() if hasattr(task, "marker_spec") else None,
        is_async=_is_async(task),
        start_trigger=_start_trigger(task),
        feeds_mapping=task.task_id in mapped_over,
        do_xcom_push=task.do_xcom_push,
        multiple_outputs=bool(task.multiple_outputs),
        is_mapped=task.is_mapped,
        expand=_expand(task.expand_input) if isinstance(task, MappedOperator) else None,
        map_index_template=task.map_index_template,
        sensor=_sensor(task),
        sla=task.sla,
        email=_emails(task.email),
        email_on_failure=task.email_on_failure,
        email_on_retry=task.email_on_retry,
        callbacks=frozenset(kind for kind in _CALLBACKS if getattr(task, f"on_{kind}_callback")),
        inlets=tuple(_dataset(item) for item in task.inlets),
        outlets=tuple(_dataset(item) for item in task.outlets),
        template_fields=tuple(task.template_fields),
        params=_param_values(task.params),
        doc=task.doc or task.doc_json or task.doc_yaml or task.doc_rst,
        doc_md=task.doc_md,
        ui_color=task.ui_color,
        ui_fgcolor=task.ui_fgcolor,
        extra=_task_extra(task),
    )


def _rules(task: AbstractOperator) -> dict[str, Any]:
    backoff = task.retry_exponential_backoff
    return {
        "trigger_rule": task.trigger_rule,
        "retries": int(task.retries or 0),
        "retry_delay": task.retry_delay,
        "retry_exponential_backoff": 2.0 if backoff is True else float(backoff or 0),
        "max_retry_delay": task.max_retry_delay,
        "execution_timeout": task.execution_timeout,
        "depends_on_past": task.depends_on_past,
        "ignore_first_depends_on_past": task.ignore_first_depends_on_past,
        "wait_for_downstream": task.wait_for_downstream,
        "wait_for_past_depends_before_skipping": task.wait_for_past_depends_before_skipping,
        "start_date": _utc(task.start_date),
        "end_date": _utc(task.end_date),
    }


def _slots(task: AbstractOperator, weights: Mapping[str, int]) -> dict[str, Any]:
    return {
        "pool": task.pool,
        "pool_slots": task.pool_slots,
        "priority_weight": weights[task.task_id],
        "own_priority_weight": task.priority_weight,
        "weight_rule": rule_name(task),
        "queue": task.queue,
        "executor": task.executor,
        "max_active_tis_per_dag": task.max_active_tis_per_dag,
        "max_active_tis_per_dagrun": task.max_active_tis_per_dagrun,
    }


def _is_empty(task: AbstractOperator) -> bool:
    """Is there nothing to run: an EmptyOperator that nobody gave work to?"""
    if not task.inherits_from_empty_operator or task.on_execute_callback or task.on_success_callback or task.outlets:
        return False
    own_class: Any = task.operator_class if isinstance(task, MappedOperator) else type(task)
    hooks = getattr(task, "_pre_execute_hook", None) or getattr(task, "_post_execute_hook", None)
    return own_class.execute is own_class.empty_execute and not hooks


def _is_async(task: AbstractOperator) -> bool:
    """Is it a coroutine function that shares an event loop with others?"""
    own_class: Any = task.operator_class if isinstance(task, MappedOperator) else type(task)
    values = task.partial_kwargs if isinstance(task, MappedOperator) else vars(task)
    return bool(own_class.is_async(values)) if hasattr(own_class, "is_async") else False


def _start_trigger(task: AbstractOperator) -> dict[str, Any] | None:
    """How a task with `start_from_trigger` begins; copies of a mapped one differ, and begin in a process."""
    args = getattr(task, "start_trigger_args", None)
    if isinstance(task, MappedOperator) or args is None or not getattr(task, "start_from_trigger", False):
        return None
    return {
        "classpath": args.trigger_cls,
        "kwargs": xcom.to_json_types(args.trigger_kwargs or {}),
        "local": False,
        "method": args.next_method,
        "method_kwargs": xcom.to_json_types(args.next_kwargs or {}),
        "timeout": args.timeout.total_seconds() if args.timeout is not None else None,
    }


def _edge_labels(task: AbstractOperator) -> dict[str, str]:
    infos = task.dag.edge_info.get(task.task_id, {}) if task.dag is not None else {}
    return {other: str(info["label"]) for other, info in sorted(infos.items()) if info.get("label")}


def _sensor(task: AbstractOperator) -> SensorSpec | None:
    if isinstance(task, MappedOperator):
        found: SensorSpec | None = task.operator_class.sensor_spec(task.partial_kwargs)
        return found
    return task.own_sensor_spec()


def _emails(email: Any) -> tuple[str, ...]:
    if not email:
        return ()
    if isinstance(email, str):
        return tuple(part.strip() for part in email.replace(";", ",").split(",") if part.strip())
    return tuple(str(part) for part in email)


def _dataset(item: Any) -> dict[str, Any]:
    if hasattr(item, "as_dict"):
        return dict(_json(item.as_dict()))
    return {"name": str(item)} if isinstance(item, str) else {"object": _json(item)}


def _task_extra(task: AbstractOperator) -> dict[str, Any]:
    """The template fields as they stand in the file, for the UI."""
    source: Any = task.partial_kwargs if isinstance(task, MappedOperator) else vars(task)
    shown = {name: _short(_json(source[name])) for name in task.template_fields if source.get(name) is not None}
    more = {"resources": task.resources, "run_as_user": task.run_as_user, "executor_config": task.executor_config}
    return shown | {name: _json(value) for name, value in more.items() if value}


def _short(value: Any) -> Any:
    return value if not isinstance(value, str) or len(value) <= _SHOWN else value[:_SHOWN] + "..."


# ---- mapping --------------------------------------------------------------------------------------------------------


def _expand(given: ExpandInput) -> ExpandSpec:
    if isinstance(given, DictOfListsExpandInput):
        return ExpandSpec(kind="product", inputs={name: _input(value) for name, value in given.value.items()})
    assert isinstance(given, ListOfDictsExpandInput)
    return ExpandSpec(kind="expand_kwargs", inputs={"kwargs": _input(given.value)})


def _input(value: Any) -> MapInput:
    if isinstance(value, PlainXComArg):
        return XComInput(task_id=value.operator.task_id, key=value.key)
    if isinstance(value, MapXComArg):
        return _input(value.arg)
    if isinstance(value, ZipXComArg):
        longest = not isinstance(value.fillvalue, ArgNotSet)
        return XComInput(transform="zip", longest=longest, parts=tuple(_input(arg) for arg in value.args))
    if isinstance(value, ConcatXComArg):
        return XComInput(transform="concat", parts=tuple(_input(arg) for arg in value.args))
    return LiteralInput(length=len(value))


def _mapped_over(dag: DAG) -> frozenset[str]:
    """Ids of the tasks whose output decides how many copies others have."""
    inputs = [
        node.expand_input
        for node in [*dag.tasks, *dag.task_group_dict.values()]
        if isinstance(node, MappedOperator | MappedTaskGroup)
    ]
    return frozenset(task.task_id for given in inputs for task, _ in given.iter_references())


def _group(group: TaskGroup) -> TaskGroupSpec:
    return TaskGroupSpec(
        group_id=group.node_id,
        label=group.group_display_name or group.label or "",
        parent=group.parent_group.group_id if group.parent_group is not None else None,
        tooltip=group.tooltip,
        ui_color=group.ui_color,
        ui_fgcolor=group.ui_fgcolor,
        prefix_group_id=group.prefix_group_id,
        expand=_expand(group.expand_input) if isinstance(group, MappedTaskGroup) else None,
        children=tuple(child.node_id for child in group.children.values()),
        upstream_task_ids=_sorted(group.upstream_task_ids),
        downstream_task_ids=_sorted(group.downstream_task_ids),
        upstream_group_ids=_sorted(group.upstream_group_ids),
        downstream_group_ids=_sorted(group.downstream_group_ids),
    )


def _sorted(ids: set[Any]) -> tuple[str, ...]:
    return tuple(sorted(i for i in ids if i is not None))


# ---- values ---------------------------------------------------------------------------------------------------------


def _first_start(dag: DAG) -> datetime | None:
    """When the first run may be: the DAG's start date or, if none, the earliest of its tasks (from default_args)."""
    starts = [task.start_date for task in dag.tasks if task.start_date is not None]
    default: datetime | None = dag.default_args.get("start_date")
    return dag.start_date or min(starts, default=default)


def _last_end(dag: DAG) -> datetime | None:
    if dag.end_date is not None:
        return dag.end_date
    ends = [task.end_date for task in dag.tasks]
    known = [end for end in ends if end is not None]
    return max(known) if known and len(known) == len(ends) else None


def _schedule_text(schedule: Any) -> str:
    return "None" if schedule is None else str(schedule)


def _dataset_expression(dag: DAG) -> Any:
    condition = dag.timetable.dataset_condition
    return None if condition is None else dataset_expression(condition)


def _dag_extra(dag: DAG) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if dag.default_view != "grid":
        extra["default_view"] = dag.default_view
    if dag.orientation != "LR":
        extra["orientation"] = dag.orientation
    labels = {
        before: {after: info["label"] for after, info in sorted(infos.items()) if info.get("label")}
        for before, infos in sorted(dag.edge_info.items())
        if before not in dag.task_dict
    }
    if labels:
        extra["group_edge_labels"] = labels
    return extra


def _params(params: ParamsDict) -> dict[str, ParamSpec]:
    return {
        name: ParamSpec(
            value=_json(param.value) if param.has_value else None,
            has_value=param.has_value,
            schema=_json(param.schema),
            description=param.description,
        )
        for name, param in params.items_as_params().items()
    }


def _param_values(params: Any) -> dict[str, Any]:
    if not isinstance(params, ParamsDict):
        return dict(_json(params or {}))
    return {name: _json(param.value) for name, param in params.items_as_params().items() if param.has_value}


def _utc(moment: Any) -> datetime | None:
    """A plain datetime in UTC, which is what msgpack and the store know."""
    if moment is None:
        return None
    at = timezone.convert_to_utc(moment)
    return datetime(at.year, at.month, at.day, at.hour, at.minute, at.second, at.microsecond, tzinfo=UTC)


def _json(value: Any) -> Any:
    """The value in JSON types, deterministically: what has no such form is shown as text."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((_json(item) for item in value), key=repr)
    return _text(value)


def _text(value: Any) -> str:
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, timedelta | XComArg):
        return str(value)
    name = getattr(value, "__qualname__", None)
    if callable(value) and name:
        return f"<callable {name}>"
    with contextlib.suppress(Exception):
        text = repr(value)
        if " at 0x" not in text:
            return text
    return f"<{type(value).__module__}.{type(value).__qualname__}>"
