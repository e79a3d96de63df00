"""A short-lived process that imports all plugins and asks all provider packages what they are.

`python -P -m asyncflow.worker.inventory`: `HostConfig` as JSON on stdin, `core.inventory.Inventory` as a line of
JSON on stdout. What they print goes to stderr.
"""

from __future__ import annotations

import logging
import os
import sys
from importlib.metadata import EntryPoint, entry_points
from typing import Any

import msgspec

from asyncflow.authoring import plugins as authored
from asyncflow.authoring import providers
from asyncflow.core.inventory import Inventory, PluginFacts, ProviderFacts
from asyncflow.core.messages import HostConfig
from asyncflow.worker.importer import prepare

#: characters of a complaint that are kept
_LONGEST = 8000
_NOT_LISTS = frozenset({"name", "source"})


def main() -> int:
    """Answer. Returns the exit code."""
    config = msgspec.json.decode(sys.stdin.buffer.read(), type=HostConfig)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    prepare(config)
    answers.write(msgspec.json.encode(take_stock()) + b"\n")
    answers.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a plugin started must not hold the process


def take_stock() -> Inventory:
    """Import them. Whatever is wrong with one is in `errors`."""
    complaints = _Complaints()
    logger = logging.getLogger("asyncflow.authoring")
    logger.addHandler(complaints)
    try:
        found = tuple(_plugin(plugin) for plugin in authored.plugins())
        described = tuple(
            _provider(point, describe) for point, describe in providers.loaded_points(providers.PROVIDERS)
        )
    finally:
        logger.removeHandler(complaints)
    return Inventory(
        plugins=tuple(sorted(found, key=lambda it: it.name)),
        providers=tuple(sorted((it for it in described if it is not None), key=lambda it: it.package)),
        errors=tuple(dict.fromkeys(complaints.texts)),
    )


def _plugin(plugin: type[authored.AirflowPlugin]) -> PluginFacts:
    """Subclasses may hold anything under these names."""
    provides = {}
    for name in vars(authored.AirflowPlugin):
        value = getattr(plugin, name, None)
        if not name.startswith("_") and name not in _NOT_LISTS and isinstance(value, list | tuple) and value:
            provides[name] = tuple(_name(item) for item in value)
    return PluginFacts(name=str(plugin.name), source=_source(plugin), provides=provides)


def _name(item: Any) -> str:
    if isinstance(item, dict):  # menu items and views
        item = item.get("name") or item.get("label") or "?"
    return str(getattr(item, "__name__", None) or getattr(item, "name", None) or item)[:200]


def _source(plugin: type[Any]) -> str:
    """The package that the plugin came with, else the file."""
    for point in entry_points(group=providers.PLUGINS):
        if point.module == plugin.__module__ and point.dist is not None:
            return f"{point.dist.name} {point.dist.version}"
    return str(getattr(sys.modules.get(plugin.__module__), "__file__", None) or plugin.__module__)


def _provider(point: EntryPoint, describe: Any) -> ProviderFacts | None:
    try:
        info = dict(describe())
        return ProviderFacts(
            package=str(info.get("package-name") or (point.dist.name if point.dist else point.name)),
            version=point.dist.version if point.dist else "",
            description=" ".join(str(info.get("description", "")).split())[:500],
            connection_types=tuple(str(it["connection-type"]) for it in info.get("connection-types", ())),
            decorators=tuple(str(it["name"]) for it in info.get("task-decorators", ())),
        )
    except Exception:
        logging.getLogger("asyncflow.authoring").exception("The provider info %s cannot be read", point.value)
        return None


class _Complaints(logging.Handler):
    """What was logged, with its traceback."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter("%(message)s").format(record)[:_LONGEST])


if __name__ == "__main__":
    sys.exit(main())
