"""What has happened, for people: the journal, and what was late. Part of `engine.actions`."""

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
