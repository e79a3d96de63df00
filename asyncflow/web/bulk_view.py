"""What is said before and after many task instances or runs are changed at once. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from asyncflow.web.i18n import Language

#: how many of what is touched are listed
LISTED = 20
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
