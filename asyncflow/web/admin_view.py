"""What the pages about the server's set-up show: which pages there are, settings, plugins. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asyncflow.core.inventory import PluginFacts
from asyncflow.engine.server_pages import Setting
from asyncflow.web.i18n import Language

#: where a value came from -> what is said of it
ORIGINS = {"command line": "command line", "environment": "environment", "file": "file", "default": "default"}
#: what a plugin may provide and this server has a use for
USED = {"macros": "Macros in templates"}
#: what DAG files and tasks import from a plugin by themselves, so that it works without being registered
IMPORTED = {"operators", "hooks", "sensors", "timetables", "priority_weight_strategies"}


class Place(NamedTuple):
    """A page of the administration."""

    label: str
    href: str
    words: str


PLACES = (
    Place("Health", "/admin/health", "How the server is: its loop, what waits, database, disk, processes."),
    Place("Pools", "/pools", "How many task instances may run at once, and who waits."),
    Place("Connections", "/connections", "Hosts and passwords that tasks use."),
    Place("Variables", "/variables", "Values that DAG files and tasks read."),
    Place("Audit log", "/audit", "What people changed, and when."),
    Place("SLA misses", "/sla-misses", "Tasks and runs that were not done when they should have been."),
    Place("Favourites and filters", "/filters", "DAGs with a star, and filters of lists that were kept under a name."),
    Place("Configuration", "/admin/config", "Every setting, its value, and where that came from."),
    Place("Plugins", "/admin/plugins", "Plugins and provider packages that were found, and what is wrong with any."),
    Place("Server log", "/admin/log", "What the server itself has to say."),
    Place("About", "/admin/about", "Versions, places and licences: what a bug report needs."),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingLine:
    """One setting."""

    name: str
    value: str
    origin: str
    where: str  #: the variable or file
    is_set: bool
    airflow: str
    words: str


def setting_lines(settings: Sequence[Setting], text: str, only_set: bool, _: Language) -> list[SettingLine]:
    """Settings with `text` in their name, Airflow's name or meaning; `only_set`: those that are not defaults."""
    wanted = text.casefold()
    lines = [
        SettingLine(
            name=it.name,
            value=_value(it.value, _),
            origin=_(ORIGINS[it.origin.kind]),
            where=it.origin.where,
            is_set=it.origin.kind != "default",
            airflow=f"[{it.airflow.replace('.', '] ')}" if it.airflow else "",
            words=_(it.doc),
        )
        for it in settings
    ]
    return [
        line
        for line in lines
        if (line.is_set or not only_set)
        and (not wanted or any(wanted in part.casefold() for part in (line.name, line.airflow, line.words, line.value)))
    ]


def _value(value: object, _: Language) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if value != "" else _("empty")


class Provided(NamedTuple):
    """What a plugin brings of one kind."""

    kind: str
    names: str
    effect: str


def provided(plugin: PluginFacts, _: Language) -> list[Provided]:
    """What a plugin brings, and what becomes of it here."""
    found = []
    for kind, names in plugin.provides.items():
        effect = _("has no use here")
        if kind in USED:
            effect = _(USED[kind])
        elif kind in IMPORTED:
            effect = _("import it from the plugin's module")
        found.append(Provided(kind, ", ".join(names), effect))
    return found


_UNITS = ("B", "kB", "MB", "GB", "TB")


def size_text(size: float) -> str:
    """`512 B`, `4.2 MB`; in thousands."""
    unit = 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    figures = f"{size:.0f}" if unit == 0 or size >= 99.5 else f"{size:.1f}"
    return f"{figures} {_UNITS[unit]}"
