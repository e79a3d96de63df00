"""What plugins and provider packages tell of themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from asyncflow.core.inventory import Inventory
from asyncflow.core.messages import HostConfig

PLUGIN = """
from airflow.plugins_manager import AirflowPlugin

print("hello from a plugin")

def shout(text):
    return text.upper()

class Loud(AirflowPlugin):
    name = "loud"
    macros = [shout]
    appbuilder_menu_items = [{"name": "Elsewhere", "href": "https://example.com"}]
"""
PROVIDER = """
def info():
    return {
        "package-name": "apache-airflow-providers-shop",
        "description": "Buys\\n and sells",
        "connection-types": [{"connection-type": "shop", "hook-class-name": "shop_provider.ShopHook"}],
        "task-decorators": [{"name": "shop", "class-name": "shop_provider.shop_task"}],
        "plugins": [{"name": "shop", "plugin-class": "shop_provider.No"}],
    }

def broken():
    raise RuntimeError("no info today")
"""
ENTRY_POINTS = """
[apache_airflow_provider]
shop = shop_provider:info
broken = shop_provider:broken
[airflow.plugins]
packaged = packaged_plugin:Loud
"""

pytestmark = pytest.mark.slow


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder on the import path with a package that pip has installed."""
    made = tmp_path / "site"
    (made / "shop-1.2.dist-info").mkdir(parents=True)
    (made / "shop-1.2.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: shop\nVersion: 1.2\n")
    (made / "shop-1.2.dist-info" / "entry_points.txt").write_text(ENTRY_POINTS)
    (made / "shop_provider.py").write_text(PROVIDER)
    (made / "packaged_plugin.py").write_text(PLUGIN.replace('"loud"', '"packaged"'))
    return made


def ask(plugins: Path, site: Path) -> Inventory:
    config = HostConfig(
        host_id="", dags_folder="", file="", conf={"core.plugins_folder": str(plugins)}, extra_paths=(str(plugins),)
    )
    done = subprocess.run(
        [sys.executable, "-m", "asyncflow.worker.inventory"],
        input=msgspec.json.encode(config),
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(site)},
        timeout=30,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Inventory)


def test_plugins_and_providers_are_told_with_what_is_wrong(tmp_path: Path, site: Path) -> None:
    plugins = tmp_path / "plugins"
    plugins.mkdir()
    (plugins / "loud.py").write_text(PLUGIN)
    (plugins / "broken.py").write_text("raise RuntimeError('not today')")
    found = ask(plugins, site)
    assert [(it.name, it.source, it.provides) for it in found.plugins] == [
        ("loud", str(plugins / "loud.py"), {"macros": ("shout",), "appbuilder_menu_items": ("Elsewhere",)}),
        ("packaged", "shop 1.2", {"macros": ("shout",), "appbuilder_menu_items": ("Elsewhere",)}),
    ]
    (shop,) = (it for it in found.providers if "shop" in it.package)
    assert (shop.package, shop.version, shop.description) == ("apache-airflow-providers-shop", "1.2", "Buys and sells")
    assert (shop.connection_types, shop.decorators) == (("shop",), ("shop",))
    text = "\n".join(found.errors)
    assert "broken.py cannot be imported" in text
    assert "RuntimeError: not today" in text
    assert "RuntimeError: no info today" in text
    assert "shop_provider.No" in text


def test_no_folder_is_no_error(tmp_path: Path, site: Path) -> None:
    (site / "shop-1.2.dist-info" / "entry_points.txt").write_text("")
    assert ask(tmp_path / "none", site).errors == ()
