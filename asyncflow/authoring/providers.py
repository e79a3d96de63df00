"""What installed packages offer by their entry points: provider packages and plugins. Looked for when first needed.

A provider package names, under the entry point group `apache_airflow_provider`, a function whose dict says (among
what is of no use here) `connection-types`, `task-decorators`, `extra-links` and `plugins`, each by class path.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.exceptions import AirflowException

if TYPE_CHECKING:
    from asyncflow.authoring.connection import Connection

log = logging.getLogger(__name__)

PROVIDERS = "apache_airflow_provider"
PLUGINS = "airflow.plugins"

#: hooks of our own, by connection type
_OWN_HOOKS = {"fs": "asyncflow.hooks.filesystem.FSHook"}


def loaded_points(group: str) -> Iterator[tuple[EntryPoint, Any]]:
    """Each entry point of a group with what it names; one that cannot be loaded is logged and passed over."""
    for point in entry_points(group=group):
        try:
            yield point, point.load()
        except Exception:
            log.exception("The entry point %s = %s of the group %s cannot be loaded", point.name, point.value, group)


@cache
def provider_infos() -> tuple[dict[str, Any], ...]:
    """What each provider package says of itself."""
    found = []
    for point, describe in loaded_points(PROVIDERS):
        try:
            found.append(dict(describe()))
        except Exception:
            log.exception("The provider info %s cannot be read", point.value)
    return tuple(found)


def import_path(path: str) -> Any:
    """What "package.module.name" names. Raises ImportError or AttributeError."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)


@cache
def task_decorators() -> dict[str, str]:
    """Kinds of `@task` that providers add: class path of their decorator, by name."""
    entries = [entry for info in provider_infos() for entry in info.get("task-decorators", ())]
    return {entry["name"]: entry["class-name"] for entry in entries}


@cache
def hook_classes() -> dict[str, str]:
    """Class path of the hook for each connection type."""
    found = dict(_OWN_HOOKS)
    for info in provider_infos():
        for entry in info.get("connection-types", ()):
            found[entry["connection-type"]] = entry["hook-class-name"]
    return found


def hook_of(connection: Connection, hook_params: dict[str, Any]) -> Any:
    """The hook for a connection. Raises AirflowException for a connection type that no installed package has."""
    path = hook_classes().get(connection.conn_type or "")
    if path is None:
        raise AirflowException(f'Unknown hook type "{connection.conn_type}"')
    try:
        hook_class = import_path(path)
    except (ImportError, AttributeError) as error:
        raise AirflowException(f"The hook {path} of connection {connection.conn_id!r} is not there: {error}") from error
    name = getattr(hook_class, "conn_name_attr", "conn_id")
    return hook_class(**{name: connection.conn_id, **hook_params})
