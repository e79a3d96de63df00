"""`Variable`: named texts that DAG files and tasks read, from the environment or the server."""

from __future__ import annotations

import json
from typing import Any

from asyncflow.authoring.api import current_api
from asyncflow.authoring.masking import is_sensitive, mask_secret
from asyncflow.authoring.types import NOTSET, ArgNotSet
from asyncflow.config import secret_from_environment


class Variable:
    """Read and write variables; `AIRFLOW_VAR_<NAME>` and `ASYNCFLOW_VAR_<NAME>` in the environment win."""

    def __init__(self, key: str | None = None, val: Any = None, description: str | None = None) -> None:
        self.key, self.val, self.description = key, val, description

    @property
    def value(self) -> Any:
        return self.val

    def __repr__(self) -> str:
        return f"{self.key} : {'***' if is_sensitive(self.key) else self.val}"

    @classmethod
    def get(cls, key: str, default_var: Any = NOTSET, deserialize_json: bool = False, *, default: Any = NOTSET) -> Any:
        """The value, parsed as JSON if asked; else the default. Raises KeyError if there is neither.

        `default` is Airflow 3's name of `default_var`.
        """
        text = secret_from_environment("VAR", key)
        if text is None:
            text = current_api().variable_get(key)
        if text is None:
            fallback = default if isinstance(default_var, ArgNotSet) else default_var
            if isinstance(fallback, ArgNotSet):
                raise KeyError(f"Variable {key} does not exist")
            return fallback
        value = json.loads(text) if deserialize_json else text
        mask_secret(value, key)
        return value

    @classmethod
    def set(cls, key: str, value: Any, description: str | None = None, serialize_json: bool = False) -> None:
        """Store a variable; anything but text is stored as `str(value)`, or as JSON if asked."""
        text = json.dumps(value, indent=2) if serialize_json else str(value)
        current_api().variable_set(key, text, description)

    @classmethod
    def setdefault(cls, key: str, default: Any, description: str | None = None, deserialize_json: bool = False) -> Any:
        """The value; a missing variable is stored with `default` first."""
        found = cls.get(key, default_var=None, deserialize_json=deserialize_json)
        if found is not None:
            return found
        if default is None:
            raise ValueError("Default Value must be set")
        cls.set(key, default, description=description, serialize_json=deserialize_json)
        return default

    @classmethod
    def update(cls, key: str, value: Any, serialize_json: bool = False) -> None:
        """Store a variable that exists. Raises KeyError if it does not."""
        cls.get(key)
        cls.set(key, value, serialize_json=serialize_json)

    @classmethod
    def delete(cls, key: str) -> int:
        """How many were deleted: 1 or 0."""
        return int(current_api().variable_delete(key))
