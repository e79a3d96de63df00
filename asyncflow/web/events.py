"""The live stream: one per tab, which tells the page that something it shows has changed.

A tab names what it shows in the address (`/events?since=...&dags=1&dag=etl`); an event is just the name of a topic, and
the fragments of the page that show it fetch themselves anew. So an idle tab makes no requests, a slow one cannot make
the server remember more than the names of its topics, and a page is made in one place. The lines of a log alone come
as they are shown (`log_feed`): asking for each would cost more.

The id of an event is a mark of `engine.changes`, which has the number of the journal's line. A browser that comes back
sends the last one it saw; when what happened since is not known any more, all its topics count as changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from time import monotonic

import anyio
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from asyncflow.core.models import TaskKey
from asyncflow.core.states import RunType
from asyncflow.engine.audit import AUDIT
from asyncflow.engine.changes import CONNECTIONS, POOLS, VARIABLES, Changes, Mark, Named
from asyncflow.errors import InvalidInput
from asyncflow.web.log_feed import LogFeeds, Reader, Shown
from asyncflow.web.pacing import FEW, Budget, Ticks
from asyncflow.web.run_feed import BACKLOG, RunLogFeeds, ShownRun

#: seconds between two signs of life on a stream where nothing happens
HEARTBEAT = 15.0
#: seconds between two events of a topic to one tab
PACE = {
    "run": 0.1,
    "dag": 0.25,
    "dags": 1.0,
    "runs": 1.0,
    "datasets": 1.0,
    "pools": 0.5,
    "variables": 1.0,
    "connections": 1.0,
    "audit": 1.0,
}
PACE |= {"server": 1.9, "serverlog": 0.5}
#: topics of the pages about the server itself: they go by the clock and by its log, not by commits
_ANNOUNCED = frozenset({"server", "serverlog"})
#: how the ids of runs begin that came of datasets
_BY_DATASETS = f"{RunType.DATASET_TRIGGERED}__"
#: to a tab that may have missed lines: it asks for what it has not
_LOG_MISSED = "event: log\ndata: \n\n"


@dataclass(slots=True)
class Tab:
    """One open stream."""

    topics: Mapping[str, Callable[[frozenset[Named]], bool]]  #: topic -> whether a change is about it
    log: Shown | ShownRun | None = None  #: a log, or that of a whole run, that is shown and grows
    about: str = ""  #: the DAG and the run that it shows
    first: dict[str, Mark] = field(default_factory=dict)  #: topic -> first change about it that the tab was not told of
    latest: dict[str, Mark] = field(default_factory=dict)  #: topic -> last change about it
    free_at: dict[str, float] = field(default_factory=dict)  #: topic -> when its own turn comes
    due_at: dict[str, float] = field(default_factory=dict)  #: topic -> its place among all tabs
    pending: set[str] = field(default_factory=set)
    woken: anyio.Event = field(default_factory=anyio.Event)
    lines: Reader = field(init=False)  #: what is new in the log

    def __post_init__(self) -> None:
        self.lines = Reader(lambda: self.woken.set())
        if isinstance(self.log, ShownRun):
            self.lines.most = BACKLOG

    def tell(self, names: frozenset[Named], mark: Mark) -> None:
        """Something has changed."""
        for topic, about in self.topics.items():
            if about(names):
                self.latest[topic] = mark
                if topic not in self.pending:
                    self.first[topic] = mark
                    self.pending.add(topic)
                    self.woken.set()


class Live:
    """All open streams of a server."""

    def __init__(self, changes: Changes, healthy: Callable[[], bool], feeds: LogFeeds, run_feeds: RunLogFeeds) -> None:
        self._changes = changes
        self._feeds = feeds
        self.run_feeds = run_feeds
        self._healthy = healthy
        self._tabs: list[Tab] = []
        self._ticks = Ticks()
        self.budget = Budget()  #: of what tabs fetch
        changes.listen(self._tell)

    @property
    def mark(self) -> Mark:
        """How far the server has come."""
        return self._changes.mark

    @property
    def open_tabs(self) -> int:
        """How many streams are open."""
        return len(self._tabs)

    def _tell(self, names: frozenset[Named]) -> None:
        for tab in self._tabs:
            tab.tell(names, self.mark)
        self._feeds.changed(names)
        self.run_feeds.changed(names)

    def announce(self, topic: str) -> None:
        """Something has changed that is in no commit: a topic of `_ANNOUNCED`."""
        for tab in self._tabs:
            if topic in tab.topics and topic not in tab.pending:
                tab.pending.add(topic)
                tab.woken.set()

    async def stream(self, tab: Tab, since: str) -> AsyncIterator[str]:
        """The text of a stream, until it is closed. `since`: the mark that the tab has seen."""
        self._tabs.append(tab)
        has_all_lines = self._join(tab)
        try:
            missed = self._changes.since(since)
            if missed is None:
                tab.pending |= set(tab.topics)
                tab.first = dict.fromkeys(tab.topics, self.mark)
            else:
                tab.tell(missed, self.mark)
            yield f"retry: 500\n{self._id(tab)}\n"
            if not has_all_lines:
                yield _LOG_MISSED
            async for text in self._events(tab):
                yield text
        finally:
            self._tabs.remove(tab)
            if isinstance(tab.log, Shown):
                self._feeds.leave(tab.log, tab.lines)
            elif tab.log is not None:
                self.run_feeds.leave(tab.log, tab.lines)

    def _join(self, tab: Tab) -> bool:
        """Have a tab told of new lines; False: it should ask whether there are some already."""
        if isinstance(tab.log, Shown):
            self._feeds.join(tab.log, tab.lines)
            return False
        return tab.log is None or self.run_feeds.join(tab.log, tab.lines)

    async def _events(self, tab: Tab) -> AsyncIterator[str]:
        beat, well = monotonic() + HEARTBEAT, True
        while True:
            tab.woken = anyio.Event()
            now = monotonic()
            ready = [topic for topic in sorted(tab.pending) if self._due(tab, topic, now) <= now]
            told = {topic: self._told(tab, topic, now) for topic in ready}
            for topic in ready:
                yield f"event: {topic}\n{self._id(tab) if topic == ready[-1] else ''}data: {told[topic]}\n\n"
            for news in tab.lines.take():
                yield _LOG_MISSED if news is None else f"event: log\ndata: {news}\n\n"
            if self._healthy() is not well:
                well = not well
                yield f"event: health\ndata: {'good' if well else 'bad'}\n\n"
            if now >= beat:
                beat = now + HEARTBEAT
                yield "event: beat\n\n"
            due = min([beat, *(self._due(tab, topic, now) for topic in tab.pending)])
            with anyio.move_on_after(max(0.0, due - monotonic())):
                await tab.woken.wait()

    def _id(self, tab: Tab) -> str:
        """The line with the id, once a tab has been told everything up to it: it may be cut off after any event."""
        return "" if tab.pending else f"id: {self.mark}\n"

    def _due(self, tab: Tab, topic: str, now: float) -> float:
        """When a tab may be told of a topic: once its own turn has come, its place in the queue of all tabs."""
        if topic not in tab.due_at:
            turn = tab.free_at.get(topic, 0.0)
            tick = self._ticks.present((topic, tab.about), now)
            if tick is not None and topic in tab.first and tick.mark < tab.first[topic]:
                turn = max(turn, tick.over_at)  # this tick knows nothing of it
            if turn > now:
                return turn
            tab.due_at[topic] = self.budget.reserve(topic, now, len(self._tabs))
        return tab.due_at[topic]

    def _told(self, tab: Tab, topic: str, now: float) -> str:
        """Tell a tab of a topic: which topic, and the mark that what it fetches must have reached."""
        tab.pending.discard(topic)
        del tab.due_at[topic]
        # after a rest two at once: the end of a task and the start of the next are a moment apart
        tab.free_at[topic] = max(tab.free_at.get(topic, 0.0), now - PACE[topic]) + PACE[topic]
        if topic in _ANNOUNCED:
            return topic
        lasts = max(PACE[topic] if len(self._tabs) > FEW else 0.0, self.budget.behind(now))
        tick = self._ticks.tick((topic, tab.about), now, self.mark, lasts)
        if topic in tab.latest and tick.mark < tab.latest[topic]:  # what came since is for the next tick
            tab.first[topic] = tab.latest[topic]
            tab.pending.add(topic)
        return f"{topic} {tick.mark}"


def _holds(name: Named, names: frozenset[Named]) -> bool:
    return name in names


#: topics of lists -> whether a change is about them
_TOPICS: Mapping[str, Callable[[frozenset[Named]], bool]] = {
    "dags": lambda names: any(not dag_id.startswith(" ") for dag_id, _ in names),
    "pools": lambda names: any(run_id or dag_id == POOLS for dag_id, run_id in names),
    "variables": partial(_holds, (VARIABLES, "")),
    "connections": partial(_holds, (CONNECTIONS, "")),
    "runs": lambda names: any(run_id for _, run_id in names),
    # what is of no run (events of datasets, what is queued, DAGs), and the runs that came of events
    "datasets": lambda names: any(not run_id or run_id.startswith(_BY_DATASETS) for _, run_id in names),
    "audit": partial(_holds, (AUDIT, "")),
    **dict.fromkeys(_ANNOUNCED, lambda names: False),
}


def topics_of(params: Mapping[str, str]) -> dict[str, Callable[[frozenset[Named]], bool]]:
    """What the address of a stream names: topics of lists, `dag=<id>`, and `run=<run id>` of that DAG."""
    topics = {name: about for name, about in _TOPICS.items() if name in params}
    dag_id, run_id = params.get("dag"), params.get("run")
    if dag_id is not None:
        topics["dag"] = lambda names: any(name[0] == dag_id for name in names)
        if run_id is not None:
            topics["run"] = lambda names: (dag_id, run_id) in names or (dag_id, "") in names
    return topics


async def events(request: Request) -> Response:
    """`GET /events`. A browser that comes back says in `Last-Event-ID` what it saw last."""
    params = request.query_params
    live: Live = request.app.state.live
    about = "\n".join(params.get(name, "") for name in ("dag", "run"))
    tab = Tab(topics=topics_of(params), log=_log(request), about=about)
    since = request.headers.get("last-event-id") or params.get("since", "")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(live.stream(tab, since), media_type="text/event-stream", headers=headers)


def _log(request: Request) -> Shown | ShownRun | None:
    """The log that the address names: `log=<try>`, with `dag`, `run`, `task` and perhaps `map` and `level`.

    Or `lines=<what the tab has>` with `dag`, `run`, and perhaps `level` and `find`: that of the run.
    """
    params = request.query_params
    if "lines" in params and {"dag", "run"} <= params.keys():
        least, find = params.get("level", ""), params.get("find", "")
        return ShownRun(params["dag"], params["run"], params["lines"], least, find)
    if "log" not in params:
        return None
    try:
        key = TaskKey(params["dag"], params["run"], params["task"], int(params.get("map", -1)))
        return Shown(key, int(params["log"]), params.get("level", ""))
    except (KeyError, ValueError):
        raise InvalidInput("A log is named by dag, run, task, map and log, the number of its try.") from None
