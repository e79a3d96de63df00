"""What a child process tells of plugins and provider packages arrives as it was told."""

from __future__ import annotations

import msgspec
import pytest

from asyncflow.core.inventory import Inventory, PluginFacts, ProviderFacts


def test_it_survives_the_way_to_the_server() -> None:
    told = Inventory(
        plugins=(PluginFacts(name="ours", source="plugins/ours.py", provides={"macros": ("fiscal", "week")}),),
        providers=(ProviderFacts(package="apache-airflow-providers-http", version="5.0", connection_types=("http",)),),
        errors=("plugins/broken.py: no such module",),
    )
    assert msgspec.json.decode(msgspec.json.encode(told), type=Inventory) == told


def test_a_plugin_without_a_name_is_no_plugin() -> None:
    with pytest.raises(msgspec.ValidationError, match="name"):
        msgspec.json.decode(b'{"plugins": [{"source": "a.py", "provides": {}}]}', type=Inventory)
