"""What the last action did: told once, by the address of the page that it leads to."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request

from asyncflow.web import address
from asyncflow.web.i18n import Language
from asyncflow.web.ports import actions_of
from asyncflow.web.templating import language

#: names in an address that say it: what, to the one of this name, to how many, and what undoes it
FIELDS = ("done", "name", "n", "undo")
#: what is said of one thing, by its name
NAMED = {
    "added": "{name} was added.",
    "changed": "{name} was changed.",
    "deleted": "{name} was deleted.",
}
#: what is said of any number
COUNTED = {
    "cleared": ("{n} task instance was cleared.", "{n} task instances were cleared."),
    "marked": ("{n} task instance was marked.", "{n} task instances were marked."),
    "ended": ("{n} task instance was ended.", "{n} task instances were ended."),
    "undone": ("{n} task instance is what it was.", "{n} task instances are what they were."),
    "runs_deleted": ("{n} run was deleted.", "{n} runs were deleted."),
    "deleted": ("{n} was deleted.", "{n} were deleted."),
    "paused": ("{n} DAG was paused.", "{n} DAGs were paused."),
    "unpaused": ("{n} DAG was unpaused.", "{n} DAGs were unpaused."),
    "triggered": ("{n} DAG was triggered.", "{n} DAGs were triggered."),
    "dags_deleted": ("{n} DAG was deleted.", "{n} DAGs were deleted."),
    "run_marked": (
        "The run was marked, and {n} task instance with it.",
        "The run was marked, and {n} task instances with it.",
    ),
    "imported": ("{n} Variable was imported.", "{n} Variables were imported."),
}


def after(back: str, done: str, **more: object) -> str:
    """The address `back`, with what was done there instead of what was done before; `more` as in `address.query`."""
    path, kept = without(back)
    return path + address.query(kept, done=done, **more)


def without(back: str) -> tuple[str, dict[str, str]]:
    """An address of ours as path and fields, without what the last action there did."""
    path, _, text = back.partition("?")
    return path, address.without(dict(parse_qsl(text)), *FIELDS)


def said(params: Mapping[str, str], _: Language) -> str:
    """The sentence on it; "" for none."""
    done, name, number = params.get("done", ""), params.get("name", ""), params.get("n", "")
    if name and done in NAMED:
        return _(NAMED[done], name=name)
    return _.n(*COUNTED[done], int(number)) if done in COUNTED and number.isdecimal() else ""


async def told(request: Request) -> dict[str, Any]:
    """The sentence and, as long as it can be undone, the name for that: for `macros.done`."""
    params = request.query_params
    undo = params.get("undo", "")
    can_undo = bool(undo) and await actions_of(request).can_undo(undo)
    return {"said": said(params, language(request)), "undo": undo if can_undo else ""}


async def told_here(request: Request, path: str) -> dict[str, Any]:
    """As `told`, with the address of this page, which is at `path`, for `macros.done` to lead back to."""
    kept = address.without(request.query_params, *FIELDS)
    return {**await told(request), "here": path + address.query(kept)}
