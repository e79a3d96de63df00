"""The state of a page in its address: what of it a link changes, and what it keeps. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from urllib.parse import quote, urlencode

from asyncflow.engine.moments import moment
from asyncflow.errors import InvalidInput


@lru_cache(maxsize=4096)
def segment(text: str) -> str:
    """A value as one segment of an address."""
    return quote(text, safe="")


def dag_path(dag_id: str) -> str:
    """Where a DAG's pages are."""
    return f"/dags/{segment(dag_id)}"


def run_path(dag_id: str, run_id: str) -> str:
    """Where a run's page is."""
    return f"{dag_path(dag_id)}/runs/{segment(run_id)}"


def query(params: Mapping[str, str], /, **changed: object) -> str:
    """`?a=1&b=2`: `params` with some changed; None and "" leave a name out. "" when nothing is left."""
    merged = {**params, **{name: "" if value is None else str(value) for name, value in changed.items()}}
    kept = {name: value for name, value in merged.items() if value != "" and name != "have"}
    return f"?{urlencode(kept)}" if kept else ""


def fields(params: Mapping[str, str]) -> dict[str, str]:
    """The state of a page: `params` without `have`, which says what a browser that asks for a fragment shows."""
    return without(params, "have")


def without(params: Mapping[str, str], *names: str) -> dict[str, str]:
    """`params` without some of them."""
    return {name: value for name, value in params.items() if name not in names}


def number(params: Mapping[str, str], name: str, default: int, *, least: int = 0, most: int = 1_000_000) -> int:
    """A whole number of the address, brought into its bounds. Raises InvalidInput for what is no number."""
    text = params.get(name, "")
    if not text:
        return default
    try:
        return max(least, min(most, int(text)))
    except ValueError:
        raise InvalidInput("{name}={text!r} in the address is not a whole number.", name=name, text=text) from None


def choice(params: Mapping[str, str], name: str, accepted: tuple[str, ...]) -> str | None:
    """One of `accepted`, None when it is not given. Raises InvalidInput for anything else."""
    text = params.get(name, "")
    if text and text not in accepted:
        raise not_accepted(name, text, accepted)
    return text or None


def not_accepted(name: str, text: str, accepted: Iterable[str]) -> InvalidInput:
    """The refusal of a value that is none of the few that a field of the address takes."""
    row = tuple(map(str, accepted))
    return InvalidInput("{name}={text!r} in the address: accepted are {row}.", name=name, text=text, row=row)


def date(params: Mapping[str, str], name: str) -> datetime | None:
    """A moment of the address as aware UTC. Raises InvalidInput for what is no date."""
    return moment(params.get(name), name)


def task_path(dag_id: str, run_id: str, task_id: str, map_index: int = -1, page: str = "") -> str:
    """Where the pages of a task instance are."""
    path = f"{run_path(dag_id, run_id)}/tasks/{segment(task_id)}{page}"
    return f"{path}?map_index={map_index}" if map_index >= 0 else path
