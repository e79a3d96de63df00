"""Module-level names of `airflow.configuration`, `airflow.settings` and `airflow.stats`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from asyncflow.authoring.conf import conf
from asyncflow.authoring.timezone import default_timezone

get = conf.get
getboolean = conf.getboolean
getfloat = conf.getfloat
getint = conf.getint
getsection = conf.getsection
has_option = conf.has_option

_COMPUTED: dict[str, Callable[[], Any]] = {
    "TIMEZONE": default_timezone,
    "DAGS_FOLDER": lambda: conf.get("core", "dags_folder", fallback="dags"),
    "AIRFLOW_HOME": lambda: conf.get("core", "home", fallback="."),
}


def __getattr__(name: str) -> Any:
    if name in _COMPUTED:
        return _COMPUTED[name]()
    raise AttributeError(name)


class Stats:
    """Metrics of user code go nowhere; the calls work."""

    @classmethod
    def incr(cls, stat: str, count: int = 1, rate: float = 1, *, tags: Any = None) -> None: ...

    @classmethod
    def decr(cls, stat: str, count: int = 1, rate: float = 1, *, tags: Any = None) -> None: ...

    @classmethod
    def gauge(cls, stat: str, value: float, rate: float = 1, delta: bool = False, *, tags: Any = None) -> None: ...

    @classmethod
    def timing(cls, stat: str, dt: Any, *, tags: Any = None) -> None: ...

    @classmethod
    @contextlib.contextmanager
    def timer(cls, stat: str | None = None, *, tags: Any = None) -> Iterator[None]:
        yield
