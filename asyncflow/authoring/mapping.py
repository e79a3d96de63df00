"""Dynamic task mapping: `.partial().expand()`, the placeholder that stands for the copies, and mapped task groups.

A MappedOperator is what the DAG holds. In the task process `unmap()` makes the real operator of one copy: the partial
arguments plus the element of each mapped argument that the copy's map_index selects. As in Airflow 2.11.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from asyncflow.authoring import timezone
from asyncflow.authoring.abstractoperator import AbstractOperator
from asyncflow.authoring.checks import unknown_keywords, validate_key
from asyncflow.authoring.current import DagContext, TaskGroupContext
from asyncflow.authoring.defaults import (
    TASK_KEYWORDS,
    check_pool,
    merged_defaults,
    task_defaults,
    to_retries,
    to_timedelta,
    to_trigger_rule,
)
from asyncflow.authoring.exceptions import UnmappableOperator
from asyncflow.authoring.expand import (
    DictOfListsExpandInput,
    ExpandInput,
    ListOfDictsExpandInput,
    check_distinct,
    check_list_of_dicts,
    check_return_values,
    is_mappable,
)
from asyncflow.authoring.params import ParamsDict
from asyncflow.authoring.setup_teardown import note_task
from asyncflow.authoring.source import caller, located
from asyncflow.authoring.taskgroup import TaskGroup
from asyncflow.authoring.weights import check_weight_rule
from asyncflow.authoring.xcom_arg import XComArg
from asyncflow.core.states import TriggerRule
from asyncflow.errors import InvalidDag

if TYPE_CHECKING:
    from asyncflow.authoring.baseoperator import BaseOperator

#: arguments of a task that say how it is scheduled: the same for all copies
NOT_MAPPABLE = TASK_KEYWORDS - {"params", "inlets", "outlets", "executor_config", "multiple_outputs", "resources"}


# ---- operators ------------------------------------------------------------------------------------------------------


def partial(operator_class: type[BaseOperator], /, *, task_id: str, **kwargs: Any) -> OperatorPartial:
    """`Operator.partial(task_id=..., ...)`: arguments that are the same for all copies."""
    dag = kwargs.get("dag") or DagContext.get_current_dag()
    group = kwargs.get("task_group") or TaskGroupContext.get_current_task_group(dag)
    kwargs = {"dag": dag, "task_group": group, **kwargs}
    return OperatorPartial(operator_class, {"task_id": task_id, **kwargs})


class OperatorPartial:
    """Between `.partial()` and `.expand()`."""

    def __init__(self, operator_class: type[BaseOperator], kwargs: dict[str, Any]) -> None:
        if getattr(operator_class, "unmappable", False):
            raise UnmappableOperator(f"{operator_class.__name__} cannot be mapped.")
        self.operator_class = operator_class
        self.kwargs = kwargs
        _check_names(operator_class, "partial", kwargs)
        self._expanded = False

    def __repr__(self) -> str:
        args = ", ".join(f"{name}={value!r}" for name, value in self.kwargs.items())
        return f"{self.operator_class.__name__}.partial({args})"

    def __del__(self) -> None:
        if not getattr(self, "_expanded", True):
            warnings.warn(f"Task {self.kwargs.get('task_id')!r} was never mapped!", UserWarning, stacklevel=1)

    def expand(self, **mapped_kwargs: Any) -> MappedOperator:
        """One copy for each combination of elements of the lists, dicts and outputs given."""
        self._expanded = True
        if not mapped_kwargs:
            raise TypeError("no arguments to expand against")
        _check_names(self.operator_class, "expand", mapped_kwargs)
        for name, value in mapped_kwargs.items():
            if not is_mappable(value):
                raise ValueError(
                    f"{self.operator_class.__name__}.expand() got an unexpected type {type(value).__name__!r} for "
                    f"keyword argument {name}"
                )
        check_distinct(self.kwargs, mapped_kwargs, "unmappable or already specified")
        return self._expand(DictOfListsExpandInput(mapped_kwargs), strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> MappedOperator:
        """One copy for each dict of arguments in a list, or in an output that will be one."""
        self._expanded = True
        check_list_of_dicts(kwargs)
        return self._expand(ListOfDictsExpandInput(kwargs), strict=strict)

    def _expand(self, expand_input: ExpandInput, *, strict: bool) -> MappedOperator:
        check_return_values(expand_input)
        return MappedOperator(
            operator_class=self.operator_class, expand_input=expand_input, kwargs=self.kwargs, strict=strict
        )


def _check_names(operator_class: type[BaseOperator], verb: str, given: Mapping[str, Any]) -> None:
    from asyncflow.authoring.baseoperator import known_keywords

    known = known_keywords(operator_class)
    if unknown := sorted(given.keys() - known):
        raise unknown_keywords(f"{operator_class.__name__}.{verb}()", unknown, known)
    if verb == "expand" and (fixed := sorted(given.keys() & NOT_MAPPABLE)):
        raise TypeError(
            f"{operator_class.__name__}.expand(): {', '.join(fixed)} cannot be mapped; it is the same for all copies. "
            "Give it to partial()."
        )


class MappedOperator(AbstractOperator):
    """Stands in the DAG for all copies of a mapped task."""

    is_mapped: ClassVar[bool] = True

    def __init__(
        self,
        *,
        operator_class: type[BaseOperator],
        expand_input: ExpandInput,
        kwargs: Mapping[str, Any],
        strict: bool,
    ) -> None:
        """`kwargs` are the partial ones, with task_id, dag and task_group; `strict`: a copy may not override them."""
        self.created_at = caller()
        self.operator_class = operator_class
        self.expand_input = expand_input
        self.strict = strict
        self.upstream_task_ids = set()
        self.downstream_task_ids = set()
        try:
            self._fill(dict(kwargs))
        except InvalidDag as error:
            raise located(error, self.created_at) from None

    def _fill(self, kwargs: dict[str, Any]) -> None:
        dag, group = kwargs.pop("dag"), kwargs.pop("task_group")
        task_id = kwargs.pop("task_id")
        own_defaults, params = merged_defaults(dag, group, kwargs.pop("params", None), kwargs.pop("default_args", None))
        from asyncflow.authoring.baseoperator import known_keywords

        known = known_keywords(self.operator_class)
        mapped_names = self.mapped_names()
        filled = {name: value for name, value in own_defaults.items() if name in known and name not in mapped_names}
        self.partial_kwargs = {**filled, **kwargs}
        self.params = params
        self.task_id = group.child_id(task_id) if group is not None else task_id
        validate_key(self.task_id, "task_id")
        self._set_attributes(task_id)
        if group is not None:
            group.add(self)
        if dag is not None:
            dag.add_task(self)
        for task, _ in [*self.expand_input.iter_references(), *XComArg.iter_xcom_references(self._template_values())]:
            self.set_upstream(task)
        note_task(self)

    def mapped_names(self) -> set[str]:
        """Arguments of the operator that differ between copies."""
        value = getattr(self.expand_input, "value", None)
        return set(value) if isinstance(value, dict) else set()

    def _template_values(self) -> list[Any]:
        return [
            self.partial_kwargs[name] for name in self.operator_class.template_fields if name in self.partial_kwargs
        ]

    def _set_attributes(self, task_id: str) -> None:
        """The scheduling arguments, as attributes of the same names that plain operators have."""
        values = task_defaults() | {
            k: v for k, v in self.partial_kwargs.items() if k in TASK_KEYWORDS and v is not None
        }
        for name in TASK_KEYWORDS - {"dag", "task_group", "params", "default_args", "task_id"}:
            if not hasattr(type(self), name):
                setattr(self, name, values.get(name))
        self.start_date = timezone.convert_to_utc(values.get("start_date"))
        self.end_date = timezone.convert_to_utc(values.get("end_date"))
        self.retries = to_retries(values["retries"])
        self.retry_delay = to_timedelta(values["retry_delay"], "retry_delay")
        longest = values.get("max_retry_delay")
        self.max_retry_delay = None if longest is None else to_timedelta(longest, "max_retry_delay")
        self.pool = check_pool(values["pool"], values["pool_slots"], task_id)
        self.trigger_rule = to_trigger_rule(values["trigger_rule"], task_id)
        self.weight_rule = check_weight_rule(values["weight_rule"], task_id)
        self.executor_config = dict(values.get("executor_config") or {})
        self.depends_on_past = bool(values["depends_on_past"] or values["wait_for_downstream"])
        display_name = values.get("task_display_name")
        self._task_display_name = display_name if display_name != task_id else None
        for name in ("inlets", "outlets"):
            given = values.get(name)
            setattr(self, name, [] if given is None else given if isinstance(given, list) else [given])
        for name in ("template_fields", "template_ext", "ui_color", "ui_fgcolor", "operator_extra_links"):
            setattr(self, name, getattr(self.operator_class, name))
        self.inherits_from_empty_operator = self.operator_class.inherits_from_empty_operator
        if self.trigger_rule is TriggerRule.ALWAYS and any(True for _ in self.expand_input.iter_references()):
            raise ValueError(
                f"Task {task_id!r}: a task mapped over the output of another cannot have the trigger rule 'always'."
            )

    @property
    def task_type(self) -> str:
        return str(self.operator_class.__name__)

    @property
    def task_module(self) -> str:
        return str(self.operator_class.__module__)

    @property
    def operator_name(self) -> str:
        return str(getattr(self.operator_class, "custom_operator_name", None) or self.task_type)

    def __repr__(self) -> str:
        return f"<Mapped({self.task_type}): {self.task_id}>"

    # ---- in the task process --------------------------------------------------------------------------------------

    def prepare_for_execution(self) -> MappedOperator:
        """Itself: the operator that runs is made by `unmap`."""
        return self

    def resolve_expand(self, context: Mapping[str, Any]) -> tuple[dict[str, Any], set[int]]:
        """The mapped arguments of the copy that `context` is of, and the ids of values that are no templates."""
        return self.expand_input.resolve(context)

    def unmap(self, resolve: Any) -> BaseOperator:
        """The real operator of one copy; `resolve` is its mapped arguments, or its context."""
        mapped = self.resolve_expand(resolve)[0] if "ti" in resolve else dict(resolve)
        made: BaseOperator = self.operator_class(**self.unmap_kwargs(mapped), _airflow_from_mapped=True)
        made.task_id = self.task_id
        made._is_setup = self._is_setup
        made._is_teardown = self._is_teardown
        made.on_failure_fail_dagrun = self.on_failure_fail_dagrun
        made.trigger_rule = self.trigger_rule
        made.upstream_task_ids = self.upstream_task_ids
        made.downstream_task_ids = self.downstream_task_ids
        made.created_at = self.created_at
        return made

    def unmap_kwargs(self, mapped: dict[str, Any]) -> dict[str, Any]:
        """All arguments of the operator of one copy. Raises TypeError if a copy overrides partial ones."""
        if self.strict:
            check_distinct(self.partial_kwargs, mapped, "unmappable or already specified")
        params = ParamsDict(self.params)
        params.update(mapped.get("params") or {})
        return {
            "task_id": self.local_id,
            "dag": self.dag,
            "task_group": self.task_group,
            **self.partial_kwargs,
            **mapped,
            "params": params,
        }

    def unmap_for(self, context: Mapping[str, Any]) -> BaseOperator:
        """The real operator of the copy that `context` is of; values of other tasks in it are not rendered again."""
        mapped, values = self.resolve_expand(context)
        made = self.unmap(mapped)
        made._resolved_ids = frozenset(values)
        return made


# ---- task groups ----------------------------------------------------------------------------------------------------


class MappedTaskGroup(TaskGroup):
    """A task group of which there are several copies; made by `.expand()` of a `@task_group` function."""

    def __init__(self, *, expand_input: ExpandInput, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.expand_input = expand_input

    def __iter__(self) -> Iterator[AbstractOperator]:
        for task in super().__iter__():
            if task.trigger_rule is TriggerRule.ALWAYS:
                raise ValueError(
                    f"Task {task.task_id!r}: in a mapped task group the trigger rule 'always' is not allowed."
                )
            yield task

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        if kind is None:
            for task, _ in self.expand_input.iter_references():
                self.set_upstream(task)
        super().__exit__(kind, value, traceback)
