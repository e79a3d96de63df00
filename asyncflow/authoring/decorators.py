"""TaskFlow: `@task` and its kinds, `@task_group`, `@setup`, `@teardown`; `@dag` is in `dag`.

Calling a decorated function inside a DAG makes a task and gives a reference to what it will return. Parts that need
operators are imported when first used, so that a DAG file pays only for what it has. As in Airflow 2.11.
"""

from __future__ import annotations

import copy
import functools
import importlib
import inspect
import re
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from types import FunctionType
from typing import Any, ClassVar

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.current import DagContext, TaskGroupContext
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.dag import dag as dag
from asyncflow.authoring.exceptions import AirflowException, AirflowSkipException
from asyncflow.authoring.expand import (
    DictOfListsExpandInput,
    ExpandInput,
    ListOfDictsExpandInput,
    check_distinct,
    check_list_of_dicts,
    check_return_values,
    is_mappable,
)
from asyncflow.authoring.groups import TaskGroupFactory
from asyncflow.authoring.groups import task_group as task_group
from asyncflow.authoring.mapping import MappedOperator
from asyncflow.authoring.taskgroup import TaskGroup
from asyncflow.authoring.xcom_arg import PlainXComArg, XComArg
from asyncflow.core.states import TriggerRule

#: names of context variables: a function's parameters of these names are filled when it runs
CONTEXT_KEYS = frozenset(
    "asset_state_store "
    "conf conn dag dag_run data_interval_end data_interval_start ds ds_nodash exception execution_date "
    "expanded_ti_count inlet_events inlets logical_date macros map_index_template next_ds next_ds_nodash "
    "next_execution_date outlet_events outlets params partition_key prev_data_interval_end_success "
    "prev_data_interval_start_success prev_ds prev_ds_nodash prev_end_date_success prev_execution_date "
    "prev_execution_date_success prev_start_date_success reason run_id task task_instance task_instance_key_str "
    "task_reschedule_count task_state_store "
    "templates_dict test_mode ti tomorrow_ds tomorrow_ds_nodash triggering_asset_events "
    "triggering_dataset_events try_number ts ts_nodash ts_nodash_with_tz "
    "var yesterday_ds yesterday_ds_nodash".split()
)
_SUFFIX = re.compile(r"__\d+$")


def get_unique_task_id(task_id: str, dag: DAG | None = None, task_group: TaskGroup | None = None) -> str:
    """The id, with `__1`, `__2`, ... behind it when the DAG has it already."""
    dag = dag or DagContext.get_current_dag()
    if dag is None:
        return task_id
    group = task_group or TaskGroupContext.get_current_task_group(dag)
    full_id = group.child_id(task_id) if group is not None else task_id
    if full_id not in dag.task_dict:
        return task_id
    taken = re.compile(rf"{re.escape(_SUFFIX.sub('', full_id))}__(\d+)")
    numbers = [int(match[1]) for known in dag.task_dict if (match := taken.fullmatch(known))]
    return f"{_SUFFIX.sub('', task_id)}__{max(numbers, default=0) + 1}"


class DecoratedOperator(BaseOperator):
    """Base of operators made of a function; goes before the operator class that runs it."""

    template_fields: typing.Sequence[str] = ("op_args", "op_kwargs")
    template_fields_renderers: ClassVar[dict[str, str]] = {"op_args": "py", "op_kwargs": "py"}
    shallow_copy_attrs: typing.Sequence[str] = ("python_callable",)
    python_callable: Callable[..., Any]

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        task_id: str,
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        kwargs_to_upstream: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        """`kwargs_to_upstream`: arguments that the operator class needs to get as well."""
        if not self._from_mapped:
            task_id = get_unique_task_id(task_id, kwargs.get("dag"), kwargs.get("task_group"))
        args, keywords = list(op_args or ()), dict(op_kwargs or {})
        signature = signature_with_context(python_callable)
        try:
            signature.bind(*args, **keywords)
        except TypeError as error:
            raise TypeError(f"{python_callable.__name__}() (task_id {task_id!r}): {error}.") from None
        super().__init__(task_id=task_id, **(kwargs_to_upstream or {}), **kwargs)
        self.python_callable = python_callable
        self.op_args: Collection[Any] = args
        self.op_kwargs: Mapping[str, Any] = keywords

    def _hook_apply_defaults(self, **kwargs: Any) -> tuple[tuple[()], dict[str, Any]]:
        """Parameters of the function are filled from default_args too."""
        function = kwargs.get("python_callable")
        defaults = kwargs.get("default_args") or {}
        if function is not None and defaults:
            given = dict(kwargs.get("op_kwargs") or {})
            taken = list(inspect.signature(function).parameters)[len(kwargs.get("op_args") or ()) :]
            kwargs["op_kwargs"] = {name: defaults[name] for name in taken if name in defaults} | given
        return (), kwargs


def signature_with_context(function: Callable[..., Any]) -> inspect.Signature:
    """The function's signature in which context variables may be left out. Raises ValueError for other defaults."""
    signature = inspect.signature(function)
    parameters = []
    for parameter in signature.parameters.values():
        if parameter.name in CONTEXT_KEYS and parameter.kind is not parameter.VAR_KEYWORD:
            if parameter.default not in (None, parameter.empty):
                raise ValueError(
                    f"{function.__name__}(): Context key parameter {parameter.name} "
                    "can't have a default other than None"
                )
            parameter = parameter.replace(default=None)
        parameters.append(parameter)
    try:
        return signature.replace(parameters=parameters)
    except ValueError:
        # a context variable stands before a parameter without default: then that one gets one as well
        return signature.replace(parameters=list(_all_optional(parameters)))


def _all_optional(parameters: list[inspect.Parameter]) -> Iterator[inspect.Parameter]:
    optional = False
    for parameter in parameters:
        named = parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
        if named and optional and parameter.default is parameter.empty:
            parameter = parameter.replace(default=None)
        optional = optional or (named and parameter.default is not parameter.empty)
        yield parameter


class TaskDecorator:
    """A function decorated with `@task`: call it, `.expand()` it, or adapt it with `.override()` and `.partial()`."""

    _airflow_is_task_decorator: ClassVar[bool] = True

    def __init__(
        self,
        function: Callable[..., Any],
        operator_class: type[BaseOperator],
        multiple_outputs: bool | None,
        kwargs: Mapping[str, Any],
    ) -> None:
        if getattr(function, "_airflow_is_task_decorator", False):
            raise TypeError(f"{function!r} is a task already: use only one @task decorator.")
        if not callable(function):
            raise TypeError("No args allowed while using @task, use kwargs instead")
        if "self" in inspect.signature(function).parameters:
            raise TypeError(f"{self._name(operator_class)} does not support methods")
        self.function = function
        self.operator_class = operator_class
        self.multiple_outputs = returns_dict(function) if multiple_outputs is None else multiple_outputs
        self.kwargs = {"task_id": getattr(function, "__name__", "task"), **kwargs}
        self.is_setup = False
        self.is_teardown = False
        self.on_failure_fail_dagrun = False
        functools.update_wrapper(self, function)

    @staticmethod
    def _name(operator_class: type[BaseOperator]) -> str:
        return str(getattr(operator_class, "custom_operator_name", "@task"))

    def __call__(self, *args: Any, **kwargs: Any) -> XComArg:
        """Make a task; a reference to what it will return."""
        options = self._options()
        operator_class: Any = self.operator_class
        made = operator_class(
            python_callable=self.function,
            op_args=args,
            op_kwargs=kwargs,
            multiple_outputs=self.multiple_outputs,
            **options,
        )
        self._mark(made)
        if self.function.__doc__ and not any((made.doc, made.doc_json, made.doc_md, made.doc_rst, made.doc_yaml)):
            made.doc_md = self.function.__doc__
        return PlainXComArg(made)

    def _options(self) -> dict[str, Any]:
        options = dict(self.kwargs)
        self._fail_run = options.pop("on_failure_fail_dagrun", self.on_failure_fail_dagrun)
        if self.is_teardown:
            if "trigger_rule" in options:
                raise ValueError("Trigger rule not configurable for teardown tasks.")
            options["trigger_rule"] = TriggerRule.ALL_DONE_SETUP_SUCCESS
        return options

    def _mark(self, made: BaseOperator | MappedOperator) -> None:
        made.is_setup = self.is_setup
        made.is_teardown = self.is_teardown
        made.on_failure_fail_dagrun = self._fail_run

    def override(self, **kwargs: Any) -> TaskDecorator:
        """The same function with other arguments for the operator."""
        return self._with({**self.kwargs, **kwargs})

    def partial(self, **kwargs: Any) -> TaskDecorator:
        """The same function with some arguments given, the same for all copies."""
        self._check_arguments("partial", kwargs)
        before = self.kwargs.get("op_kwargs", {})
        check_distinct(before, kwargs, "duplicate partial")
        return self._with({**self.kwargs, "op_kwargs": {**before, **kwargs}})

    def _with(self, kwargs: dict[str, Any]) -> TaskDecorator:
        twin = copy.copy(self)
        twin.kwargs = kwargs
        return twin

    def expand(self, **map_kwargs: Any) -> XComArg:
        """One task for each combination of elements of the arguments."""
        if not map_kwargs:
            raise TypeError("no arguments to expand against")
        self._check_arguments("expand", map_kwargs)
        for name, value in map_kwargs.items():
            if not is_mappable(value):
                raise ValueError(
                    f"expand() got an unexpected type {type(value).__name__!r} for keyword argument {name!r}"
                )
        check_distinct(self.kwargs.get("op_kwargs", {}), map_kwargs, "mapping already partial")
        return self._expand(DictOfListsExpandInput(map_kwargs), strict=False)

    def expand_kwargs(self, kwargs: Any, *, strict: bool = True) -> XComArg:
        """One task for each dict of arguments in a list, or in an output that will be one."""
        check_list_of_dicts(kwargs)
        return self._expand(ListOfDictsExpandInput(kwargs), strict=strict)

    def _expand(self, expand_input: ExpandInput, *, strict: bool) -> XComArg:
        check_return_values(expand_input)
        options = self._options()
        dag = options.pop("dag", None) or DagContext.get_current_dag()
        group = options.pop("task_group", None) or TaskGroupContext.get_current_task_group(dag)
        options["task_id"] = get_unique_task_id(options["task_id"], dag, group)
        made = DecoratedMappedOperator(
            operator_class=self.operator_class,
            expand_input=expand_input,
            kwargs={
                "dag": dag,
                "task_group": group,
                "op_args": [],
                "op_kwargs": {},
                "multiple_outputs": self.multiple_outputs,
                **options,
                "python_callable": self.function,
            },
            strict=strict,
        )
        self._mark(made)
        if self.function.__doc__ and not made.doc_md:
            made.doc_md = self.function.__doc__
        return PlainXComArg(made)

    def _check_arguments(self, verb: str, kwargs: Mapping[str, Any]) -> None:
        reserved = sorted(CONTEXT_KEYS & kwargs.keys())
        if reserved:
            plural = "s" if len(reserved) > 1 else ""
            raise ValueError(f"cannot call {verb}() on task context variable{plural} {', '.join(map(repr, reserved))}")
        check_function_arguments(self.function, verb, kwargs)


def check_function_arguments(function: Callable[..., Any], verb: str, kwargs: Mapping[str, Any]) -> None:
    """The function must take these by name. Raises TypeError."""
    parameters = inspect.signature(function).parameters
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        return
    unknown = [name for name in kwargs if name not in parameters]
    if unknown:
        plural = "s" if len(unknown) > 1 else ""
        raise TypeError(
            f"{verb}() got an unexpected keyword argument{plural} {', '.join(map(repr, unknown))}; "
            f"{function.__name__}() takes {', '.join(parameters) or 'none'}"
        )


def returns_dict(function: Callable[..., Any]) -> bool:
    """Does the return annotation say it is a mapping? Then its items become XComs of their own."""
    annotation = getattr(function, "__annotations__", {}).get("return")
    if annotation is None:
        return False
    if isinstance(annotation, str):
        try:
            scope = getattr(inspect.unwrap(function), "__globals__", {})
            annotation = eval(annotation, scope)
        except Exception:
            return False
    origin = typing.get_origin(annotation) or annotation
    return isinstance(origin, type) and issubclass(origin, Mapping)


class DecoratedMappedOperator(MappedOperator):
    """A mapped `@task` function: what is mapped are arguments of the function."""

    def mapped_names(self) -> set[str]:
        return set()

    def unmap_kwargs(self, mapped: dict[str, Any]) -> dict[str, Any]:
        before = self.partial_kwargs.get("op_kwargs", {})
        if self.strict:
            check_distinct(before, mapped, "mapping already partial")
        whole = {name: value for name, value in self.partial_kwargs.items() if name != "op_kwargs"}
        return {
            "task_id": self.local_id,
            "dag": self.dag,
            "task_group": self.task_group,
            **whole,
            "op_kwargs": {**before, **mapped},
            "params": self.params,
        }


def task_decorator_factory(
    python_callable: Callable[..., Any] | None = None,
    *,
    multiple_outputs: bool | None = None,
    decorated_operator_class: type[BaseOperator],
    **kwargs: Any,
) -> Any:
    """What a `@task` kind is made with: usable with and without parentheses. Providers call it."""
    if python_callable is not None:
        return TaskDecorator(python_callable, decorated_operator_class, multiple_outputs, kwargs)

    def decorate(function: Callable[..., Any]) -> TaskDecorator:
        return TaskDecorator(function, decorated_operator_class, multiple_outputs, kwargs)

    return decorate


def _kind(class_name: str, module: str = "decorated") -> Callable[..., Any]:
    """A `@task` kind; its operator class is in a module of `operators`, imported when it is used."""

    def decorator(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
        operators = importlib.import_module(f"asyncflow.operators.{module}")
        operator_class = getattr(operators, class_name)
        return task_decorator_factory(python_callable, decorated_operator_class=operator_class, **kwargs)

    return decorator


def _run_unless(
    condition: Callable[[Any], Any], skip_message: str | None, skip_when: bool
) -> Callable[[TaskDecorator], TaskDecorator]:
    def check(context: Any) -> None:
        answer = condition(context)
        message = skip_message or "Task was skipped due to condition."
        if isinstance(answer, tuple):
            answer, own_message = answer
            message = own_message or message
        if bool(answer) is skip_when:
            raise AirflowSkipException(message)

    def decorate(decorated: TaskDecorator) -> TaskDecorator:
        if not isinstance(decorated, TaskDecorator):
            raise TypeError("run_if and skip_if go above @task: decorate the function with @task first.")
        before = decorated.kwargs.get("pre_execute")

        def pre_execute(context: Any) -> None:
            if before is not None:
                before(context)
            check(context)

        decorated.kwargs["pre_execute"] = pre_execute
        return decorated

    return decorate


class TaskDecoratorCollection:
    """`@task`, and its kinds as attributes."""

    python = staticmethod(_kind("PythonDecoratedOperator"))
    branch = staticmethod(_kind("BranchPythonDecoratedOperator"))
    short_circuit = staticmethod(_kind("ShortCircuitDecoratedOperator"))
    sensor = staticmethod(_kind("DecoratedSensorOperator"))
    bash = staticmethod(_kind("BashDecoratedOperator"))
    virtualenv = staticmethod(_kind("PythonVirtualenvDecoratedOperator", "decorated_venv"))
    external_python = staticmethod(_kind("PythonExternalDecoratedOperator", "decorated_venv"))
    branch_virtualenv = staticmethod(_kind("BranchPythonVirtualenvDecoratedOperator", "decorated_venv"))
    branch_external_python = staticmethod(_kind("BranchExternalPythonDecoratedOperator", "decorated_venv"))

    def __call__(self, python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> Any:
        return self.python(python_callable, **kwargs)

    @staticmethod
    def run_if(condition: Callable[[Any], Any], skip_message: str | None = None) -> Any:
        """Skip the task unless `condition(context)`, which may also give (answer, message)."""
        return _run_unless(condition, skip_message, skip_when=False)

    @staticmethod
    def skip_if(condition: Callable[[Any], Any], skip_message: str | None = None) -> Any:
        """Skip the task if `condition(context)`."""
        return _run_unless(condition, skip_message, skip_when=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        from asyncflow.authoring.providers import import_path, task_decorators

        more = task_decorators()
        if name in more:
            return import_path(more[name])
        kinds = sorted({kind for kind in vars(type(self)) if not kind.startswith("_")} | more.keys())
        raise AttributeError(f"There is no @task.{name} here; there are @task.{', @task.'.join(kinds)}.")


task = TaskDecoratorCollection()


def setup(function: Any) -> Any:
    """`@setup`: calls of the function (plain or decorated with `@task`) make setup tasks."""
    return _as_kind(function, is_setup=True)


def teardown(function: Any = None, *, on_failure_fail_dagrun: bool = False) -> Any:
    """`@teardown`: calls of the function make teardown tasks."""
    if function is None:
        return functools.partial(teardown, on_failure_fail_dagrun=on_failure_fail_dagrun)
    return _as_kind(function, is_teardown=True, on_failure_fail_dagrun=on_failure_fail_dagrun)


def _as_kind(function: Any, **marks: bool) -> TaskDecorator:
    if isinstance(function, TaskGroupFactory):
        raise AirflowException("Task groups cannot be marked as setup or teardown.")
    decorated: TaskDecorator = task(function) if isinstance(function, FunctionType) else function
    for name, value in marks.items():
        setattr(decorated, name, value)
    return decorated
