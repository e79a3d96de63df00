"""`airflow.models.XCom`: access to stored values by name, for code that does not go through `ti`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from asyncflow.authoring import xcom
from asyncflow.authoring.api import XComRow, current_api
from asyncflow.authoring.xcom import XCOM_RETURN_KEY
from asyncflow.core.models import TaskKey


class XCom:
    """One stored value; the class methods find, set and delete them."""

    def __init__(self, row: XComRow) -> None:
        self.dag_id, self.task_id, self.run_id = row.dag_id, row.task_id, row.run_id
        self.map_index, self.key = row.map_index, row.key
        self._text = row.value

    @property
    def value(self) -> Any:
        return xcom.decode(self._text)

    def __repr__(self) -> str:
        return f'<XCom "{self.key}" ({self.task_id} @ {self.run_id})>'

    @staticmethod
    def serialize_value(value: Any, **_: Any) -> str:
        return xcom.encode(value)

    @staticmethod
    def deserialize_value(result: Any) -> Any:
        return result.value if isinstance(result, XCom) else xcom.decode(result)

    @classmethod
    def set(
        cls,
        key: str,
        value: Any,
        *,
        task_id: str,
        dag_id: str,
        run_id: str,
        map_index: int = -1,
        **_: Any,
    ) -> None:
        """Store a value at once."""
        current_api().xcom_set(TaskKey(dag_id, run_id, task_id, map_index), key, xcom.encode(value), None)

    @classmethod
    def get_many(
        cls,
        *,
        run_id: str,
        key: str | None = None,
        task_ids: str | Iterable[str] | None = None,
        dag_ids: str | Iterable[str] | None = None,
        map_indexes: int | Iterable[int] | None = None,
        include_prior_dates: bool = False,
        limit: int | None = None,
        **_: Any,
    ) -> list[XCom]:
        """The values that match, newest run first."""
        dags = [dag_ids] if isinstance(dag_ids, str) else list(dag_ids or [])
        tasks = [task_ids] if isinstance(task_ids, str) else None if task_ids is None else list(task_ids)
        indexes = [map_indexes] if isinstance(map_indexes, int) else None if map_indexes is None else list(map_indexes)
        rows = [
            row
            for dag_id in dags
            for row in current_api().xcom_rows(
                dag_id=dag_id,
                run_id=run_id,
                task_ids=tasks,
                key=key,
                map_indexes=indexes,
                include_prior_dates=include_prior_dates,
            )
        ]
        return [cls(row) for row in rows[:limit]]

    @classmethod
    def get_one(
        cls,
        *,
        run_id: str,
        dag_id: str,
        task_id: str | None = None,
        key: str = XCOM_RETURN_KEY,
        map_index: int = -1,
        include_prior_dates: bool = False,
        **_: Any,
    ) -> Any:
        """One value, or None."""
        found = cls.get_many(
            run_id=run_id,
            key=key,
            task_ids=task_id,
            dag_ids=dag_id,
            map_indexes=map_index,
            include_prior_dates=include_prior_dates,
            limit=1,
        )
        return found[0].value if found else None

    @classmethod
    def get_value(cls, *, ti_key: Any, key: str = XCOM_RETURN_KEY, **_: Any) -> Any:
        """One value of the task instance that `ti.key` names, or None."""
        return cls.get_one(
            run_id=ti_key.run_id, dag_id=ti_key.dag_id, task_id=ti_key.task_id, key=key, map_index=ti_key.map_index
        )

    @classmethod
    def clear(cls, *, dag_id: str, task_id: str, run_id: str, map_index: int = -1, **_: Any) -> None:
        """Delete all values of a task instance."""
        current_api().xcom_clear(TaskKey(dag_id, run_id, task_id, map_index))
