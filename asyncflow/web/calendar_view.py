"""The days of a year with the runs of a DAG: what became of them, and what is planned. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby

from asyncflow.web.address import dag_path, query
from asyncflow.web.i18n import ENGLISH, Language

#: weeks on one page
WEEKS = 53
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
#: which state a day with several runs takes, first that is there
_GRAVITY = ("failed", "running", "queued", "success")
_DAY = timedelta(days=1)
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day. `state` is that of its gravest run, "planned", or "" when there is nothing."""

    date: date
    state: str
    title: str
    href: str
    many: int


def first_day(last: date) -> date:
    """The Monday on which the page starts whose last week has the day `last`."""
    return last - timedelta(days=last.weekday()) - timedelta(weeks=WEEKS - 1)


def weeks(
    dag_id: str,
    first: date,
    counts: Mapping[int, Mapping[str, int]],
    planned: Sequence[datetime],
    today: date,
    begin: date | None,
    _: Language = ENGLISH,
) -> list[list[Day]]:
    """Seven rows (Monday first) of a day per week. `counts` by days since 1970; `begin` = start date of the DAG."""
    coming: dict[date, list[datetime]] = {}
    for moment in planned:
        coming.setdefault(moment.astimezone(UTC).date(), []).append(moment)
    rows: list[list[Day]] = []
    for weekday in range(7):
        days = [first + timedelta(weeks=week, days=weekday) for week in range(WEEKS)]
        rows.append(
            [
                _day(dag_id, day, counts.get((day - _EPOCH).days, {}), coming.get(day, []), today, begin, _)
                for day in days
            ]
        )
    return rows


def _day(
    dag_id: str,
    day: date,
    counts: Mapping[str, int],
    coming: Sequence[datetime],
    today: date,
    begin: date | None,
    _: Language,
) -> Day:
    path = dag_path(dag_id)
    many = sum(counts.values())
    words = [f"{counts[state]} {_.state(state)}" for state in _GRAVITY if counts.get(state)]
    if coming:
        times = ", ".join(f"{moment:%H:%M}" for moment in coming[:5])
        text = "{n} planned for {times} and later" if len(coming) > 5 else "{n} planned for {times}"
        words.append(_(text, n=len(coming), times=times))
    if many:
        state = next(state for state in _GRAVITY if counts.get(state))
        href = f"{path}/grid{query({}, until=f'{day + 2 * _DAY}')}"
    elif coming:
        state, href = "planned", f"{path}/day/{day}"
    else:
        state, href = "", ""
        if (begin is None or day >= begin) and day < today:
            href = f"{path}/day/{day}"
            words.append(_("no run; see what could run"))
    title = f"{_.full_day(day)}: {', '.join(words) or _('no run')}"
    return Day(date=day, state=state, title=title, href=href, many=many)


def months(first: date, _: Language = ENGLISH) -> list[tuple[str, int]]:
    """The months over the weeks, each with how many weeks it spans."""
    starts = [first + timedelta(weeks=week) for week in range(WEEKS)]
    found = [(text, len(list(group))) for text, group in groupby(map(_.month, starts))]
    return [(text if count > 2 else "", count) for text, count in found]
