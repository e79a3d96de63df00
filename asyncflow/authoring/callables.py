"""Calling users' functions with what they ask for of the context. As `airflow.utils.operator_helpers`."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Mapping
from typing import Any


def determine_kwargs(function: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Those of `kwargs` (a context) that `function` takes by name; all of them if it takes any.

    Raises ValueError when a positional argument takes the place of a context variable.
    """
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):  # some callables written in C have no signature to look at
        return {}
    quiet = getattr(kwargs, "quiet", None)
    values: Mapping[str, Any] = quiet() if quiet is not None else kwargs
    by_position = list(parameters)[: len(args)]
    for name in by_position:
        if name in values and parameters[name].kind is not inspect.Parameter.VAR_POSITIONAL:
            raise ValueError(f"The key {name!r} in args is a part of kwargs and therefore reserved.")
    if any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values()):
        handed_on = getattr(kwargs, "handed_on", None)
        return dict(handed_on() if handed_on is not None else values)
    return {name: values[name] for name in parameters if name in values and name not in by_position}


class KeywordParameters:
    """Airflow's form of `determine_kwargs`, in two steps."""

    def __init__(self, kwargs: Mapping[str, Any]) -> None:
        self._kwargs = kwargs

    @classmethod
    def determine(cls, func: Callable[..., Any], args: Collection[Any], kwargs: Mapping[str, Any]) -> KeywordParameters:
        """The first step."""
        return cls(determine_kwargs(func, args, kwargs))

    def unpacking(self) -> Mapping[str, Any]:
        """The second."""
        return self._kwargs


def finished(value: Any) -> Any:
    """The value; if it is a coroutine, what it comes to."""
    if not inspect.iscoroutine(value):
        return value
    import asyncio  # with ssl under it, a tenth of the memory that every task process is forked with

    return asyncio.run(value)
