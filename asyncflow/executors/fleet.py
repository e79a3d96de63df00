"""The hosts that live, and which of them serves the tries of which version.

A host is *kept* under (file, content_hash, mode) and serves its tries until it is retired, or stopped because too many
hosts are idle; after that it serves its running tries to the end and exits.
"""

from __future__ import annotations

import anyio

from asyncflow.config import Settings
from asyncflow.core.messages import Parsed, StopHost
from asyncflow.executors.host import Host, Mode, orders
from asyncflow.executors.launch import Launcher

Key = tuple[str, str, Mode]  #: file, content_hash, mode


class Fleet:
    """Starts hosts and lets them go; what they are given and what becomes of it is the pool's."""

    def __init__(self, settings: Settings, launcher: Launcher) -> None:
        self._settings = settings
        self._launcher = launcher
        self.hosts: dict[str, Host] = {}  #: by host_id, all that live
        self._kept: dict[Key, Host] = {}
        self._sources: dict[tuple[str, str], str] = {}  #: text of the good versions
        self._repeatable: dict[tuple[str, str], bool] = {}

    def launch(self, file: str, content_hash: str, mode: Mode, source: str | None = None) -> Host:
        """A new host, that is not kept."""
        host = Host(orders(self._settings, file, content_hash, mode, source))
        self.hosts[host.config.host_id] = host
        self._launcher.launch(host.config)
        return host

    def launch_import(self, file: str, content_hash: str) -> Host:
        """A new host that imports a file as it is now."""
        return self.launch(file, content_hash, "parse" if self._settings.start_mode == "spawn" else "import")

    def serving(self, file: str, content_hash: str, mode: Mode) -> Host:
        """The host that is kept for a version; a new one, if there is none."""
        if mode == "import" and self._settings.start_mode == "spawn":
            mode = "bare"
        key = (file, content_hash, mode)
        host = self._kept.get(key)
        if host is None:
            host = self._kept[key] = self.launch(file, content_hash, mode, self._sources.get((file, content_hash)))
            self._stop_idle()
        return host

    def keep(self, host: Host, parsed: Parsed) -> None:
        """Keep the host of a good import, if it can serve tries, instead of the one before."""
        version = (host.config.file, parsed.content_hash)
        self._sources[version] = parsed.source
        self._repeatable[version] = not parsed.unrepeatable
        self._drop((*version, "import"))
        if host.ready and not host.gone:
            self._kept[(*version, "import")] = host
            self._stop_idle()

    def is_kept(self, host: Host) -> bool:
        """Whether it is to get tries that are yet to come."""
        return host in self._kept.values()

    def is_repeatable(self, file: str, content_hash: str) -> bool:
        """Whether tries of a version may be forked from its import."""
        return self._repeatable.get((file, content_hash), True)

    def remember_source(self, file: str, content_hash: str, source: str, *, bare: bool) -> None:
        """The text of a version that this server has not parsed: its tries run it, whatever the file holds now."""
        self._sources.setdefault((file, content_hash), source)
        self._repeatable.setdefault((file, content_hash), not bare)

    def retire(self, file: str, content_hash: str) -> None:
        """No new try of this version will come: its hosts end when their running tries have."""
        for mode in ("import", "bare", "loop"):
            self._drop((file, content_hash, mode))
        self._sources.pop((file, content_hash), None)
        self._repeatable.pop((file, content_hash), None)

    def forget(self, host: Host) -> None:
        """Keep it no longer; what it runs goes on."""
        for key in [key for key, kept in self._kept.items() if kept is host]:
            del self._kept[key]

    def gone(self, host: Host) -> None:
        """It has ended."""
        self.hosts.pop(host.config.host_id, None)
        self.forget(host)

    def drain(self, host: Host) -> None:
        """Give it nothing new: it ends when its tries have."""
        host.draining = True
        host.tell(StopHost())

    def _drop(self, key: Key) -> None:
        host = self._kept.pop(key, None)
        if host is not None:
            self.drain(host)

    def _stop_idle(self) -> None:
        """Keep the number of hosts within the setting, at the cost of those unused for longest."""
        surplus = len(self._kept) - self._settings.max_hosts
        if surplus <= 0:
            return
        idle = sorted((host.used, key) for key, host in self._kept.items() if host.idle)
        for _, key in idle[:surplus]:
            self._drop(key)

    async def stop_unused(self) -> None:
        """Give back the memory of hosts that have had nothing to do for a while; they start again when needed."""
        limit = self._settings.host_idle_timeout
        while True:
            await anyio.sleep(limit / 4)
            before = anyio.current_time() - limit
            for key in [key for key, host in self._kept.items() if host.idle and host.used < before]:
                self._drop(key)
