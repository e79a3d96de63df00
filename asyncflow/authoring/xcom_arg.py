"""References to what tasks will return: `task.output`, the result of calling a `@task` function, and combinations.

At parse time they make edges and say how long a mapped task will be; at run time `resolve(context)` gives the value,
through `ti.xcom_pull`. As `airflow.models.xcom_arg` of 2.11.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from asyncflow.authoring.edges import DependencyMixin, EdgeModifier, Linkable
from asyncflow.authoring.exceptions import XComNotFound
from asyncflow.authoring.types import NOTSET, ArgNotSet

if TYPE_CHECKING:
    from asyncflow.authoring.abstractoperator import AbstractOperator

RETURN_KEY = "return_value"


class XComArg(DependencyMixin):
    """A value that a task will leave, or a combination of such values. `XComArg(task)` is a plain one."""

    def __new__(cls, *args: Any, **kwargs: Any) -> XComArg:
        return super().__new__(PlainXComArg if cls is XComArg else cls)

    def __init__(self, operator: AbstractOperator, key: str = RETURN_KEY) -> None:
        """The value that `operator` leaves under `key`."""

    @staticmethod
    def iter_xcom_references(arg: Any) -> Iterator[tuple[AbstractOperator, str]]:
        """The tasks and keys that a value refers to, looking into collections and objects with template_fields."""
        if hasattr(arg, "iter_references"):
            yield from arg.iter_references()
        elif isinstance(arg, tuple | set | frozenset | list):
            for item in arg:
                yield from XComArg.iter_xcom_references(item)
        elif isinstance(arg, dict):
            for item in arg.values():
                yield from XComArg.iter_xcom_references(item)
        elif getattr(type(arg), "template_fields", None) and not isinstance(arg, type):
            for name in arg.template_fields:
                yield from XComArg.iter_xcom_references(getattr(arg, name, None))

    @staticmethod
    def apply_upstream_relationship(op: AbstractOperator, arg: Any) -> None:
        """Put every task that `arg` refers to upstream of `op`."""
        for operator, _ in XComArg.iter_xcom_references(arg):
            op.set_upstream(operator)

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        """The tasks and keys it needs."""
        raise NotImplementedError

    @property
    def roots(self) -> Sequence[AbstractOperator]:
        return [operator for operator, _ in self.iter_references()]

    @property
    def leaves(self) -> Sequence[AbstractOperator]:
        return [operator for operator, _ in self.iter_references()]

    def set_upstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        for operator, _ in self.iter_references():
            operator.set_upstream(other, edge_modifier)

    def set_downstream(self, other: Linkable, edge_modifier: EdgeModifier | None = None) -> None:
        for operator, _ in self.iter_references():
            operator.set_downstream(other, edge_modifier)

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        """The value with `f` applied to each element, when it is read."""
        return MapXComArg(self, [f])

    def zip(self, *others: XComArg, fillvalue: Any = NOTSET) -> ZipXComArg:
        """Tuples of elements: as long as the shortest, or as the longest if there is a `fillvalue`."""
        return ZipXComArg([self, *others], fillvalue=fillvalue)

    def concat(self, *others: XComArg) -> ConcatXComArg:
        """One value after the other."""
        return ConcatXComArg([self, *others])

    def resolve(self, context: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        """The value in a running task. Raises XComNotFound, or ValueError for a value of a wrong type."""
        raise NotImplementedError

    def __enter__(self) -> Any:
        from asyncflow.authoring.setup_teardown import ContextWrapper

        return ContextWrapper(self.leaves).__enter__()

    def __exit__(self, kind: Any, value: Any, traceback: Any) -> None:
        from asyncflow.authoring.setup_teardown import close_block

        close_block(failed=kind is not None)


class PlainXComArg(XComArg):
    """What one task leaves under one key."""

    def __init__(self, operator: AbstractOperator, key: str = RETURN_KEY) -> None:
        self.operator = operator
        self.key = key

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PlainXComArg):
            return NotImplemented
        return self.operator is other.operator and self.key == other.key

    def __hash__(self) -> int:
        return hash((id(self.operator), self.key))

    def __getitem__(self, item: str) -> PlainXComArg:
        if not isinstance(item, str):
            raise ValueError(f"XComArg only supports str lookup, received {type(item).__name__}")
        return PlainXComArg(self.operator, item)

    def __iter__(self) -> Iterator[Any]:
        raise TypeError("'XComArg' object is not iterable")

    def __repr__(self) -> str:
        return f"XComArg({self.operator!r})" if self.key == RETURN_KEY else f"XComArg({self.operator!r}, {self.key!r})"

    def __str__(self) -> str:
        """A template that pulls the value, for use inside other texts."""
        where = f"task_ids='{self.operator.task_id}', dag_id='{self.operator.dag_id}', key='{self.key}'"
        return f"{{{{ task_instance.xcom_pull({where}) }}}}"

    @property
    def is_setup(self) -> bool:
        """Is the task a setup?"""
        return self.operator.is_setup

    @is_setup.setter
    def is_setup(self, value: bool) -> None:
        self.operator.is_setup = value

    @property
    def is_teardown(self) -> bool:
        """Is the task a teardown?"""
        return self.operator.is_teardown

    @is_teardown.setter
    def is_teardown(self, value: bool) -> None:
        self.operator.is_teardown = value

    @property
    def on_failure_fail_dagrun(self) -> bool:
        """Does a failure of this teardown fail the run?"""
        return self.operator.on_failure_fail_dagrun

    @on_failure_fail_dagrun.setter
    def on_failure_fail_dagrun(self, value: bool) -> None:
        self.operator.on_failure_fail_dagrun = value

    def as_setup(self) -> PlainXComArg:
        self.operator.as_setup()
        return self

    def as_teardown(self, *, setups: Any = NOTSET, on_failure_fail_dagrun: Any = NOTSET) -> PlainXComArg:
        self.operator.as_teardown(setups=setups, on_failure_fail_dagrun=on_failure_fail_dagrun)
        return self

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        yield self.operator, self.key

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        self._check_return_value("map against")
        return super().map(f)

    def zip(self, *others: XComArg, fillvalue: Any = NOTSET) -> ZipXComArg:
        self._check_return_value("map against")
        return super().zip(*others, fillvalue=fillvalue)

    def concat(self, *others: XComArg) -> ConcatXComArg:
        self._check_return_value("concatenate")
        return super().concat(*others)

    def _check_return_value(self, verb: str) -> None:
        if self.key != RETURN_KEY:
            raise ValueError(f"cannot {verb} non-return XCom {self.key!r} of task {self.operator.task_id!r}")

    def resolve(self, context: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        ti = context["ti"]
        value = ti.xcom_pull(
            task_ids=self.operator.task_id,
            key=self.key,
            map_indexes=self._map_index_meant(context),
            default=NOTSET,
        )
        if not isinstance(value, ArgNotSet):
            return value
        if self.key == RETURN_KEY or getattr(self.operator, "multiple_outputs", False):
            return None
        raise XComNotFound(ti.dag_id, self.operator.task_id, self.key)

    def _map_index_meant(self, context: Mapping[str, Any]) -> int | None:
        """Within a mapped task group a copy reads the copy of the same index; else all are meant."""
        task, index = context["task"], context["ti"].map_index
        if index < 0:
            return None
        group = self.operator.get_closest_mapped_task_group()
        own = [] if group is None else list(task.iter_mapped_task_groups())
        return cast(int, index) if any(group is one for one in own) else None


class _Mapped(Sequence[Any]):
    def __init__(self, values: Sequence[Any] | dict[Any, Any], callables: Sequence[Callable[[Any], Any]]) -> None:
        self._values = list(values.items()) if isinstance(values, dict) else values
        self._callables = callables

    def __getitem__(self, index: Any) -> Any:
        value = self._values[index]
        for function in self._callables:
            value = function(value)
        return value

    def __len__(self) -> int:
        return len(self._values)


class MapXComArg(XComArg):
    """`arg.map(f)`: a function applied to each element; AirflowSkipException in it skips that copy."""

    def __init__(self, arg: XComArg, callables: Sequence[Callable[[Any], Any]]) -> None:
        for function in callables:
            if getattr(function, "_airflow_is_task_decorator", False):
                raise ValueError("map() argument must be a plain function, not a @task operator")
        self.arg = arg
        self.callables = list(callables)

    def __repr__(self) -> str:
        return f"{self.arg!r}" + "".join(f".map({getattr(f, '__name__', f)})" for f in self.callables)

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        return self.arg.iter_references()

    def map(self, f: Callable[[Any], Any]) -> MapXComArg:
        return MapXComArg(self.arg, [*self.callables, f])

    def resolve(self, context: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        return _Mapped(_container(self.arg.resolve(context), "map"), self.callables)


class _Zipped(Sequence[Any]):
    def __init__(self, values: Sequence[Sequence[Any] | dict[Any, Any]], fillvalue: Any) -> None:
        self._values = [list(v.items()) if isinstance(v, dict) else v for v in values]
        self._fillvalue = fillvalue

    def __getitem__(self, index: Any) -> Any:
        if index < 0:
            index += len(self)
        if not 0 <= index < len(self):
            raise IndexError(index)
        return tuple(value[index] if index < len(value) else self._fillvalue for value in self._values)

    def __len__(self) -> int:
        lengths = [len(value) for value in self._values]
        return min(lengths) if isinstance(self._fillvalue, ArgNotSet) else max(lengths)


class ZipXComArg(XComArg):
    """`arg.zip(...)`."""

    def __init__(self, args: Sequence[XComArg], *, fillvalue: Any = NOTSET) -> None:
        self.args = list(args)
        self.fillvalue = fillvalue

    def __repr__(self) -> str:
        rest = [repr(arg) for arg in self.args[1:]]
        if not isinstance(self.fillvalue, ArgNotSet):
            rest.append(f"fillvalue={self.fillvalue!r}")
        return f"{self.args[0]!r}.zip({', '.join(rest)})"

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        return itertools.chain.from_iterable(arg.iter_references() for arg in self.args)

    def resolve(self, context: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        return _Zipped([_container(arg.resolve(context), "zip") for arg in self.args], self.fillvalue)


class _Concatenated(Sequence[Any]):
    def __init__(self, values: Sequence[Sequence[Any] | dict[Any, Any]]) -> None:
        self._values = [list(v) if isinstance(v, dict) else v for v in values]

    def __getitem__(self, index: Any) -> Any:
        rest = index + len(self) if index < 0 else index
        for value in self._values:
            if 0 <= rest < len(value):
                return value[rest]
            rest -= len(value)
        raise IndexError("list index out of range")

    def __len__(self) -> int:
        return sum(len(value) for value in self._values)


class ConcatXComArg(XComArg):
    """`arg.concat(...)`."""

    def __init__(self, args: Sequence[XComArg]) -> None:
        self.args = list(args)

    def __repr__(self) -> str:
        return f"{self.args[0]!r}.concat({', '.join(repr(arg) for arg in self.args[1:])})"

    def iter_references(self) -> Iterator[tuple[AbstractOperator, str]]:
        return itertools.chain.from_iterable(arg.iter_references() for arg in self.args)

    def concat(self, *others: XComArg) -> ConcatXComArg:
        return ConcatXComArg([*self.args, *others])

    def resolve(self, context: Mapping[str, Any], *_: Any, **__: Any) -> Any:
        return _Concatenated([_container(arg.resolve(context), "concat") for arg in self.args])


def _container(value: Any, verb: str) -> Any:
    if not isinstance(value, Sequence | dict):
        raise ValueError(f"XCom {verb} expects sequence or dict, not {type(value).__name__}")
    return value
