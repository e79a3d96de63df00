"""Plugins and providers: found in the plugins folder and by entry points, and never in the way when they break."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow.authoring import macros, plugins, providers
from asyncflow.authoring.conf import conf
from asyncflow.authoring.connection import Connection
from asyncflow.authoring.decorators import task
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.hooks.base import BaseHook

PLUGIN = """
from asyncflow.authoring.plugins import AirflowPlugin

def shout(text):
    return text.upper()

class Loud(AirflowPlugin):
    name = "loud"
    macros = [shout]
"""
PROVIDER = """
from asyncflow.authoring.decorators import task_decorator_factory
from asyncflow.authoring.plugins import AirflowPlugin
from asyncflow.hooks.base import BaseHook
from asyncflow.operators.decorated import PythonDecoratedOperator

class ShopHook(BaseHook):
    conn_name_attr = "shop_conn_id"
    def __init__(self, shop_conn_id, tries=1):
        super().__init__()
        self.shop_conn_id, self.tries = shop_conn_id, tries
    def test_connection(self):
        return True, "open"

def shop_task(python_callable=None, **kwargs):
    return task_decorator_factory(python_callable, decorated_operator_class=PythonDecoratedOperator, **kwargs)

def price(n):
    return f"{n} EUR"

class ShopPlugin(AirflowPlugin):
    name = "shop"
    macros = [price]

def info():
    return {
        "package-name": "shop",
        "connection-types": [
            {"connection-type": "shop", "hook-class-name": "shop_provider.ShopHook"},
            {"connection-type": "gone", "hook-class-name": "shop_provider.GoneHook"},
        ],
        "task-decorators": [{"name": "shop", "class-name": "shop_provider.shop_task"}],
        "plugins": [{"name": "shop", "plugin-class": "shop_provider.ShopPlugin"}, {"plugin-class": "shop_provider.No"}],
    }

def broken():
    raise RuntimeError("no info today")
"""
ENTRY_POINTS = """
[apache_airflow_provider]
shop = shop_provider:info
broken = shop_provider:broken
gone = shop_provider:nothing_of_that_name
[airflow.plugins]
packaged = packaged_plugin:Loud
not_one = packaged_plugin:shout
"""


def _forget() -> None:
    for cached in (
        *(providers.provider_infos, providers.task_decorators, providers.hook_classes),
        plugins.plugins,
    ):
        cached.cache_clear()
    for name in ("shop_provider", "packaged_plugin", "loud", "inner.nested"):
        sys.modules.pop(name, None)


@pytest.fixture(autouse=True)
def _packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with entry points, as pip would have installed it."""
    site = tmp_path / "site"
    (site / "shop-1.0.dist-info").mkdir(parents=True)
    (site / "shop-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.0\n")
    (site / "shop-1.0.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    (site / "shop_provider.py").write_text(PROVIDER)
    (site / "packaged_plugin.py").write_text(PLUGIN.replace('"loud"', '"packaged"'))
    monkeypatch.syspath_prepend(str(site))
    _forget()
    yield
    _forget()
    conf.load({})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The plugins folder."""
    made = tmp_path / "plugins"
    (made / "inner").mkdir(parents=True)
    conf.load({"core.plugins_folder": str(made)})
    return made


def test_macros_of_the_folder_and_of_packages_are_found(folder: Path) -> None:
    (folder / "loud.py").write_text(PLUGIN)
    (folder / "inner" / "nested.py").write_text(PLUGIN.replace('"loud"', '"nested"'))
    assert macros.loud.shout("a") == macros.nested.shout("a") == macros.packaged.shout("a") == "A"  # type: ignore[attr-defined]
    assert macros.shop.price(3) == "3 EUR"  # type: ignore[attr-defined]
    with pytest.raises(AttributeError, match="quiet"):
        macros.quiet  # type: ignore[attr-defined]  # noqa: B018


def test_broken_plugins_are_logged_and_passed_over(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "aaa.py").write_text("raise RuntimeError('not today')")
    (folder / "bbb.py").write_text(PLUGIN.replace("name =", "nickname ="))
    (folder / "loud.py").write_text(PLUGIN)
    assert [plugin.name for plugin in plugins.plugins()] == ["loud", "packaged", "shop"]
    assert "aaa.py cannot be imported" in caplog.text
    assert "Your plugin needs a name" in caplog.text
    assert "nothing_of_that_name" in caplog.text
    assert "no info today" in caplog.text
    assert "aaa" not in sys.modules


def test_a_module_that_a_dag_file_imported_is_not_imported_again(folder: Path) -> None:
    (folder / "loud.py").write_text(PLUGIN)
    sys.path.append(str(folder))
    try:
        import loud  # type: ignore[import-not-found]
    finally:
        sys.path.remove(str(folder))
    assert plugins.plugins()[0] is loud.Loud


def test_hooks_are_found_by_connection_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_MY_SHOP", "shop://h")
    hook: Any = BaseHook.get_hook("my_shop", hook_params={"tries": 3})
    assert (type(hook).__name__, hook.shop_conn_id, hook.tries) == ("ShopHook", "my_shop", 3)
    assert Connection("c", "shop").test_connection() == (True, "open")
    assert Connection("c", "fs").get_hook.__name__ == "get_hook"
    with pytest.raises(AirflowException, match='Unknown hook type "mystery"'):
        Connection("c", "mystery").get_hook()
    with pytest.raises(AirflowException, match="GoneHook"):
        Connection("c", "gone").get_hook()


def test_a_connection_that_cannot_be_tested_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_C", '{"conn_type": "fs", "extra": {"path": "/data"}}')
    assert Connection("c", "fs").test_connection()[0] is False
    assert Connection("c", "mystery").test_connection() == (False, 'Unknown hook type "mystery"')


def test_kinds_of_task_come_from_providers() -> None:
    decorated = task.shop(lambda: 1)
    assert decorated.operator_class.__name__ == "PythonDecoratedOperator"
    with pytest.raises(AttributeError, match=r"no @task.unknown here; .*@task.shop"):
        _ = task.unknown


def test_a_hook_that_skips_super_init_has_a_log_all_the_same() -> None:
    class Hook(BaseHook):
        def __init__(self) -> None:
            self.ready = True

    assert Hook().log.name.startswith("airflow.task.hooks.")
