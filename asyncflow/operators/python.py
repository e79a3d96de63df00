"""PythonOperator and those that decide by a function: branch and short circuit."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.callables import determine_kwargs, finished
from asyncflow.authoring.context import get_current_context as get_current_context
from asyncflow.authoring.dataset import DatasetAlias, Metadata
from asyncflow.authoring.skip import SkipMixin

_IN_VIRTUALENV = (
    "PythonVirtualenvOperator",
    "ExternalPythonOperator",
    "BranchPythonVirtualenvOperator",
    "BranchExternalPythonOperator",
    "is_venv_installed",
)


class PythonOperator(BaseOperator):
    """Calls a function; names of context variables among its parameters are given to it."""

    template_fields: Sequence[str] = ("templates_dict", "op_args", "op_kwargs")
    template_fields_renderers = {"templates_dict": "json", "op_args": "py", "op_kwargs": "py"}
    ui_color = "#ffefeb"
    shallow_copy_attrs: Sequence[str] = ("python_callable", "op_kwargs")

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        templates_dict: dict[str, Any] | None = None,
        templates_exts: Sequence[str] | None = None,
        show_return_value_in_logs: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._outlet_events: Any = {}
        if not callable(python_callable):
            raise TypeError(f"Task {self.task_id!r}: python_callable must be a function, not {python_callable!r:.60}.")
        self.python_callable = python_callable
        self.op_args = op_args or ()
        self.op_kwargs: Mapping[str, Any] = op_kwargs or {}
        self.templates_dict = templates_dict
        if templates_exts:
            self.template_ext = templates_exts
        self.show_return_value_in_logs = show_return_value_in_logs

    def execute(self, context: Any) -> Any:
        """Call the function; what it returns becomes the task's XCom."""
        self._take_arguments(context)
        return self._shown(self.execute_callable())

    async def execute_async(self, context: Any) -> Any:
        """As `execute`, on the event loop that async tasks share."""
        self._take_arguments(context)
        return self._shown(await self.python_callable(*self.op_args, **self.op_kwargs))

    @classmethod
    def is_async(cls, arguments: Mapping[str, Any]) -> bool:
        """Whether a task with these attributes (or arguments) is to be run by `execute_async`: a plain `async def`."""
        plain = cls.execute is PythonOperator.execute and cls.execute_callable is PythonOperator.execute_callable
        return plain and inspect.iscoroutinefunction(arguments.get("python_callable"))

    def _take_arguments(self, context: Any) -> None:
        context.update(self.op_kwargs)
        context["templates_dict"] = self.templates_dict
        self.op_kwargs = self.determine_kwargs(context)
        self._outlet_events = context.get("outlet_events", {})

    def _shown(self, value: Any) -> Any:
        if self.show_return_value_in_logs:
            self.log.info("Done. Returned value was: %s", value)
        else:
            self.log.info("Done. Returned value not shown")
        return value

    def determine_kwargs(self, context: Mapping[str, Any]) -> Mapping[str, Any]:
        """The keyword arguments that the function takes, of op_kwargs and the context."""
        return determine_kwargs(self.python_callable, self.op_args, context)

    def execute_callable(self) -> Any:
        """Call the function with the arguments that are ready; an `async def` is run to its end."""
        return self.run_function(lambda: self.python_callable(*self.op_args, **self.op_kwargs))

    def run_function(self, call: Callable[[], Any]) -> Any:
        """What the call comes to; a generator is run to its end, Metadata it yields go with the events of datasets."""
        value = finished(call())
        if not inspect.isgenerator(value):
            return value
        while True:
            try:
                given = next(value)
            except StopIteration as end:
                return end.value
            if isinstance(given, Metadata):
                self._outlet_events[given.asset].extra.update(given.extra)
                if given.alias_name:
                    self._outlet_events[DatasetAlias(given.alias_name)].add(given.asset, given.extra)
            else:
                self.log.warning("Ignoring unknown data of %r received from task", type(given))


class BranchMixIn(SkipMixin):
    """For operators that choose what runs after them."""

    def do_branch(self, context: Any, branches_to_execute: str | Collection[str] | None) -> Any:
        """Skip what is directly downstream and not chosen. Raises AirflowException for ids that do not exist."""
        self.skip_all_except(context["ti"], branch_ids(context["ti"].task.dag, branches_to_execute))
        return branches_to_execute


def branch_ids(dag: Any, chosen: Any) -> Any:
    """The chosen ids, those of task groups replaced by those of the groups' first tasks."""
    groups = dag.task_group_dict
    if isinstance(chosen, str):
        chosen = [chosen]
    if not isinstance(chosen, Collection) or not groups:
        return chosen
    ids: list[Any] = []
    for name in chosen:
        group = groups.get(name) if isinstance(name, str) else None
        ids += [name] if group is None else [task.task_id for task in group.roots]
    return ids


class BranchPythonOperator(PythonOperator, BranchMixIn):
    """The function returns ids of tasks or groups to go on with; other direct successors are skipped."""

    def execute(self, context: Any) -> Any:
        return self.do_branch(context, super().execute(context))


class ShortCircuitOperator(PythonOperator, SkipMixin):
    """If the function returns something false, what comes after is skipped.

    With `ignore_downstream_trigger_rules` (the default) that is everything downstream; without, only what is directly
    downstream, and the trigger rules decide further on. Teardowns run all the same.
    """

    def __init__(self, *, ignore_downstream_trigger_rules: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules

    def execute(self, context: Any) -> Any:
        condition = super().execute(context)
        self.log.info("Condition result is %s", condition)
        if condition:
            self.log.info("Proceeding with downstream tasks...")
            return condition
        task = context["task"]
        after = task.get_flat_relatives() if self.ignore_downstream_trigger_rules else task.get_direct_relatives()
        targets = sorted((t for t in after if not t.is_teardown), key=lambda t: t.task_id)
        self.log.info("Skipping downstream tasks: %s", [t.task_id for t in targets])
        self.skip(context["dag_run"], tasks=targets, map_index=context["ti"].map_index, ti=context["ti"])
        return condition


def __getattr__(name: str) -> Any:
    """The operators of `operators.virtualenv` are found here too, where Airflow has them."""
    from asyncflow.operators import virtualenv

    if name in _IN_VIRTUALENV:
        return getattr(virtualenv, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
