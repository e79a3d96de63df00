"""Which DAGs wait for which datasets, and when they have all they wait for.

As in Airflow: an update of a dataset is queued for each DAG whose schedule names it (or an alias under which it was
ever updated) and that is not paused; once the condition over the queued datasets is met, the DAG gets one run for all
updates so far, and its queue begins anew. The run's logical date is the moment at which the last dataset was queued,
its data interval spans those of the runs that made the updates.

The board keeps no events: of each DAG it knows what is queued since when, and two spans of time. That is enough for the
data interval, and the store finds the events of a run by the moments between which they happened.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from asyncflow.core.commands import Journal, SaveDatasetConsumer, SaveDatasetEvent, SaveDatasetQueue, TakeDatasetEvents
from asyncflow.core.ledger import Ledger
from asyncflow.core.models import DatasetConsumer, DatasetState, TaskKey
from asyncflow.core.timetable import DataInterval

_TICK = timedelta(microseconds=1)


class Source(NamedTuple):
    """The task instance that made an update, and the data interval of its run."""

    key: TaskKey
    interval: DataInterval | None = None


class Trigger(NamedTuple):
    """The run that a DAG is to get."""

    logical_date: datetime
    data_interval: DataInterval


def met(expression: Any, queued: Mapping[str, Any], aliases: Mapping[str, Iterable[str]]) -> bool:
    """Whether a condition holds. `queued`: the datasets that were updated; `aliases`: the datasets behind each.

    What an asset is called beside its URI counts as an alias of it.
    """
    if isinstance(expression, str):
        return expression in queued or any(uri in queued for uri in aliases.get(expression, ()))
    if "alias" in expression:
        return any(uri in queued for uri in aliases.get(expression["alias"], ()))
    if "any" in expression:
        return any(met(part, queued, aliases) for part in expression["any"])
    return all(met(part, queued, aliases) for part in expression["all"])


def names(expression: Any) -> tuple[list[str], list[str]]:
    """The datasets and the aliases that a condition names, each once, in order."""
    uris: dict[str, None] = {}
    aliases: dict[str, None] = {}
    parts = [expression]
    while parts:
        part = parts.pop(0)
        if isinstance(part, str):
            uris[part] = None
        elif "alias" in part:
            aliases[part["alias"]] = None
        else:
            parts = [*(part.get("any") or part.get("all") or ()), *parts]
    return list(uris), list(aliases)


def resolve(uris: Iterable[str], aliases: Iterable[str], known: Mapping[str, Iterable[str]]) -> list[str]:
    """The datasets that names in a condition may stand for: a URI may be the name of an asset with another one."""
    behind = [uri for name in (*uris, *aliases) for uri in known.get(name, ())]
    return list(dict.fromkeys([*uris, *behind]))


def words(expression: Any) -> str:
    """A condition as people write it: `a and (b or c)`."""
    if isinstance(expression, str):
        return expression
    if "alias" in expression:
        return f"alias {expression['alias']}"
    parts, word = (expression["any"], " or ") if "any" in expression else (expression["all"], " and ")
    texts = [words(part) for part in parts]
    several = [len(part.get("any") or part.get("all") or ()) > 1 if isinstance(part, dict) else False for part in parts]
    bracketed = [f"({text})" if many else text for text, many in zip(texts, several, strict=True)]
    return word.join(bracketed) if len(parts) > 1 else word.join(texts)


def _span(*spans: DataInterval | None) -> DataInterval:
    known = [span for span in spans if span is not None]
    return DataInterval(min(span.start for span in known), max(span.end for span in known))


class _Waiting:
    """One DAG that is scheduled by datasets."""

    def __init__(self, known: DatasetConsumer) -> None:
        self.dag_id = known.dag_id
        self.since = known.since  #: its next run gets the events after this moment
        self.queued = dict(known.queued)
        self.paused = known.paused
        self.before = known.before  #: span of the events up to the last one that was queued: those of the next run
        self.after = known.after  #: span of those that came later: left to the run after the next
        self.expression: Any = None
        self.uris: list[str] = []
        self.aliases: list[str] = []
        self.say(known.expression)

    def say(self, expression: Any) -> None:
        """Wait for this from now on."""
        self.expression = expression
        self.uris, self.aliases = names(expression)


class Board:
    """All DAGs that wait for datasets. Synchronous; writes go to the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: dict[str, _Waiting] = {}
        self._by_uri: dict[str, dict[str, None]] = {}  #: dataset -> dag_ids that may have it in their queue
        self._aliases: dict[str, dict[str, None]] = {}  #: alias -> the datasets that were updated under it
        self._look: dict[str, None] = {}  #: DAGs to look at again
        self._last_at: datetime | None = None
        self._last_id = 0

    def load(self, state: DatasetState) -> None:
        """Take over what the store knows; once, before anything else."""
        known = [consumer.since for consumer in state.consumers] + ([state.last_at] if state.last_at else [])
        self._last_at, self._last_id = max(known, default=None), state.last_id
        self._aliases = {alias: dict.fromkeys(uris) for alias, uris in state.aliases.items()}
        for consumer in state.consumers:
            self._waiting[consumer.dag_id] = _Waiting(consumer)
            self.look_again(consumer.dag_id)
        self._index()

    def put(self, dag_id: str, expression: Any, *, paused: bool, now: datetime) -> None:
        """A DAG as its newest version has it; None: its schedule names no dataset."""
        waiting = self._waiting.get(dag_id)
        if expression is None:
            if waiting is not None:
                del self._waiting[dag_id]
                self._ledger.write(SaveDatasetConsumer(dag_id=dag_id, since=None))
                self._index()
            return
        if waiting is None:
            # A moment that no event has, nor will have: one that is told late (by a task's process that outlived
            # the server) belongs to what comes after.
            since = self._last_at = now if self._last_at is None else max(now, self._last_at)
            known = DatasetConsumer(dag_id=dag_id, expression=expression, since=since, paused=paused)
            waiting = self._waiting[dag_id] = _Waiting(known)
            self._save(waiting)
            self._index_one(waiting)
        elif waiting.expression != expression:
            waiting.say(expression)
            wanted = self._uris_of(waiting)
            waiting.queued = {uri: at for uri, at in waiting.queued.items() if uri in wanted}
            self._save(waiting)
            self._index()
        waiting.paused = paused
        self.look_again(dag_id)

    def set_paused(self, dag_id: str, paused: bool) -> None:
        """While a DAG is paused, or its file is gone, nothing is queued for it."""
        waiting = self._waiting.get(dag_id)
        if waiting is not None:
            waiting.paused = paused
            self.look_again(dag_id)

    def forget_queue(self, dag_id: str, uri: str | None = None) -> list[str]:
        """Take one dataset, or all, out of the queue of a DAG; returns what was in it."""
        waiting = self._waiting.get(dag_id)
        dropped = [name for name in (waiting.queued if waiting else ()) if uri in (None, name)]
        if waiting is not None and dropped:
            waiting.queued = {name: at for name, at in waiting.queued.items() if name not in dropped}
            self._save(waiting)
        return dropped

    def _save(self, waiting: _Waiting) -> None:
        keep = tuple(waiting.queued)
        self._ledger.write(SaveDatasetConsumer(dag_id=waiting.dag_id, since=waiting.since, queued=keep))

    def _index(self) -> None:
        self._by_uri = {}
        for waiting in self._waiting.values():
            self._index_one(waiting)

    def _index_one(self, waiting: _Waiting) -> None:
        for uri in self._uris_of(waiting):
            self._by_uri.setdefault(uri, {})[waiting.dag_id] = None

    def _uris_of(self, waiting: _Waiting) -> list[str]:
        return resolve(waiting.uris, waiting.aliases, self._aliases)

    # ---- updates ----------------------------------------------------------------------------------------------------

    def updated(
        self,
        uri: str,
        *,
        now: datetime,
        name: str = "",
        extra: Mapping[str, Any] | None = None,
        aliases: Iterable[str] = (),
        source: Source | None = None,
        actor: str = "scheduler",
    ) -> SaveDatasetEvent:
        """A dataset was updated by a task (`source`) or from outside. Moments are made distinct: they give an order."""
        at = now if self._last_at is None else max(now, self._last_at + _TICK)
        self._last_at, self._last_id = at, self._last_id + 1
        span = (source.interval if source else None) or DataInterval(at, at)
        key = source.key if source else TaskKey("", "", "")
        event = SaveDatasetEvent(
            event_id=self._last_id,
            uri=uri,
            name=name,
            at=at,
            extra=dict(extra or {}),
            aliases=tuple(aliases),
            source_dag_id=key.dag_id,
            source_run_id=key.run_id,
            source_task_id=key.task_id,
            source_map_index=key.map_index,
            span_start=span.start,
            span_end=span.end,
        )
        self._ledger.write(event)
        self._journal(event, actor)
        self._note_aliases(event.uri, [*event.aliases, event.name] if event.name else event.aliases)
        for dag_id in self._by_uri.get(uri, ()):
            self._count(self._waiting[dag_id], uri, at, span)
        return event

    def _journal(self, event: SaveDatasetEvent, actor: str) -> None:
        self._ledger.write(
            Journal(
                at=event.at,
                event="dataset.updated",
                dag_id=event.source_dag_id,
                run_id=event.source_run_id,
                task_id=event.source_task_id,
                map_index=event.source_map_index,
                actor=actor,
                details={"uri": event.uri, "event_id": event.event_id},
            )
        )

    def _note_aliases(self, uri: str, aliases: Iterable[str]) -> None:
        grown = [alias for alias in aliases if uri not in self._aliases.get(alias, ())]
        for alias in grown:
            self._aliases.setdefault(alias, {})[uri] = None
        if grown:
            self._index()

    def _count(self, waiting: _Waiting, uri: str, at: datetime, span: DataInterval) -> None:
        """An event for one DAG: queued if it is the first of its dataset, else left for the run after the next."""
        if waiting.paused or uri in waiting.queued:
            waiting.after = _span(waiting.after, span)
            return
        waiting.queued[uri] = at
        waiting.before, waiting.after = _span(waiting.before, waiting.after, span), None
        self._ledger.write(SaveDatasetQueue(dag_id=waiting.dag_id, uri=uri, at=at))
        self.look_again(waiting.dag_id)

    # ---- runs -------------------------------------------------------------------------------------------------------

    def look_again(self, dag_id: str) -> None:
        """Something has changed that a run may have waited for: an update, a pause, room for another run."""
        self._look[dag_id] = None

    def ripe(self) -> list[str]:
        """DAGs that have all they wait for, of those to be looked at; each is named once until `look_again`."""
        wanted, self._look = self._look, {}
        return [dag_id for dag_id in wanted if self.is_met(dag_id)]

    def is_met(self, dag_id: str) -> bool:
        """Whether a DAG has all it waits for."""
        waiting = self._waiting.get(dag_id)
        return waiting is not None and bool(waiting.queued) and met(waiting.expression, waiting.queued, self._aliases)

    def trigger(self, dag_id: str) -> Trigger:
        """The run that a ripe DAG is to get."""
        waiting = self._waiting[dag_id]
        date = max(waiting.queued.values())
        return Trigger(date, waiting.before or DataInterval(date, date))

    def take(self, dag_id: str, run_id: str) -> None:
        """The run is made: give it its events, begin the queue anew."""
        waiting = self._waiting[dag_id]
        date = max(waiting.queued.values())
        uris = tuple(self._uris_of(waiting))
        self._ledger.write(TakeDatasetEvents(dag_id=dag_id, run_id=run_id, uris=uris, after=waiting.since, upto=date))
        waiting.since, waiting.queued = date, {}
        waiting.before, waiting.after = waiting.after, None

    def waiters(self, uri: str) -> dict[str, bool]:
        """By DAG that would have an update of a dataset in its queue: whether its condition would be met by it.

        DAGs that are paused, or have an update of it queued already, are left out.
        """
        found = {}
        for dag_id in self._by_uri.get(uri, ()):
            waiting = self._waiting[dag_id]
            if not waiting.paused and uri not in waiting.queued:
                found[dag_id] = met(waiting.expression, {**waiting.queued, uri: True}, self._aliases)
        return found

    def queue_of(self, dag_id: str) -> dict[str, datetime | None]:
        """What a DAG waits for: by dataset, since when its update is queued; None = not yet updated."""
        waiting = self._waiting.get(dag_id)
        if waiting is None:
            return {}
        queue = {uri: waiting.queued.get(uri) for uri in self._uris_of(waiting)}
        return {uri: at for uri, at in queue.items() if at is not None or not self._aliases.get(uri)}
