"""Plugins: `AirflowPlugin` subclasses of the plugins folder and of installed packages.

What they add to templates (`macros`) works; what they register with Airflow's web server (views, blueprints, menu
items, links for operators that are not theirs) has no use here. They are imported when a template first asks for
something that may be theirs, so a process that asks for nothing pays nothing.
"""

from __future__ import annotations

import importlib.util
import inspect
import logging
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

from asyncflow.authoring.conf import conf
from asyncflow.authoring.providers import PLUGINS, import_path, loaded_points, provider_infos

log = logging.getLogger(__name__)


class AirflowPlugin:
    """Base of plugin classes."""

    name: str | None = None
    source: Any = None
    operators: ClassVar[list[Any]] = []
    hooks: ClassVar[list[Any]] = []
    executors: ClassVar[list[Any]] = []
    sensors: ClassVar[list[Any]] = []
    macros: ClassVar[list[Any]] = []
    timetables: ClassVar[list[Any]] = []
    admin_views: ClassVar[list[Any]] = []
    flask_blueprints: ClassVar[list[Any]] = []
    menu_links: ClassVar[list[Any]] = []
    appbuilder_views: ClassVar[list[Any]] = []
    appbuilder_menu_items: ClassVar[list[Any]] = []
    fastapi_apps: ClassVar[list[Any]] = []
    global_operator_extra_links: ClassVar[list[Any]] = []
    operator_extra_links: ClassVar[list[Any]] = []
    ti_deps: ClassVar[list[Any]] = []
    listeners: ClassVar[list[Any]] = []
    priority_weight_strategies: ClassVar[list[Any]] = []

    @classmethod
    def validate(cls) -> None:
        """Raises ValueError if the plugin has no name."""
        if not cls.name:
            raise ValueError("Your plugin needs a name.")

    @classmethod
    def on_load(cls, *args: Any, **kwargs: Any) -> None:
        """Called once the plugin is loaded."""


@cache
def plugins() -> tuple[type[AirflowPlugin], ...]:
    """All plugins, those of the plugins folder first; one that breaks is logged and passed over."""
    found: dict[str, type[AirflowPlugin]] = {}
    for plugin in (*_of_folder(), *_of_packages()):
        try:
            plugin.validate()
            plugin.on_load()
        except Exception:
            log.exception("The plugin %s cannot be used", plugin.__qualname__)
            continue
        found.setdefault(str(plugin.name), plugin)
    return tuple(found.values())


def _of_packages() -> Iterator[type[AirflowPlugin]]:
    for _, value in loaded_points(PLUGINS):
        if _is_plugin(value):
            yield value
    for info in provider_infos():
        for entry in info.get("plugins", ()):
            try:
                yield import_path(entry["plugin-class"])
            except Exception:
                log.exception("The plugin %s cannot be imported", entry)


def _of_folder() -> Iterator[type[AirflowPlugin]]:
    folder = conf.get("core", "plugins_folder", fallback=None)
    if not folder:
        return
    for path in sorted(Path(folder).rglob("*.py")):
        try:
            module = _imported(Path(folder), path)
        except Exception:
            log.exception("The plugin file %s cannot be imported", path)
            continue
        for value in list(vars(module).values()):
            if _is_plugin(value) and value.__module__ == module.__name__:
                yield value


def _imported(folder: Path, path: Path) -> ModuleType:
    """The module as `import` in a DAG file would name it, so that its classes exist once."""
    name = ".".join(path.relative_to(folder).with_suffix("").parts).removesuffix(".__init__")
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(path):
        return known
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _is_plugin(value: Any) -> bool:
    return inspect.isclass(value) and issubclass(value, AirflowPlugin) and value is not AirflowPlugin


def plugin_macros(name: str) -> SimpleNamespace | None:
    """`macros.<plugin>` of templates: the macros of a plugin, None if no plugin of that name has any."""
    for plugin in plugins():
        if plugin.name == name and plugin.macros:
            return SimpleNamespace(**{macro.__name__: macro for macro in plugin.macros})
    return None
