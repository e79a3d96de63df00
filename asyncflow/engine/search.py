"""Search over all that has a name: DAGs, tasks, runs, datasets, pools, Connections and Variables (these by name only).

The whole name comes first, then names that begin with the text, then those with the text within.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from asyncflow.core.ranking import EXACT, PREFIX, best, best_of_many
from asyncflow.engine.dag_rows import DagCard
from asyncflow.engine.dataset_pages import DatasetPages
from asyncflow.engine.pages import Pages
from asyncflow.store.database import Store

#: characters of a text that are looked for
_LONGEST = 200


class Hit(NamedTuple):
    """A thing that was found."""

    rank: int  #: how well it answers: see `core.ranking`
    names: tuple[str, ...]  #: what it is called and where it belongs: see the fields of `Found`


class Found(NamedTuple):
    """What a search came to, the best first in each kind."""

    dags: list[Hit]  #: (dag_id, display name, schedule)
    tasks: list[Hit]  #: (dag_id, task_id)
    runs: list[Hit]  #: (dag_id, run_id, state): run ids are found by their beginning alone
    datasets: list[Hit]  #: (uri, name)
    pools: list[Hit]  #: (name,)
    connections: list[Hit]
    variables: list[Hit]


class _Tasks(NamedTuple):
    """The tasks of all DAGs."""

    cards: list[DagCard]  #: that they were made from
    names: list[tuple[str, str]]  #: (dag_id, task_id)
    folded: list[str]  #: their ids, case-folded


class SearchPages:
    """Reads for `/search`."""

    def __init__(self, store: Store, pages: Pages, datasets: DatasetPages) -> None:
        self._store = store
        self._pages = pages
        self._datasets = datasets
        self._tasks = _Tasks([], [], [])

    async def find(self, text: str, *, limit: int = 20) -> Found:
        """What answers to a text, at most `limit` of each kind."""
        text = text.strip()[:_LONGEST]
        wanted = text.casefold()
        if not wanted:
            return Found([], [], [], [], [], [], [])
        cards = await self._pages.cards()
        dags = best(cards, lambda card: (card.dag_id.casefold(), card.name.casefold()), wanted, limit)
        known = self._tasks_of(cards)
        tasks = best_of_many(known.folded, wanted, limit)
        rows = await self._datasets.datasets()
        datasets = best(rows, lambda row: (row.uri.casefold(), row.name.casefold()), wanted, limit)
        return Found(
            dags=[Hit(rank, (card.dag_id, card.name, card.schedule)) for rank, card in dags],
            tasks=[Hit(rank, known.names[place]) for rank, place in tasks],
            runs=await self._runs(text, limit),
            datasets=[Hit(rank, (row.uri, row.name)) for rank, row in datasets],
            pools=_named([pool.name for pool in await self._store.list_pools()], wanted, limit),
            connections=_named(await self._connections(), wanted, limit),
            variables=_named(await self._store.variable_names(), wanted, limit),
        )

    def _tasks_of(self, cards: list[DagCard]) -> _Tasks:
        known = self._tasks.cards
        if len(known) != len(cards) or any(a is not b for a, b in zip(known, cards, strict=True)):
            names = [(card.dag_id, task_id) for card in cards for task_id in card.task_ids]
            self._tasks = _Tasks(cards, names, [task_id.casefold() for _, task_id in names])
        return self._tasks

    async def _runs(self, text: str, limit: int) -> list[Hit]:
        rows = await self._store.runs_called(text, limit)
        rows += [row for row in await self._store.runs_named(text, limit) if row[1] != text]
        return [Hit(EXACT if row[1] == text else PREFIX, row) for row in rows[:limit]]

    async def _connections(self) -> list[str]:
        rows, _count, _types = await self._store.find_connections()
        return [row["conn_id"] for row in rows]


def _named(names: Iterable[str], wanted: str, limit: int) -> list[Hit]:
    return [Hit(rank, (name,)) for rank, name in best(dict.fromkeys(names), lambda it: (it.casefold(),), wanted, limit)]
