"""What plugins and provider packages there are, as a process that imports them tells it. Data only."""

from __future__ import annotations

import msgspec


class PluginFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin."""

    name: str
    source: str  #: its file, or its package with version
    provides: dict[str, tuple[str, ...]]  #: attribute of AirflowPlugin -> names; what is empty is left out


class ProviderFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One package that describes itself to Airflow."""

    package: str
    version: str
    description: str = ""
    connection_types: tuple[str, ...] = ()
    decorators: tuple[str, ...] = ()  #: kinds of `@task`


class Inventory(msgspec.Struct, frozen=True, kw_only=True):
    """All of them, and what is wrong with any."""

    plugins: tuple[PluginFacts, ...] = ()
    providers: tuple[ProviderFacts, ...] = ()
    errors: tuple[str, ...] = ()  #: a sentence each, perhaps with a traceback below it
