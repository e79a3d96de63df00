"""What has happened, for people: the journal, what was late, callbacks that are due. Part of `engine.actions`."""

from __future__ import annotations

from typing import Any

from asyncflow.engine.jsonable import struct_dict
from asyncflow.store.database import Store


class RecordActions:
    """Reads only. Arguments and answers are JSON values."""

    _store: Store

    async def list_events(
        self, dag_id: str | None = None, run_id: str | None = None, after: int = 0, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """Lines of the journal after number `after`, oldest first."""
        lines = await self._store.journal(after, dag_id=dag_id, run_id=run_id, limit=limit)
        return [struct_dict(line) for line in lines]

    async def list_sla_misses(
        self, dag_id: str | None = None, run_id: str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """Tasks (with an empty task_id: runs) that were not done in time, newest first."""
        return [struct_dict(row) for row in await self._store.list_sla_misses(dag_id, run_id, limit=limit)]

    async def list_callbacks(self) -> list[dict[str, Any]]:
        """Callbacks that are due and have not run yet, oldest first."""
        rows = await self._store.list_pending_callbacks()
        return [
            {
                "callback_id": row.callback_id,
                "kind": row.payload.get("kind"),
                "dag_id": row.payload.get("dag_id"),
                "run_id": (row.payload.get("run") or {}).get("run_id"),
                "task_id": (row.payload.get("info") or {}).get("task_id"),
                "tries": row.tries,
            }
            for row in rows
        ]
