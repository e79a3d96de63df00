"""What a search shows: groups of links, that with the best answer first. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from asyncflow.core.ranking import PART, best
from asyncflow.engine.search import Found, Hit
from asyncflow.web import address
from asyncflow.web.admin_view import PLACES
from asyncflow.web.dag_task_view import path_of
from asyncflow.web.dataset_view import dataset_path
from asyncflow.web.i18n import Language
from asyncflow.web.named_pages import connection_path, pool_path, variable_path
from asyncflow.web.templating import SECTIONS

#: pages that are found by what they are called, beside those of the bar and of the administration
_OTHERS = {"DAG dependencies": "/dependencies", "Dataset events": "/datasets/events", "Keys": "/keys"}
PAGES: dict[str, str] = {
    **{name: href for name, (href, _key) in SECTIONS.items()},
    **{place.label: place.href for place in PLACES},
    **_OTHERS,
}


@dataclass(frozen=True, slots=True)
class Link:
    """One thing that was found."""

    name: str
    small: str
    href: str


@dataclass(frozen=True, slots=True)
class Group:
    """Things of one kind."""

    title: str
    rank: int  #: of the best of them
    links: tuple[Link, ...]


def groups(found: Found, text: str, limit: int, _: Language) -> list[Group]:
    """Those with anything in them; kinds with equally good answers in their usual order."""
    made = [
        _group(_("DAGs"), found.dags, lambda it: Link(it[1], it[2], address.dag_path(it[0]))),
        _group(_("Tasks"), found.tasks, lambda it: Link(it[1], it[0], path_of(it[0], it[1]))),
        _group(
            _("Runs"), found.runs, lambda it: Link(it[1], f"{it[0]}, {_.state(it[2])}", address.run_path(it[0], it[1]))
        ),
        _group(_("Datasets"), found.datasets, lambda it: Link(it[0], _other(it[1], it[0]), dataset_path(it[0]))),
        _group(_("Pools"), found.pools, lambda it: Link(it[0], "", pool_path(it[0]))),
        _group(_("Connections"), found.connections, lambda it: Link(it[0], "", connection_path(it[0]))),
        _group(_("Variables"), found.variables, lambda it: Link(it[0], "", variable_path(it[0]))),
        _group(_("Pages"), _pages(text, limit, _), lambda it: Link(it[0], "", it[1])),
    ]
    return sorted((group for group in made if group.links), key=lambda group: group.rank)


def _group(title: str, hits: Sequence[Hit], link: Callable[[tuple[str, ...]], Link]) -> Group:
    return Group(title, min((hit.rank for hit in hits), default=PART), tuple(link(hit.names) for hit in hits))


def _other(name: str, uri: str) -> str:
    return name if name != uri else ""


def _pages(text: str, limit: int, _: Language) -> list[Hit]:
    """Pages by their names, in English and in the reader's language."""
    found = best(PAGES.items(), lambda it: (it[0].casefold(), _(it[0]).casefold()), text.strip().casefold(), limit)
    return [Hit(rank, (_(label), href)) for rank, (label, href) in found]
