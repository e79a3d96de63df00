"""BaseOperator: a task as a DAG file writes it, and the base of all operators.

The metaclass fills arguments of every `__init__` in a hierarchy from `default_args` (DAG, task group, own), refuses
unknown ones with a sentence, and, when the whole object stands, turns outputs of other tasks found in its template
fields into edges.
"""

from __future__ import annotations

import copy
import functools
import inspect
import logging
from abc import ABCMeta
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Unpack

from asyncflow.authoring import timezone
from asyncflow.authoring.abstractoperator import AbstractOperator
from asyncflow.authoring.checks import check_types, unknown_keywords, validate_key
from asyncflow.authoring.current import DagContext, TaskGroupContext
from asyncflow.authoring.defaults import (
    EXPECTED_TYPES,
    TASK_KEYWORDS,
    MergedDefaults,
    TaskArguments,
    check_pool,
    merged_defaults,
    task_defaults,
    to_retries,
    to_timedelta,
    to_trigger_rule,
)
from asyncflow.authoring.edges import chain, chain_linear, cross_downstream
from asyncflow.authoring.exceptions import (
    FailStopDagInvalidTriggerRule,
    TaskDeferralError,
    TaskDeferralTimeout,
    TaskDeferred,
)
from asyncflow.authoring.params import ParamsDict
from asyncflow.authoring.source import caller, located
from asyncflow.authoring.templates import Templater
from asyncflow.authoring.weights import check_weight_rule
from asyncflow.core.deferral import TIMEOUT
from asyncflow.core.states import TriggerRule
from asyncflow.errors import InvalidDag

if TYPE_CHECKING:
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.mapping import OperatorPartial
    from asyncflow.authoring.taskgroup import TaskGroup

__all__ = ["BaseOperator", "BaseOperatorMeta", "chain", "chain_linear", "cross_downstream"]

#: keywords stored under their own name, with no check but that of the type
_PLAIN = (
    "owner",
    "email",
    "email_on_retry",
    "email_on_failure",
    "retry_exponential_backoff",
    "retry_policy",
    "execution_timeout",
    "on_execute_callback",
    "on_failure_callback",
    "on_success_callback",
    "on_retry_callback",
    "on_skipped_callback",
    "executor",
    "run_as_user",
    "queue",
    "pool_slots",
    "sla",
    "depends_on_past",
    "ignore_first_depends_on_past",
    "wait_for_past_depends_before_skipping",
    "wait_for_downstream",
    "priority_weight",
    "resources",
    "max_active_tis_per_dag",
    "max_active_tis_per_dagrun",
    "do_xcom_push",
    "map_index_template",
    "multiple_outputs",
    "doc",
    "doc_md",
    "doc_json",
    "doc_yaml",
    "doc_rst",
    "allow_nested_operators",
)
_FAIL_STOP_RULES = (TriggerRule.ALL_SUCCESS, TriggerRule.ALL_DONE_SETUP_SUCCESS)


class BaseOperatorMeta(ABCMeta):
    """Wraps each `__init__` that an operator class defines; see the module."""

    def __new__(mcs, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> BaseOperatorMeta:
        if "__init__" in namespace:
            namespace["__init__"] = _filling_in(namespace["__init__"])
        return super().__new__(mcs, name, bases, namespace, **kwargs)

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        task: Any = cls.__new__(cls)  # type: ignore[call-arg,arg-type]
        task._from_mapped = kwargs.pop("_airflow_from_mapped", False)
        task.created_at = caller()
        try:
            task.__init__(*args, **kwargs)
        except InvalidDag as error:
            raise located(error, task.created_at) from None
        if not task._from_mapped:
            task.set_xcomargs_dependencies()
        task._instantiated = True
        return task


class _Accepted:
    """What an `__init__` takes: all names, those without default, and whether any other name is taken too."""

    def __init__(self, init: Callable[..., None]) -> None:
        parameters = list(inspect.signature(init).parameters.values())[1:]
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        self.names = {p.name for p in named}
        self.required = {p.name for p in named if p.default is p.empty} - {"task_id"}
        self.anything = any(p.kind is p.VAR_KEYWORD for p in parameters)


def _filling_in(init: Callable[..., None]) -> Callable[..., None]:
    accepted = _Accepted(init)
    if init.__module__ == __name__:
        accepted.names = set(TASK_KEYWORDS)

    @functools.wraps(init)
    def __init__(self: BaseOperator, *args: Any, **kwargs: Any) -> None:
        who = f"{type(self).__name__} (task_id {kwargs.get('task_id')!r})"
        if args:
            raise TypeError(f"{who} takes keyword arguments only; it was given {args!r:.80}.")
        defaults = _merge_defaults(kwargs)
        for name in accepted.names:
            if name not in kwargs and name in defaults:
                kwargs[name] = defaults[name]
        hook = getattr(self, "_hook_apply_defaults", None)
        if hook is not None:
            _, kwargs = hook(**kwargs, default_args=defaults)
            defaults = kwargs.pop("default_args", defaults)
        missing = sorted(accepted.required - kwargs.keys())
        if missing:
            raise TypeError(f"{who} is missing the argument {', '.join(repr(name) for name in missing)}.")
        if not accepted.anything and (unknown := kwargs.keys() - accepted.names):
            raise unknown_keywords(who, sorted(unknown), known_keywords(type(self)))
        if accepted.anything or "default_args" in accepted.names:
            kwargs["default_args"] = defaults
        init(self, **kwargs)

    __init__.accepted = accepted  # type: ignore[attr-defined]
    return __init__


def _merge_defaults(kwargs: dict[str, Any]) -> MergedDefaults:
    """The default_args that apply; they and `params` in `kwargs` are complete from then on."""
    own = kwargs.pop("default_args", None)
    if isinstance(own, MergedDefaults):
        return own
    dag = kwargs.get("dag") or DagContext.get_current_dag()
    group = kwargs.get("task_group") or (TaskGroupContext.get_current_task_group(dag) if dag else None)
    defaults, params = merged_defaults(dag, group, kwargs.pop("params", None), own)
    if params:
        kwargs["params"] = params
    return defaults


def known_keywords(operator_class: type) -> set[str]:
    """All keywords that the `__init__`s of an operator class take."""
    known = set(TASK_KEYWORDS)
    for base in operator_class.__mro__:
        accepted = getattr(vars(base).get("__init__"), "accepted", None)
        if accepted is not None:
            known |= accepted.names
            if not accepted.anything:
                return known
    return known


class _PartialDescriptor:
    """`Operator.partial(...)` on the class; on an instance there is none."""

    def __get__(self, instance: Any, owner: type[BaseOperator]) -> Callable[..., OperatorPartial]:
        from asyncflow.authoring.mapping import partial

        return functools.partial(partial, owner)


class BaseOperator(AbstractOperator, metaclass=BaseOperatorMeta):
    """One task. Subclasses define `execute(context)`."""

    partial: ClassVar[_PartialDescriptor] = _PartialDescriptor()
    #: names of attributes kept out of pickles and comparisons; looked at by some providers
    start_trigger_args: Any = None
    start_from_trigger: bool = False
    _from_mapped: bool = False
    _instantiated: bool = False
    _resolved_ids: frozenset[int] = frozenset()
    _dag: DAG | None = None
    _pre_execute_hook: Any = None
    _post_execute_hook: Any = None

    def __init__(self, *, task_id: str, **kwargs: Unpack[TaskArguments]) -> None:
        """All keywords: `defaults.TaskArguments`. Raises TypeError or InvalidDag with a sentence."""
        given = {name: value for name, value in kwargs.items() if value is not None}
        if unknown := given.keys() - TASK_KEYWORDS:
            raise unknown_keywords(
                f"{type(self).__name__} (task_id {task_id!r})", sorted(unknown), known_keywords(type(self))
            )
        check_types(given, EXPECTED_TYPES, f"Task {task_id!r}")
        values = task_defaults() | given
        dag = values.get("dag") or DagContext.get_current_dag()
        group = values.get("task_group") or TaskGroupContext.get_current_task_group(dag)
        self.task_id = group.child_id(task_id) if group is not None else task_id
        validate_key(self.task_id, "task_id")
        self._set_plain(values)
        self._set_checked(values)
        display_name = values.get("task_display_name")
        self._task_display_name = display_name if display_name != task_id else None
        self._logger_name = values.get("logger_name")
        self._join(dag, group)

    def _set_plain(self, values: dict[str, Any]) -> None:
        for name in _PLAIN:
            setattr(self, name, values.get(name))
        self.executor_config = dict(values.get("executor_config") or {})
        self.start_date = _moment(values.get("start_date"), "start_date", self.task_id)
        self.end_date = _moment(values.get("end_date"), "end_date", self.task_id)
        self.params = ParamsDict(values.get("params"))
        self.inlets = _as_list(values.get("inlets"))
        self.outlets = _as_list(values.get("outlets"))
        self._pre_execute_hook = values.get("pre_execute")
        self._post_execute_hook = values.get("post_execute")
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        if isinstance(self.template_fields, str):
            self.template_fields = (self.template_fields,)

    def _set_checked(self, values: dict[str, Any]) -> None:
        self.retries = to_retries(values["retries"])
        self.retry_delay = to_timedelta(values["retry_delay"], "retry_delay")
        longest = values.get("max_retry_delay")
        self.max_retry_delay = None if longest is None else to_timedelta(longest, "max_retry_delay")
        self.pool = check_pool(values["pool"], values["pool_slots"], self.task_id)
        self.trigger_rule = to_trigger_rule(values["trigger_rule"], self.task_id)
        self.weight_rule = check_weight_rule(values["weight_rule"], self.task_id)
        if self.wait_for_downstream:
            self.depends_on_past = True
        if not self.max_active_tis_per_dag:
            self.max_active_tis_per_dag = values.get("task_concurrency")

    def _join(self, dag: DAG | None, group: TaskGroup | None) -> None:
        from asyncflow.authoring.setup_teardown import note_task

        if group is not None and not self._from_mapped:
            group.add(self)
        if dag is not None:
            check_fail_stop(dag, self)
            self.dag = dag
        if not self._from_mapped:
            note_task(self)

    # ---- place in the DAG -----------------------------------------------------------------------------------------

    @property
    def dag(self) -> DAG | None:
        """Its DAG, None while it has none."""
        return self._dag

    @dag.setter
    def dag(self, dag: DAG | None) -> None:
        if dag is None:
            self._dag = None
            return
        if self._dag is not None and self._dag is not dag:
            raise InvalidDag(f"Task {self.task_id!r} is in DAG {self._dag.dag_id!r} already; it cannot be in two.")
        self._dag = dag
        if not self._from_mapped and dag.task_dict.get(self.task_id) is not self:
            self._dag = None
            dag.add_task(self)
            self._dag = dag

    def set_xcomargs_dependencies(self) -> None:
        """Make edges of the outputs of other tasks that its template fields refer to."""
        from asyncflow.authoring.xcom_arg import XComArg

        for name in self.template_fields:
            if hasattr(self, name):
                XComArg.apply_upstream_relationship(self, getattr(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if self._instantiated and not self._from_mapped and name in self.template_fields and self._dag is not None:
            from asyncflow.authoring.xcom_arg import XComArg

            XComArg.apply_upstream_relationship(self, value)

    def __lt__(self, other: Any) -> bool:
        return self.task_id < other.task_id if isinstance(other, AbstractOperator) else NotImplemented

    def __repr__(self) -> str:
        return f"<Task({self.task_type}): {self.task_id}>"

    # ---- running --------------------------------------------------------------------------------------------------

    @property
    def log(self) -> logging.Logger:
        """The logger for `execute`."""
        return logging.getLogger(self._logger_name or f"airflow.task.operators.{type(self).__module__}")

    def pre_execute(self, context: Any) -> None:
        """Called right before `execute`; runs the `pre_execute` argument."""
        if self._pre_execute_hook is not None:
            self._pre_execute_hook(context)

    def execute(self, context: Any) -> Any:
        """Do the work; what it returns becomes the task's XCom. Subclasses define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define execute().")

    def post_execute(self, context: Any, result: Any = None) -> None:
        """Called right after `execute`; runs the `post_execute` argument."""
        if self._post_execute_hook is not None:
            self._post_execute_hook(context, result)

    def run(
        self,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        ignore_first_depends_on_past: bool = True,
        ignore_ti_state: bool = False,
        mark_success: bool = False,
        test_mode: bool = False,
        **_: Any,
    ) -> None:
        """Run the task here, once for each run of its DAG between two dates; for tests of it. Raises what it raises."""
        from asyncflow.authoring.localruns import run_task

        flags = {"ignore_ti_state": ignore_ti_state, "mark_success": mark_success, "test_mode": test_mode}
        run_task(self, start_date, end_date, **flags)

    def on_kill(self) -> None:
        """Clean up when the task is ended from outside; subclasses that start things define it."""

    def defer(
        self, *, trigger: Any, method_name: str, kwargs: dict[str, Any] | None = None, timeout: Any = None
    ) -> NoReturn:
        """Leave the process and wait for `trigger`; `method_name` is called when it has fired."""
        raise TaskDeferred(trigger=trigger, method_name=method_name, kwargs=kwargs, timeout=timeout)

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Any) -> Any:
        """Go on after a deferral: `next_method(context, **next_kwargs)`. "__fail__": the trigger has failed."""
        if next_method == "__fail__":
            found = next_kwargs or {}
            if found.get("traceback"):
                self.log.error("Trigger failed:\n%s", found["traceback"])
            error = str(found.get("error", "Unknown"))
            raise (TaskDeferralTimeout if error == TIMEOUT else TaskDeferralError)(error)
        return getattr(self, next_method)(context, **(next_kwargs or {}))

    def prepare_for_execution(self) -> BaseOperator:
        """A copy whose template fields may be rendered in place."""
        task = copy.copy(self)
        task.__dict__["_from_mapped"] = True
        if type(task).prepare_template is not Templater.prepare_template:
            task.resolve_template_files()
        return task

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render all template fields in place, but for values that came from other tasks by mapping."""
        env = jinja_env or self.get_template_env()
        self._do_render_template_fields(self, self.template_fields, context, env, set(self._resolved_ids))

    def unmap(self, resolve: Any) -> BaseOperator:
        return self

    def dry_run(self) -> None:
        """Log the template fields as they are."""
        for name in self.template_fields:
            self.log.info("%s:\n%s", name, getattr(self, name))

    @staticmethod
    def xcom_push(context: Any, key: str, value: Any, execution_date: datetime | None = None) -> None:
        """Push an XCom of the running task."""
        context["ti"].xcom_push(key=key, value=value)

    @staticmethod
    def xcom_pull(
        context: Any,
        task_ids: str | list[str] | None = None,
        dag_id: str | None = None,
        key: str = "return_value",
        include_prior_dates: bool | None = None,
        **_: Any,
    ) -> Any:
        """Pull XComs, as `ti.xcom_pull`."""
        return context["ti"].xcom_pull(
            key=key, task_ids=task_ids, dag_id=dag_id, include_prior_dates=bool(include_prior_dates)
        )

    def add_inlets(self, inlets: Iterable[Any]) -> None:
        """Say what more it reads."""
        self.inlets.extend(inlets)

    def add_outlets(self, outlets: Iterable[Any]) -> None:
        """Say what more it writes."""
        self.outlets.extend(outlets)

    def get_inlet_defs(self) -> Sequence[Any]:
        """What it reads."""
        return self.inlets

    def get_outlet_defs(self) -> Sequence[Any]:
        """What it writes."""
        return self.outlets


def check_fail_stop(dag: DAG, task: AbstractOperator) -> None:
    """In a DAG with fail_stop every task waits for success. Raises FailStopDagInvalidTriggerRule."""
    if dag.fail_stop and task.trigger_rule not in _FAIL_STOP_RULES:
        raise FailStopDagInvalidTriggerRule(
            f"Task {task.task_id!r} has the trigger rule {task.trigger_rule.value!r}; in a DAG with fail_stop only "
            f"{TriggerRule.ALL_SUCCESS.value!r} is allowed."
        )


def _moment(value: Any, name: str, task_id: str) -> datetime | None:
    if value is None:
        return None
    if not isinstance(value, datetime):
        raise TypeError(f"Task {task_id!r}: {name} must be a datetime, not {type(value).__name__} ({value!r}).")
    return timezone.convert_to_utc(value)


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
