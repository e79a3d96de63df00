"""Makes `import airflow...` work in DAG hosts and task processes, by the table in `airflow.names`.

`install()` puts an import finder in front of all others, so that it wins over an installed apache-airflow. A module is
made when it is imported, a name in it is looked up when it is asked for. Provider packages that are installed without
Airflow itself (`airflow.providers.<x>`) are found through the path of `airflow.providers`, and win over what the table
has of them, except the standard one.

A name that is not there gives an ImportError that says which name, from which file and line, and what there is.
"""

from __future__ import annotations

import difflib
import dis
import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import FrameType, ModuleType
from typing import Any

from asyncflow.airflow.names import ALIASES, EXPORTS, MISSING

_ROOT = "airflow"
_PROVIDERS = "airflow.providers"
#: packages of Airflow's that others bring, beside what the table has of them
_ON_PATH = (_PROVIDERS, "airflow.example_dags")
_STANDARD = "airflow.providers.standard"
_IMPORT_FROM = dis.opmap["IMPORT_FROM"]


def install() -> None:
    """Offer the airflow names in this process from now on; modules of a real Airflow loaded before are forgotten."""
    if not any(isinstance(finder, AirflowFinder) for finder in sys.meta_path):
        sys.meta_path.insert(0, AirflowFinder())
        for name in [name for name in sys.modules if name == _ROOT or name.startswith(_ROOT + ".")]:
            del sys.modules[name]


def uninstall() -> None:
    """Undo `install`; for tests."""
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, AirflowFinder)]
    for name in [name for name in sys.modules if name == _ROOT or name.startswith(_ROOT + ".")]:
        del sys.modules[name]


@cache
def known_modules() -> frozenset[str]:
    """All modules that can be imported: those of the table and the packages they lie in."""
    found = set(_ON_PATH)
    for name in (*EXPORTS, *ALIASES):
        parts = name.split(".")
        found |= {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
    return frozenset(found)


@cache
def names_of(module: str) -> dict[str, str]:
    """Name -> "our.module:name" (or "our.module:" for the module itself) of what a module of Airflow offers."""
    found: dict[str, str] = {}
    for ours, names in EXPORTS.get(ALIASES.get(module, module), {}).items():
        for name in names.split():
            theirs, _, mine = name.partition("=")
            if theirs == "*":
                found |= {
                    name: f"{ours}:{name}" for name in _public_names(importlib.import_module(f"asyncflow.{ours}"))
                }
            elif mine == "*":
                found[theirs] = f"{ours}:"
            else:
                found[theirs] = f"{ours}:{mine or theirs}"
    return found


def _public_names(module: ModuleType) -> list[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return list(listed)
    return [name for name, value in vars(module).items() if not name.startswith("_") and _is_own(value, module)]


def _is_own(value: Any, module: ModuleType) -> bool:
    """Was it made in this module, rather than imported into it?"""
    return not isinstance(value, ModuleType) and getattr(value, "__module__", module.__name__) == module.__name__


class AirflowFinder(MetaPathFinder):
    """Finds the modules of the table."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != _ROOT and not fullname.startswith(_ROOT + "."):
            return None
        if _wheel_has(fullname):
            return None  # the usual finder takes it from the path of its parent
        if fullname in known_modules():
            spec = ModuleSpec(fullname, _AirflowLoader(), is_package=True)
            spec.submodule_search_locations = _folders(fullname) if _is_on_path(fullname) else []
            return spec
        if sys._getframe(1).f_back is not None and sys._getframe(1).f_back.f_code.co_name == "find_spec":  # type: ignore[union-attr]
            return None  # importlib.util.find_spec only asks
        raise ModuleNotFoundError(_no_module(fullname), name=fullname)


class _AirflowLoader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _AirflowModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing runs: names come when they are asked for."""


class _AirflowModule(ModuleType):
    """A module of Airflow's whose names are ours."""

    def __getattr__(self, name: str) -> Any:
        module = self.__name__
        target = names_of(module).get(name)
        if target is not None:
            value = _load(target)
        elif f"{module}.{name}" in known_modules():
            value = importlib.import_module(f"{module}.{name}")
        elif not name.startswith("__") and _is_from_import(sys._getframe(1)):
            raise ImportError(_no_name(module, name), name=module)
        else:
            raise AttributeError(f"module {module!r} of asyncflow's airflow names has no attribute {name!r}")
        setattr(self, name, value)
        return value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *names_of(self.__name__)})

    @property
    def __all__(self) -> list[str]:
        return sorted(name for name in names_of(self.__name__) if not name.startswith("_"))


def _load(target: str) -> Any:
    ours, _, name = target.partition(":")
    module = importlib.import_module(f"asyncflow.{ours}")
    return getattr(module, name) if name else module


def _is_from_import(frame: FrameType) -> bool:
    """Is this frame at `from module import name` (and not at a `getattr` or `hasattr`)?"""
    code = frame.f_code.co_code
    return 0 <= frame.f_lasti < len(code) and code[frame.f_lasti] == _IMPORT_FROM


# ---- providers ------------------------------------------------------------------------------------------------------


def _is_on_path(module: str) -> bool:
    return any(module == package or module.startswith(package + ".") for package in _ON_PATH)


def _folders(package: str) -> list[str]:
    """Every folder of the package on the path: of provider wheels, airflow/providers has no `__init__.py`."""
    folders = (os.path.join(entry or ".", *package.split(".")) for entry in sys.path)
    return [folder for folder in folders if os.path.isdir(folder)]


def _wheel_has(fullname: str) -> bool:
    """Is it for the usual finder: code on the path, or something of a package there that the table does not know?"""
    if fullname in _ON_PATH or not _is_on_path(fullname):
        return False
    if fullname in known_modules():
        return not fullname.startswith(_STANDARD) and _is_code(fullname)
    package = ".".join(fullname.split(".")[:3])
    return _is_code(fullname) if package == _STANDARD else _is_code(package) or bool(_folders(package))


def _is_code(fullname: str) -> bool:
    """Is there a file of this module, or of this package, on the path?"""
    parent, _, name = fullname.rpartition(".")
    files = (name + ".py", os.path.join(name, "__init__.py"))
    return any(os.path.isfile(os.path.join(folder, file)) for folder in _folders(parent) for file in files)


# ---- what to say ----------------------------------------------------------------------------------------------------


def _where() -> str:
    """File and line of the import statement: the nearest frame outside of the import machinery and this module."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if file != __file__ and "importlib" not in file:
            return f"{file}:{frame.f_lineno}"
        frame = frame.f_back
    return "?"


def _no_module(fullname: str) -> str:
    hint = _hint(fullname)
    near = difflib.get_close_matches(fullname, known_modules(), n=3, cutoff=0.75)
    if not hint and fullname.startswith(_PROVIDERS + "."):
        provider = ".".join(fullname.split(".")[2:3])
        hint = f"it belongs to a provider package (apache-airflow-providers-{provider}...) that is not installed"
    if not hint and near:
        hint = f"near names are {', '.join(near)}"
    return f"{_where()}: asyncflow has no module {fullname!r}" + (f"; {hint}." if hint else ".")


def _no_name(module: str, name: str) -> str:
    hint = MISSING.get(f"{module}.{name}", "")
    elsewhere = sorted(m for m in EXPORTS if _offers(m, name))
    near = difflib.get_close_matches(name, names_of(module), n=3)
    if not hint and elsewhere:
        hint = f"it is in {' and '.join(elsewhere[:3])}"
    if not hint and near:
        hint = f"near names are {', '.join(near)}"
    if not hint and (offered := sorted(n for n in names_of(module) if not n.startswith("_"))):
        hint = f"it offers {', '.join(offered[:12])}{', ...' if len(offered) > 12 else ''}"
    return f"{_where()}: cannot import {name!r} from {module!r}: asyncflow does not have it" + (
        f"; {hint}." if hint else "."
    )


def _offers(module: str, name: str) -> bool:
    return any(
        name in (entry.partition("=")[0] for entry in names.split()) for names in EXPORTS.get(module, {}).values()
    )


def _hint(fullname: str) -> str:
    if fullname in MISSING:
        return MISSING[fullname]
    parts = fullname.split(".")
    for n in range(len(parts), 0, -1):
        if (hint := MISSING.get(".".join(parts[:n]) + ".*")) is not None:
            return hint
    return ""
