"""What plain and mapped operators have in common: relatives, setup and teardown, priority, templates."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from asyncflow.authoring.edges import DAGNode, DependencyMixin
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.templates import Templater
from asyncflow.authoring.types import NOTSET, ArgNotSet
from asyncflow.core.specs import SensorSpec
from asyncflow.core.states import TriggerRule

if TYPE_CHECKING:
    from asyncflow.authoring.baseoperator import BaseOperator
    from asyncflow.authoring.dag import DAG
    from asyncflow.authoring.mapping import MappedOperator, MappedTaskGroup
    from asyncflow.authoring.setup_teardown import SetupTeardownContext
    from asyncflow.authoring.xcom_arg import XComArg


class AbstractOperator(Templater, DAGNode):
    """A task of a DAG, mapped or not. Class attributes are those that subclasses set."""

    operator_class: Any
    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()
    template_fields_renderers: ClassVar[dict[str, str]] = {}
    ui_color: str = "#fff"
    ui_fgcolor: str = "#000"
    operator_extra_links: Sequence[Any] = ()
    shallow_copy_attrs: Sequence[str] = ()
    supports_lineage: bool = False
    is_mapped: ClassVar[bool] = False
    #: set by EmptyOperator: there is nothing to run
    inherits_from_empty_operator: bool = False

    task_id: str
    owner: str
    email: Any
    email_on_retry: bool
    email_on_failure: bool
    retries: int
    retry_delay: timedelta
    retry_exponential_backoff: bool | float
    max_retry_delay: timedelta | None
    start_date: datetime | None = None
    end_date: datetime | None = None
    depends_on_past: bool
    ignore_first_depends_on_past: bool
    wait_for_past_depends_before_skipping: bool
    wait_for_downstream: bool
    params: Any
    priority_weight: int
    weight_rule: Any
    queue: str
    pool: str
    pool_slots: int
    sla: timedelta | None
    execution_timeout: timedelta | None
    on_execute_callback: Any
    on_failure_callback: Any
    on_success_callback: Any
    on_retry_callback: Any
    on_skipped_callback: Any
    trigger_rule: TriggerRule
    resources: Any
    run_as_user: str | None
    map_index_template: str | None
    max_active_tis_per_dag: int | None
    max_active_tis_per_dagrun: int | None
    executor: str | None
    executor_config: dict[str, Any]
    do_xcom_push: bool
    multiple_outputs: bool
    inlets: list[Any]
    outlets: list[Any]
    doc: str | None
    doc_md: str | None
    doc_json: str | None
    doc_yaml: str | None
    doc_rst: str | None
    allow_nested_operators: bool

    on_failure_fail_dagrun: bool = False
    _is_setup: bool = False
    _is_teardown: bool = False
    _task_display_name: str | None = None

    @property
    def node_id(self) -> str:
        return self.task_id

    @property
    def task_display_name(self) -> str:
        """The name to show: the one given, else the id."""
        return self._task_display_name or self.task_id

    @property
    def label(self) -> str | None:
        return self._task_display_name or self.local_id

    @property
    def task_type(self) -> str:
        """Name of the operator class."""
        return type(self).__name__

    @property
    def operator_name(self) -> str:
        """The name the UI shows for the kind of operator."""
        return str(getattr(type(self), "custom_operator_name", None) or self.task_type)

    @property
    def task_module(self) -> str:
        """Module of the operator class."""
        return type(self).__module__

    @property
    def roots(self) -> Sequence[DAGNode]:
        return [self]

    @property
    def leaves(self) -> Sequence[DAGNode]:
        return [self]

    @property
    def output(self) -> XComArg:
        """A reference to what this task will return."""
        from asyncflow.authoring.xcom_arg import PlainXComArg

        return PlainXComArg(self)

    def get_dag(self) -> DAG | None:
        """Its DAG, None while it has none."""
        return self.dag

    # ---- setup and teardown ------------------------------------------------------------------------------------

    @property
    def is_setup(self) -> bool:
        """Is it a setup task?"""
        return self._is_setup

    @is_setup.setter
    def is_setup(self, value: bool) -> None:
        if value and self._is_teardown:
            raise ValueError(f"Cannot mark task '{self.task_id}' as setup; task is already a teardown.")
        self._is_setup = value

    @property
    def is_teardown(self) -> bool:
        """Is it a teardown task?"""
        return self._is_teardown

    @is_teardown.setter
    def is_teardown(self, value: bool) -> None:
        if value and self._is_setup:
            raise ValueError(f"Cannot mark task '{self.task_id}' as teardown; task is already a setup.")
        self._is_teardown = value

    def as_setup(self) -> AbstractOperator:
        self.is_setup = True
        return self

    def as_teardown(self, *, setups: Any = NOTSET, on_failure_fail_dagrun: Any = NOTSET) -> AbstractOperator:
        self.is_teardown = True
        self.trigger_rule = TriggerRule.ALL_DONE_SETUP_SUCCESS
        if not isinstance(on_failure_fail_dagrun, ArgNotSet):
            self.on_failure_fail_dagrun = bool(on_failure_fail_dagrun)
        if not isinstance(setups, ArgNotSet):
            for setup in [setups] if isinstance(setups, DependencyMixin) else setups or ():
                setup.as_setup()
                setup.set_downstream(self)
        return self

    def __enter__(self) -> type[SetupTeardownContext]:
        from asyncflow.authoring.setup_teardown import SetupTeardownContext, open_block

        open_block([self])
        return SetupTeardownContext

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        from asyncflow.authoring.setup_teardown import close_block

        close_block(failed=kind is not None)

    # ---- relatives ------------------------------------------------------------------------------------------------

    def get_flat_relative_ids(self, upstream: bool = False) -> set[str]:
        """Ids of all tasks up- or downstream, near and far."""
        if self.dag is None:
            return set()
        found: set[str] = set()
        waiting = list(self.get_direct_relative_ids(upstream))
        while waiting:
            task_id = waiting.pop()
            if task_id not in found:
                found.add(task_id)
                waiting.extend(self.dag.task_dict[task_id].get_direct_relative_ids(upstream))
        return found

    def get_flat_relatives(self, upstream: bool = False) -> list[AbstractOperator]:
        """All tasks up- or downstream, near and far."""
        return [] if self.dag is None else [self.dag.task_dict[i] for i in self.get_flat_relative_ids(upstream)]

    def get_upstreams_follow_setups(self) -> Iterable[AbstractOperator]:
        """All tasks upstream, and the teardowns of the setups among them."""
        for task in self.get_flat_relatives(upstream=True):
            yield task
            if task.is_setup:
                yield from (down for down in task.downstream_list if down.is_teardown and down is not self)

    def get_upstreams_only_setups_and_teardowns(self) -> Iterable[AbstractOperator]:
        """The setups upstream that this task lies within the scope of, and their teardowns."""
        teardowns = {task.task_id for task in self.get_flat_relatives(upstream=False) if task.is_teardown}
        for task in self.get_flat_relatives(upstream=True):
            if not task.is_setup:
                continue
            own = [down for down in task.downstream_list if down.is_teardown]
            if not own or not task.downstream_task_ids.isdisjoint(teardowns):
                yield task
                yield from (down for down in own if down is not self)

    def get_upstreams_only_setups(self) -> Iterable[AbstractOperator]:
        """The setups upstream that this task lies within the scope of."""
        return (task for task in self.get_upstreams_only_setups_and_teardowns() if task.is_setup)

    def iter_mapped_task_groups(self) -> Iterator[MappedTaskGroup]:
        """The mapped task groups it is in, innermost first."""
        if self.task_group is not None:
            yield from self.task_group.iter_mapped_task_groups()

    def get_closest_mapped_task_group(self) -> MappedTaskGroup | None:
        """The innermost mapped task group it is in."""
        return next(self.iter_mapped_task_groups(), None)

    def iter_mapped_dependants(self) -> Iterator[MappedOperator | MappedTaskGroup]:
        """The mapped tasks and groups whose number of copies depends on the output of this task."""
        from asyncflow.authoring.mapping import MappedOperator, MappedTaskGroup

        if self.dag is None:
            return
        for node in [*self.dag.tasks, *self.dag.task_group_dict.values()]:
            if isinstance(node, MappedOperator | MappedTaskGroup) and any(
                task.task_id == self.task_id for task, _ in node.expand_input.iter_references()
            ):
                yield node

    def get_needs_expansion(self) -> bool:
        """Does it become several instances, by itself or by its group?"""
        return self.is_mapped or self.get_closest_mapped_task_group() is not None

    @classmethod
    def sensor_spec(cls, values: Mapping[str, Any]) -> SensorSpec | None:
        """What the server must know of a sensor with these arguments; None for other operators."""
        return None

    def own_sensor_spec(self) -> SensorSpec | None:
        """The same of this operator, with what is known of it alone."""
        return self.sensor_spec(vars(self))

    def unmap(self, resolve: Any) -> BaseOperator:
        """The operator to run, given the arguments of one copy (ignored by plain operators)."""
        raise NotImplementedError

    @property
    def priority_weight_total(self) -> int:
        """The weight with those of its relatives, by the weight rule."""
        from asyncflow.authoring.weights import total_weights

        if self.dag is None:
            raise AirflowException(f"{self.task_id!r} has not been given to a DAG yet.")
        return total_weights(self.dag)[self.task_id]
