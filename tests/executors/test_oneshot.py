"""A process for one question: what packages know of connections, and what may go wrong with them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from asyncflow.config import Settings
from asyncflow.executors.oneshot import ChildFailed, ask_connection_child

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

HOOKS = """
import os, threading, time
from airflow.hooks.base import BaseHook
from airflow.models import Connection

class ShopHook(BaseHook):
    conn_name_attr = "shop_conn_id"

    def __init__(self, shop_conn_id):
        super().__init__()
        self.shop_conn_id = shop_conn_id

    @staticmethod
    def get_ui_field_behaviour():
        return {"hidden_fields": ["port"], "relabeling": {"host": "Street"}, "placeholders": {"login": "you"}}

    @staticmethod
    def get_connection_form_widgets():
        from flask_appbuilder.fieldwidgets import BS3TextFieldWidget
        from flask_babel import lazy_gettext
        from wtforms import IntegerField, PasswordField
        return {
            "till": IntegerField(lazy_gettext("Number of the till"), widget=BS3TextFieldWidget()),
            "extra__shop__pin": PasswordField("PIN"),
        }

    def test_connection(self):
        conn = self.get_connection(self.shop_conn_id)
        print("noise on stdout")
        os.write(1, b'{"status": true}\\n')
        what = conn.host
        if what == "hang":
            threading.Thread(target=time.sleep, args=(60,)).start()
            time.sleep(60)
        if what == "die":
            os.kill(os.getpid(), 9)
        if what == "exit":
            os._exit(3)
        if what == "raise":
            raise RuntimeError(f"no entry for {conn.password}")
        threading.Thread(target=time.sleep, args=(60,)).start()
        return True, f"open, pin {conn.extra_dejson['pin']}"
"""
INFO = """
def info():
    kinds = [{"connection-type": "shop", "hook-class-name": "shop_hooks.ShopHook"}]
    return {"package-name": "shop-provider", "connection-types": kinds}
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home beside an installed package with a hook."""
    site = tmp_path / "site"
    meta = site / "shop_provider-1.0.dist-info"
    meta.mkdir(parents=True)
    (site / "shop_hooks.py").write_text(HOOKS)
    (site / "shop_info.py").write_text(INFO)
    (meta / "METADATA").write_text("Metadata-Version: 2.1\nName: shop-provider\nVersion: 1.0\n")
    (meta / "entry_points.txt").write_text("[apache_airflow_provider]\nprovider_info = shop_info:info\n")
    monkeypatch.setenv("PYTHONPATH", str(site))
    return Settings(home=tmp_path / "home", dags=tmp_path / "dags")


async def ask(settings: Settings, host: str, limit: float = 20) -> dict[str, Any]:
    fields = {"conn_id": "my.shop", "conn_type": "shop", "host": host, "password": "pa55word"}
    question = {"ask": "test", "connection": {**fields, "extra": '{"pin": "1234"}'}}
    return await ask_connection_child(settings, question, limit)


async def test_the_hook_of_a_package_tests(settings: Settings) -> None:
    assert await ask(settings, "h") == {"status": True, "message": "open, pin 1234"}


async def test_what_it_raises_is_a_no_without_secrets(settings: Settings) -> None:
    assert await ask(settings, "raise") == {"status": False, "message": "no entry for ***"}


@pytest.mark.parametrize(
    ("host", "limit", "words"),
    [("hang", 2.0, "no answer within 2 seconds"), ("die", 20, "killed by signal 9"), ("exit", 20, "exit code 3")],
)
async def test_one_that_gives_no_answer_is_a_sentence(settings: Settings, host: str, limit: float, words: str) -> None:
    with pytest.raises(ChildFailed, match=words):
        await ask(settings, host, limit)


async def test_types_and_their_forms_are_known(settings: Settings) -> None:
    types = (await ask_connection_child(settings, {"ask": "types"}, 20))["types"]
    assert types == {"fs": "", "shop": "shop-provider"}
    form = await ask_connection_child(settings, {"ask": "form", "conn_type": "shop"}, 20)
    assert form == {
        "hidden": ["port"],
        "labels": {"host": "Street"},
        "placeholders": {"login": "you"},
        "fields": [
            {"name": "till", "label": "Number of the till", "kind": "number"},
            {"name": "pin", "label": "PIN", "kind": "password"},
        ],
    }
    assert "shop_hooks" not in sys.modules
