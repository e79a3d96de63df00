"""What is said before and after many task instances or runs are changed at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asyncflow.web import address
from asyncflow.web.i18n import Language

#: how many of what is touched are listed, and of what an undo left alone for one reason
LISTED, LEFT_LISTED = 20, 500
#: what an action is called in an address, once it is done
DONE = {"clear": "cleared", "cancel": "ended", "delete": "runs_deleted"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What an action would do."""

    count: int  #: task instances, or (deletion) runs
    runs: int
    listed: tuple[str, ...]
    refused: tuple[str, ...]
    more_refused: int


def preview(verb: str, touched: Mapping[str, Any]) -> Preview:
    """From the answer of a dry run."""
    tasks, runs, refused = touched["tasks"], touched["runs"], touched["refused"]
    names = [run_name(*key) for key in runs] if verb == "delete" else [task_name(*key) for key in tasks]
    return Preview(
        count=len(names),
        runs=len({(key[0], key[1]) for key in (*tasks, *runs)}),
        listed=tuple(names[:LISTED]),
        refused=tuple(refused[:LISTED]),
        more_refused=max(0, len(refused) - LISTED),
    )


def task_name(dag_id: str, run_id: str, task_id: str, map_index: int) -> str:
    """A task instance in words."""
    copy = f"[{map_index}]" if map_index >= 0 else ""
    return f"{task_id}{copy} ({dag_id}, {run_id})"


def run_name(dag_id: str, run_id: str) -> str:
    """A run in words."""
    return f"{dag_id}, {run_id}"


def titles(_: Language) -> dict[str, str]:
    """What an action is called."""
    return {
        "clear": _("Clear"),
        "success": _("Mark success"),
        "failed": _("Mark failed"),
        "skipped": _("Mark skipped"),
        "cancel": _("Cancel what runs"),
        "delete": _("Delete runs"),
    }


@dataclass(frozen=True, slots=True)
class LeftAlone:
    """What an undo left alone for one reason."""

    said: str
    listed: tuple[tuple[str, str], ...]  #: name and address
    more: int


def left_alone(left: Sequence[Sequence[Any]], _: Language) -> list[LeftAlone]:
    """By reason, from the rows [dag_id, run_id, task_id, map_index, reason] of the answer."""
    by_reason: dict[str, list[tuple[str, str, str, int]]] = {}
    for dag_id, run_id, task_id, map_index, reason in left:
        by_reason.setdefault(reason, []).append((dag_id, run_id, task_id, map_index))
    return [
        LeftAlone(
            _left_words(reason, len(keys), _),
            tuple((task_name(*key), address.task_path(*key)) for key in keys[:LEFT_LISTED]),
            max(0, len(keys) - LEFT_LISTED),
        )
        for reason, keys in by_reason.items()
    ]


def _left_words(reason: str, n: int, _: Language) -> str:
    if reason == "was_at_work":
        return _.n("{n} was at work then: its process is gone.", "{n} were at work then: their processes are gone.", n)
    if reason == "tried":
        return _.n("{n} has been started since.", "{n} have been started since.", n)
    if reason == "made":
        return _.n("{n} was added since, and its run goes on.", "{n} were added since, and their run goes on.", n)
    return _.n("The run of {n} was deleted.", "The runs of {n} were deleted.", n)
