"""What tasks and groups are mapped over: the arguments of `.expand()` and `.expand_kwargs()`, and their elements."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.xcom_arg import RETURN_KEY, XComArg

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator


class ExpandInput:
    """What `.expand()` or `.expand_kwargs()` was given."""

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        """The tasks whose outputs decide how many copies there are."""
        raise NotImplementedError

    def resolve(self, context: Mapping[str, Any]) -> tuple[dict[str, Any], set[int]]:
        """The arguments of the copy that `context` is of, and the ids of those that are values, not templates."""
        raise NotImplementedError


class DictOfListsExpandInput(ExpandInput):
    """`.expand(a=..., b=...)`: all combinations, the first argument varies slowest."""

    def __init__(self, value: Mapping[str, Any]) -> None:
        self.value = dict(value)

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        for given in self.value.values():
            if isinstance(given, XComArg):
                yield from given.iter_references()

    def resolve(self, context: Mapping[str, Any]) -> tuple[dict[str, Any], set[int]]:
        index = _map_index(context)
        chosen: dict[str, Any] = {}
        for name, given in reversed(self.value.items()):
            values = given if is_literal(given) else given.resolve(context)
            index, position = divmod(index, _length(values, name))
            chosen[name] = _element(values, position)
        found = {name: chosen[name] for name in self.value}
        return found, {id(value) for name, value in found.items() if not is_literal(self.value[name])}


class ListOfDictsExpandInput(ExpandInput):
    """`.expand_kwargs([...])`: one copy for each dict of arguments."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        if isinstance(self.value, XComArg):
            yield from self.value.iter_references()
        else:
            for item in self.value:
                if isinstance(item, XComArg):
                    yield from item.iter_references()

    def resolve(self, context: Mapping[str, Any]) -> tuple[dict[str, Any], set[int]]:
        values = self.value.resolve(context) if isinstance(self.value, XComArg) else self.value
        if not isinstance(values, Sequence):
            raise ValueError(f"expand_kwargs() expects a list[dict], not {_kind(values)}")
        chosen = values[_map_index(context)]
        if isinstance(chosen, XComArg):
            chosen = chosen.resolve(context)
        if not isinstance(chosen, Mapping):
            raise ValueError(f"expand_kwargs() expects a list[dict], not list[{_kind(chosen)}]")
        for key in chosen:
            if not isinstance(key, str):
                raise ValueError(
                    f"expand_kwargs() input dict keys must all be str, but {key!r} is of type {_kind(key)}"
                )
        return dict(chosen), {id(value) for value in chosen.values() if not is_literal(value)}


class MappedArgument:
    """An argument of a mapped `@task_group` function, inside of it: the element that the copy's index selects."""

    def __init__(self, input: ExpandInput, key: str) -> None:
        self._input = input
        self._key = key

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        """The tasks it needs."""
        return self._input.iter_references()

    def resolve(self, context: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        """The value in a running task."""
        return self._input.resolve(context)[0].get(self._key)

    def __repr__(self) -> str:
        return f"MappedArgument({self._key!r})"


def is_literal(value: Any) -> bool:
    """Is it a list or dict that can be mapped over as it stands?"""
    return isinstance(value, list | tuple | dict) or (isinstance(value, Sequence | Mapping) and not _is_text(value))


def is_mappable(value: Any) -> bool:
    """Can `.expand()` take it?"""
    return isinstance(value, XComArg) or is_literal(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str | bytes | bytearray)


def _kind(value: Any) -> str:
    return "None" if value is None else type(value).__name__


def _map_index(context: Mapping[str, Any]) -> int:
    index: int = context["ti"].map_index
    if index < 0:
        raise RuntimeError("can't resolve task-mapping argument without expanding")
    return index


def _length(values: Any, name: str) -> int:
    if not isinstance(values, Sized):
        raise TypeError(f"can't map {name!r} over value of type {type(values)}")
    if not len(values):
        raise RuntimeError(f"cannot expand field {name!r} mapped to length 0")
    return len(values)


def _element(values: Any, position: int) -> Any:
    if isinstance(values, Mapping):
        return list(values.items())[position]
    if not isinstance(values, Sequence):
        raise TypeError(f"can't map over value of type {type(values)}")
    return values[position]


# ---- checks ---------------------------------------------------------------------------------------------------------


def check_distinct(partial_kwargs: Mapping[str, Any], mapped: Mapping[str, Any], reason: str) -> None:
    """No argument may be both partial and mapped. Raises TypeError."""
    both = [name for name in mapped if name in partial_kwargs]
    if both:
        raise TypeError(f"{reason} argument{'s' if len(both) > 1 else ''}: {', '.join(both)}")


def check_list_of_dicts(kwargs: Any) -> None:
    """What `.expand_kwargs()` takes. Raises TypeError."""
    if isinstance(kwargs, XComArg):
        return
    if isinstance(kwargs, Sequence) and not _is_text(kwargs):
        if all(isinstance(item, XComArg | Mapping) for item in kwargs):
            return
    raise TypeError(f"expected XComArg or list[dict], not {type(kwargs).__name__}")


def check_return_values(expand_input: ExpandInput) -> None:
    """Tasks are mapped over what tasks return, not over other XComs. Raises ValueError."""
    for task, key in expand_input.iter_references():
        if key != RETURN_KEY:
            raise ValueError(f"cannot map over XCom with custom key {key!r} from {task}")
