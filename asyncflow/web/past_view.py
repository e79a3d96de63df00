"""The way back in time: the minute of a page's address, and the links and the slider that move it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from asyncflow.core.models import DagRun
from asyncflow.errors import InvalidInput
from asyncflow.web import address

_STEPS = (
    ("−1 d", timedelta(days=-1)),
    ("−1 h", timedelta(hours=-1)),
    ("−1 min", timedelta(minutes=-1)),
    ("+1 min", timedelta(minutes=1)),
    ("+1 h", timedelta(hours=1)),
    ("+1 d", timedelta(days=1)),
)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slider:
    """A slider over the time of a page's runs, a step a minute."""

    at: datetime | None  #: None: now
    field: str  #: as a field of the kind datetime-local has it, UTC
    start: datetime
    minutes: int  #: from its left end to now
    value: int
    steps: tuple[tuple[str, str], ...]  #: (words, address); none that would leave the past


def asked(params: Mapping[str, str], now: datetime) -> datetime | None:
    """The minute of `?at=`, UTC; None when it is not given. Raises InvalidInput for what is not in the past."""
    at = address.date(params, "at")
    if at is not None and at > now:
        raise InvalidInput(
            "at={text!r} is still to come: how things were can be shown of past minutes only.", text=params["at"]
        )
    return at


def slider(params: Mapping[str, str], runs: Sequence[DagRun], at: datetime | None, now: datetime) -> Slider:
    """The slider of a page that shows these runs."""
    first = min([run.started_at or run.run_after for run in runs], default=now)
    start = min([first, now, *([at] if at else [])]).replace(second=0, microsecond=0)
    shown = at or now
    steps = [
        (words, address.query(params, at=minute_text(shown + step))) for words, step in _STEPS if shown + step <= now
    ]
    return Slider(
        at=at,
        field=minute_text(at) if at else "",
        start=start,
        minutes=(now - start) // _MINUTE,
        value=(shown - start) // _MINUTE,
        steps=tuple(steps),
    )


def minute_text(moment: datetime) -> str:
    """`2026-01-31T10:05`."""
    return f"{moment:%Y-%m-%dT%H:%M}"
