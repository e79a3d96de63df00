"""What pages show, worked out from the actions' answers: labels, durations, badges. Pure; `now` comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asyncflow.web import address, signs
from asyncflow.web.i18n import Language

_ACTIVE_RUN = ("queued", "running")
_ENDED = ("success", "failed", "skipped", "upstream_failed", "removed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Badge:
    """A state as it is shown."""

    state: str
    glyph: str  #: path of its sign, see signs.py
    label: str
    count: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A run in a list."""

    dag_id: str
    run_id: str
    run_type: str
    badge: Badge
    logical_date: str | None
    started_at: str | None
    ended_at: str | None
    duration: str
    triggered_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetLine:
    """A dataset that the next run of a DAG waits for."""

    uri: str
    updated_at: str | None  #: since when its update waits for the others; None: it is awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class DagLine:
    """A DAG in the list."""

    dag_id: str
    name: str
    description: str
    owner: str
    tags: tuple[str, ...]
    paused: bool
    active: bool
    schedule: str
    schedule_words: str
    next_run: str | None  #: ISO text, for the machine
    next_run_words: str
    datasets: tuple[DatasetLine, ...]  #: those its next run waits for
    datasets_words: str
    last_run: RunLine | None
    counts: tuple[Badge, ...]
    broken: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskLine:
    """A task instance in the list of a run."""

    task_id: str
    map_index: int
    name: str
    operator: str
    badge: Badge
    try_number: int
    started_at: str | None
    duration: str
    why: str
    has_log: bool


def badge(state: str | None, count: int | None = None) -> Badge:
    """The badge of a task or run state."""
    name = state or "none"
    return Badge(
        state=name, glyph=signs.sign(state), label=name.replace("_", " ") if state else "no status", count=count
    )


def dag_lines(dags: Sequence[Mapping[str, Any]], now: datetime) -> list[DagLine]:
    """The list of DAGs that are in the folder, by name."""
    shown = [dag for dag in dags if dag["active"]]
    return [_dag_line(dag, now) for dag in sorted(shown, key=lambda dag: str(dag["display_name"]).casefold())]


def _dag_line(dag: Mapping[str, Any], now: datetime) -> DagLine:
    due = _parse(dag["next_run_after"])
    datasets = tuple(DatasetLine(uri=uri, updated_at=at) for uri, at in dag["datasets"].items())
    return DagLine(
        dag_id=dag["dag_id"],
        name=dag["display_name"] or dag["dag_id"],
        description=dag["description"] or "",
        owner=dag["owner"],
        tags=tuple(dag["tags"]),
        paused=dag["paused"],
        active=dag["active"],
        schedule=dag["schedule"],
        schedule_words=dag["schedule_words"],
        next_run=dag["next_run_after"],
        next_run_words="" if due is None else relative_text(due, now),
        datasets=datasets,
        datasets_words=datasets_words(dag["dataset_condition"], datasets),
        last_run=run_line(dag["last_run"]) if dag["last_run"] else None,
        counts=tuple(
            badge(state, dag["run_states"][state])
            for state in ("queued", "running", "success", "failed")
            if dag["run_states"].get(state)
        ),
        broken=dag["import_error"],
    )


def datasets_words(condition: str | None, datasets: Sequence[DatasetLine]) -> str:
    """How far a DAG that is scheduled by datasets has come."""
    if condition is None:
        return ""
    updated = sum(line.updated_at is not None for line in datasets)
    if len(datasets) <= 1:
        return f"when {condition} is updated"
    return f"{updated} of {len(datasets)} datasets updated"


def run_line(run: Mapping[str, Any]) -> RunLine:
    """One run. A run that has not ended shows how long it took so far."""
    return RunLine(
        dag_id=run["dag_id"],
        run_id=run["run_id"],
        run_type=run["run_type"],
        badge=badge(run["state"]),
        logical_date=run["logical_date"],
        started_at=run["started_at"],
        ended_at=run["ended_at"],
        duration=duration_text(run["duration"]),
        triggered_by=run["triggered_by"],
    )


def task_lines(tasks: Sequence[Mapping[str, Any]]) -> list[TaskLine]:
    """The task instances of a run, in the order given; an ended one waits for nothing, so it shows no reason."""
    return [
        TaskLine(
            task_id=ti["task_id"],
            map_index=ti["map_index"],
            name=instance_name(ti["task_id"], ti["map_index"], ti["rendered_map_index"]),
            operator=ti["operator"],
            badge=badge(ti["state"]),
            try_number=ti["try_number"],
            started_at=ti["started_at"],
            duration=duration_text(ti["duration"]),
            why="" if ti["state"] in _ENDED else ti.get("why") or "",
            has_log=ti["started_at"] is not None,
        )
        for ti in tasks
    ]


def instance_name(task_id: str, map_index: int, rendered: str | None = None) -> str:
    """`task`, or `task[3]`, or `task[its label]` for a copy of a mapped task."""
    return task_id if map_index < 0 else f"{task_id}[{rendered or map_index}]"


def is_active(state: str | None) -> bool:
    """Whether a run in this state may still change by itself, so that its page must look again."""
    return state in _ACTIVE_RUN


def has_ended(state: str | None) -> bool:
    """Whether a task instance in this state writes no more log."""
    return state in _ENDED


def moment_text(text: str | None) -> str:
    """ISO text as `2024-01-31 10:00:00 UTC`, or with its offset; "" for none."""
    when = _parse(text)
    if when is None:
        return ""
    zone = "UTC" if when.utcoffset() == timedelta(0) else f"{when:%z}"
    return f"{when:%Y-%m-%d %H:%M:%S} {zone}"


def duration_text(seconds: float | None) -> str:
    """`0.42 s`, `12.3 s`, `3 min 20 s`, `2 h 5 min`, `3 d 4 h`; "" for none."""
    if seconds is None:
        return ""
    if seconds < 10:
        return f"{max(seconds, 0):.2f} s"
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for size, big, rest, small in ((86400, "d", 3600, "h"), (3600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            tail = whole % size // rest
            return f"{whole // size} {big}" + (f" {tail} {small}" if tail else "")
    return f"{whole} s"


def relative_text(when: datetime, now: datetime) -> str:
    """`in 3 h`, `2 min ago`, `now`: the largest unit only, so that a page need not count seconds for hours."""
    seconds = (when - now).total_seconds()
    if abs(seconds) < 1:
        return "now"
    size, unit = next(
        (size, unit) for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")) if abs(seconds) >= size
    )
    amount = f"{int(abs(seconds) // size)} {unit}"
    return f"in {amount}" if seconds > 0 else f"{amount} ago"


def _parse(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Links to the pages before and after one, None where there is none."""

    previous: str | None
    next: str | None
    words: str  #: what part is shown


def links(params: Mapping[str, str], offset: int, limit: int, shown: int, count: int | None, _: Language) -> Links:
    """Where the other pages of a list are. `count` None: not known, and `shown` is one more when there are more."""
    number = offset // limit + 1
    more = offset + shown < count if count is not None else shown > limit
    last = offset + min(shown, limit)
    words = _("{first} to {last}", first=f"{min(offset + 1, last):,}", last=f"{last:,}")
    if count is not None:
        words = _("{first} to {last} of {n}", first=f"{min(offset + 1, last):,}", last=f"{last:,}", n=f"{count:,}")
    return Links(
        previous=(address.query(params, page=number - 1 if number > 2 else None) or "?") if number > 1 else None,
        next=address.query(params, page=number + 1) if more else None,
        words=words,
    )


def lasted(start: datetime | None, end: datetime | None, now: datetime) -> float | None:
    """Seconds from start to end, or until now while it has not ended; None before the start."""
    return None if start is None else ((end or now) - start).total_seconds()
