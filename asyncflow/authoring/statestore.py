"""What tasks keep between tries, and of assets between runs: `task_state_store`, `asset_state_store` of Airflow 3.3.

Kept on the server as Variables whose names begin with `__state__`; values are JSON.
"""

from __future__ import annotations

import json
from typing import Any

from asyncflow.authoring.api import current_api
from asyncflow.authoring.dataset import Dataset

#: `retention=NEVER_EXPIRE`: nothing expires here, so that it says what happens anyway
NEVER_EXPIRE = "never"

_INDEX = ""


class StateStore:
    """The values kept for one task instance or asset. The `a` methods are for `async def` tasks."""

    def __init__(self, scope: str) -> None:
        self._scope = scope

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or `default` if there is none."""
        text = current_api().variable_get(self._name(key))
        return default if text is None else json.loads(text)

    def set(self, key: str, value: Any, *, retention: Any = None) -> None:
        """Keep a value. Raises TypeError for what is no JSON. `retention` has no effect: nothing expires."""
        if not key:
            raise ValueError("The key of a kept value must not be empty.")
        text = json.dumps(value)
        keys = self._keys()
        if key not in keys:
            self._write(_INDEX, json.dumps([*keys, key]))
        self._write(key, text)

    def delete(self, key: str) -> None:
        """Forget one value."""
        current_api().variable_delete(self._name(key))
        self._write(_INDEX, json.dumps([name for name in self._keys() if name != key]))

    def clear(self) -> None:
        """Forget all values."""
        for key in [*self._keys(), _INDEX]:
            current_api().variable_delete(self._name(key))

    async def aget(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)

    async def aset(self, key: str, value: Any, *, retention: Any = None) -> None:
        self.set(key, value, retention=retention)

    async def adelete(self, key: str) -> None:
        self.delete(key)

    async def aclear(self) -> None:
        self.clear()

    def _keys(self) -> list[str]:
        return list(json.loads(current_api().variable_get(self._name(_INDEX)) or "[]"))

    def _name(self, key: str) -> str:
        return f"__state__/{self._scope}/{key}"

    def _write(self, key: str, text: str) -> None:
        current_api().variable_set(self._name(key), text, None)


def task_state_store(dag_id: str, run_id: str, task_id: str, map_index: int) -> StateStore:
    """The store of one task instance: it outlives tries, not runs."""
    return StateStore(f"task/{dag_id}/{run_id}/{task_id}/{map_index}")


class AssetStateStores:
    """`asset_state_store[asset]`, for the inlets and outlets of a task. Raises KeyError for other assets."""

    def __init__(self, assets: list[Any]) -> None:
        self._assets = [asset for asset in assets if isinstance(asset, Dataset)]

    def __getitem__(self, asset: Dataset) -> StateStore:
        for known in self._assets:
            if known.uri == asset.uri or known.name == asset.name:
                return StateStore(f"asset/{known.name}")
        raise KeyError(f"{asset!r} is neither an inlet nor an outlet of this task.")
