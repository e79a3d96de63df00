"""Small functions that DAG files and providers take from `airflow.utils.*`."""

from __future__ import annotations

import contextlib
import functools
import getpass
import importlib
import logging
import os
import pkgutil
import random
import string
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

TemporaryDirectory = tempfile.TemporaryDirectory
#: the marker Airflow uses for "no session given"
NEW_SESSION = None
IS_WINDOWS = False

log = logging.getLogger(__name__)


def apply_defaults(func: F) -> F:
    """Once needed on `__init__` of operators; does nothing."""
    return func


def provide_session(func: Callable[..., T]) -> Callable[..., T]:
    """There is no session: functions written for one get None, and fail when they use it."""

    @functools.wraps(func)
    def wrapper(*args: Any, **kwargs: Any) -> T:
        return func(*args, **kwargs)

    return wrapper


def is_container(obj: Any) -> bool:
    """Is it iterable, but no text?"""
    return isinstance(obj, Iterable) and not isinstance(obj, str)


def as_flattened_list(iterable: Iterable[Any]) -> list[Any]:
    """One level of nesting taken away."""
    return [item for inner in iterable for item in (inner if is_container(inner) else [inner])]


def exactly_one(*args: Any) -> bool:
    """Is exactly one of these true? Containers are refused with ValueError."""
    if any(is_container(arg) for arg in args):
        raise ValueError("Not supported for iterable args. Use `*` to unpack your iterable in the function call.")
    return sum(map(bool, args)) == 1


def at_most_one(*args: Any) -> bool:
    """Is at most one of these true (a NOTSET counts as false)?"""
    return sum(map(bool, args)) in (0, 1)


def prune_dict(val: Any, mode: str = "strict") -> Any:
    """Without None values ("strict"), or without anything false ("truthy"), at every depth."""

    def drops(value: Any) -> bool:
        return value is None if mode == "strict" else not bool(value)

    if mode not in ("strict", "truthy"):
        raise ValueError(f"mode must be 'strict' or 'truthy', not {mode!r}")
    if isinstance(val, Mapping):
        pruned = {key: prune_dict(value, mode) if is_nested(value) else value for key, value in val.items()}
        return {key: value for key, value in pruned.items() if not drops(value)}
    if isinstance(val, list):
        return [item for item in (prune_dict(v, mode) if is_nested(v) else v for v in val) if not drops(item)]
    return val


def is_nested(value: Any) -> bool:
    """Is it a dict or a list?"""
    return isinstance(value, Mapping | list)


def merge_dicts(dict1: Mapping[str, Any], dict2: Mapping[str, Any]) -> dict[str, Any]:
    """`dict2` laid over `dict1`; dicts in both are merged in turn."""
    merged = dict(dict1)
    for key, value in dict2.items():
        both = isinstance(merged.get(key), Mapping) and isinstance(value, Mapping)
        merged[key] = merge_dicts(merged[key], value) if both else value
    return merged


def chunks(items: Sequence[T], chunk_size: int) -> Iterator[Sequence[T]]:
    """Pieces of at most `chunk_size`."""
    if chunk_size <= 0:
        raise ValueError("Chunk size must be a positive integer")
    for start in range(0, len(items), chunk_size):
        yield items[start : start + chunk_size]


def is_valid_dotpath(path: str) -> bool:
    """Could it be the path of a module or of something in one?"""
    return isinstance(path, str) and all(part.isidentifier() for part in path.split("."))


def iter_namespace(package: ModuleType) -> Iterator[str]:
    """The full names of the modules that lie directly in a package."""
    return (module.name for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."))


def import_string(dotted_path: str) -> Any:
    """The object that "package.module.name" names. Raises ImportError."""
    module_path, _, name = dotted_path.rpartition(".")
    if not module_path:
        raise ImportError(f"{dotted_path} doesn't look like a module path")
    module = importlib.import_module(module_path)
    try:
        return getattr(module, name)
    except AttributeError:
        raise ImportError(f'Module "{module_path}" does not define a "{name}" attribute/class') from None


def qualname(o: Any) -> str:
    """Module and name of a class, function or object's class."""
    if isinstance(o, functools.partial):
        return qualname(o.func)
    if not hasattr(o, "__qualname__"):
        o = type(o)
    return f"{o.__module__}.{o.__qualname__}"


def to_boolean(astring: str | None) -> bool:
    """Is this text one of t, true, y, yes, on, 1?"""
    return astring is not None and astring.lower() in ("true", "t", "y", "yes", "on", "1")


def getuser() -> str:
    """The name of the user that this process runs as; its number where it has no name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def is_tty() -> bool:
    """Does a person read what is printed?"""
    return sys.stdout.isatty()


def is_terminal_support_colors() -> bool:
    """Is what is printed read in a terminal that knows colours?"""
    return is_tty() and os.environ.get("TERM", "dumb") != "dumb"


def get_random_string(length: int = 8, choices: str = string.ascii_letters + string.digits) -> str:
    """A random text; not for secrets."""
    return "".join(random.choices(choices, k=length))


def mkdirs(path: str, mode: int) -> None:
    """Make a folder and its parents."""
    Path(path).mkdir(mode=mode, parents=True, exist_ok=True)


def execute_in_subprocess(cmd: list[str], cwd: str | None = None, env: dict[str, str] | None = None) -> None:
    """Run a command, its output to the log. Raises CalledProcessError."""
    log.info("Executing cmd: %s", " ".join(cmd))
    with subprocess.Popen(
        cmd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=cwd, env=env, errors="replace"
    ) as process:
        with contextlib.closing(process.stdout) as output:  # type: ignore[type-var]
            for line in output:  # type: ignore[union-attr]
                log.info("%s", line.rstrip())
        code = process.wait()
    if code != 0:
        raise subprocess.CalledProcessError(code, cmd)
