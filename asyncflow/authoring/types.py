"""The marker for an argument that was not given, where None means something."""

from __future__ import annotations

from typing import Any, Final


class ArgNotSet:
    """Class of NOTSET, the only instance."""

    def __repr__(self) -> str:
        return "NOTSET"

    def __bool__(self) -> bool:
        return False


NOTSET: Final = ArgNotSet()


def is_arg_set(value: Any) -> bool:
    """Was this argument given?"""
    return not isinstance(value, ArgNotSet)
