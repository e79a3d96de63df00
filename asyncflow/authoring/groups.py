"""`@task_group`: calling the function makes a task group of the tasks that its body makes."""

from __future__ import annotations

import copy
import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from asyncflow.authoring.expand import (
    DictOfListsExpandInput,
    ExpandInput,
    ListOfDictsExpandInput,
    MappedArgument,
    check_distinct,
    check_list_of_dicts,
    check_return_values,
    is_mappable,
)
from asyncflow.authoring.mapping import MappedTaskGroup
from asyncflow.authoring.taskgroup import TaskGroup


class TaskGroupFactory:
    """A function decorated with `@task_group`."""

    def __init__(self, function: Callable[..., Any], group_kwargs: Mapping[str, Any]) -> None:
        if not callable(function):
            raise TypeError("No args allowed while using @task_group, use kwargs instead")
        inspect.signature(TaskGroup.__init__).bind_partial(**group_kwargs)
        self.function = function
        self.group_kwargs = {"group_id": function.__name__, **group_kwargs}
        self.partial_kwargs: dict[str, Any] = {}
        self._used = True
        functools.update_wrapper(self, function)

    def __del__(self) -> None:
        if not getattr(self, "_used", True):
            warnings.warn(f"Partial task group {self.group_kwargs['group_id']!r} was never mapped!", stacklevel=1)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Make the group; what the function returns, else the group."""
        return self._make(TaskGroup, args, kwargs)

    def _make(self, group_class: Callable[..., TaskGroup], args: Any, kwargs: Mapping[str, Any]) -> Any:
        self._used = True
        with group_class(**{"add_suffix_on_collision": True, **self.group_kwargs}) as group:
            if self.function.__doc__ and not group.tooltip:
                group.tooltip = self.function.__doc__
            made = self.function(*args, **kwargs)
        return group if made is None else made

    def override(self, **kwargs: Any) -> TaskGroupFactory:
        """The same function with other arguments for the group."""
        twin = copy.copy(self)
        twin.group_kwargs = {**self.group_kwargs, **kwargs}
        return twin

    def partial(self, **kwargs: Any) -> TaskGroupFactory:
        """The same function with some arguments given, the same for all copies."""
        self._check("partial", kwargs)
        check_distinct(self.partial_kwargs, kwargs, "duplicate partial")
        twin = copy.copy(self)
        twin.partial_kwargs = {**self.partial_kwargs, **kwargs}
        twin._used = False
        return twin

    def expand(self, **kwargs: Any) -> Any:
        """One copy of the group for each combination of elements of the arguments."""
        if not kwargs:
            raise TypeError("no arguments to expand against")
        self._check("expand", kwargs)
        check_distinct(self.partial_kwargs, kwargs, "mapping already partial")
        for name, value in kwargs.items():
            if not is_mappable(value):
                raise ValueError(f"expand() got an unexpected type {type(value).__name__!r} for {name!r}")
        return self._expand(DictOfListsExpandInput(kwargs), list(kwargs))

    def expand_kwargs(self, kwargs: Any) -> Any:
        """One copy of the group for each dict of arguments in a list, or in an output that will be one."""
        check_list_of_dicts(kwargs)
        parameters = inspect.signature(self.function).parameters
        if any(
            parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD) for parameter in parameters.values()
        ):
            raise TypeError("calling expand_kwargs() on task group function with * or ** is not supported")
        names = [name for name in parameters if name not in self.partial_kwargs]
        return self._expand(ListOfDictsExpandInput(kwargs), names)

    def _expand(self, expand_input: ExpandInput, names: list[str]) -> Any:
        check_return_values(expand_input)
        arguments = {name: MappedArgument(expand_input, name) for name in names}
        group_class = functools.partial(MappedTaskGroup, expand_input=expand_input)
        return self._make(group_class, (), {**self.partial_kwargs, **arguments})

    def _check(self, verb: str, kwargs: Mapping[str, Any]) -> None:
        from asyncflow.authoring.decorators import check_function_arguments

        check_function_arguments(self.function, verb, kwargs)


def task_group(python_callable: Callable[..., Any] | None = None, **group_kwargs: Any) -> Any:
    """`@task_group` or `@task_group(group_id=..., ...)`; keywords are those of TaskGroup."""
    if python_callable is not None:
        return TaskGroupFactory(python_callable, group_kwargs)
    return functools.partial(TaskGroupFactory, group_kwargs=group_kwargs)
