"""Finding the DAG or run that a request names, or saying that there is none: what the parts of `Actions` share."""

from __future__ import annotations

from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.core.sentence import Sentence
from asyncflow.engine.files import DagFiles
from asyncflow.errors import NotFound
from asyncflow.store.database import Store, StoredDag


class Lookup:
    """Errors name what comes nearest to the name that was asked for."""

    _store: Store
    _files: DagFiles

    async def _stored(self, dag_id: str) -> StoredDag:
        dag = await self._store.load_dag(dag_id)
        if dag is None:
            raise NotFound("DAG", dag_id, [d.spec.dag_id for d in await self._store.load_dags()])
        return dag

    async def _live(self, dag_id: str) -> StoredDag:
        """A DAG that is to be changed or run: the scheduler knows it, unless its file is gone."""
        dag = await self._stored(dag_id)
        if dag.active:
            await self._files.ready(dag_id)
        return dag

    async def _run(self, dag_id: str, run_id: str) -> tuple[DagRun, list[TaskInstance]]:
        found = await self._store.load_run(dag_id, run_id)
        if found is None:
            await self._stored(dag_id)
            known = [run.run_id for run in await self._store.find_runs(dag_id=dag_id, limit=200)]
            raise NotFound(Sentence("run of DAG {dag!r} named", dag=dag_id), run_id, known)
        return found
