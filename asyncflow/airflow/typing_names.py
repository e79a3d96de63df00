"""`airflow.typing_compat`."""

from __future__ import annotations

from typing import Literal, ParamSpec, Protocol, Self, TypeAlias, TypedDict, TypeGuard

__all__ = ["Literal", "ParamSpec", "Protocol", "Self", "TypeAlias", "TypeGuard", "TypedDict"]
