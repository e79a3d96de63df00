"""A short-lived process that knows what installed packages know of connections: it tests one, or describes their types.

`python -P -m asyncflow.worker.connection_child`: a question as JSON on stdin, the answer as one line of JSON on stdout.
What packages print goes to stderr. The server never imports them, so it asks here (`executors.oneshot`).

    {"ask": "test", "connection": {...}}     -> {"status": bool, "message": text}
    {"ask": "types"}                         -> {"types": {conn_type: package}}
    {"ask": "form", "conn_type": ...}        -> {"hidden": [...], "labels": {...}, "placeholders": {...}, "fields": []}

Each question has `conf`, `paths` and `socket` as in `HostConfig`.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from asyncflow.airflow import finder
from asyncflow.authoring.api import use_api
from asyncflow.authoring.conf import conf
from asyncflow.authoring.connection import Connection
from asyncflow.authoring.masking import mask_text
from asyncflow.authoring.providers import hook_classes, import_path, provider_infos
from asyncflow.worker.client import Client, SocketApi

#: what hooks describe their form fields with in Airflow; stand-ins take its place where it is not installed
_FORM_PACKAGES = frozenset({"wtforms", "flask_appbuilder", "flask_babel"})


def main() -> int:
    """Answer one question. Returns the exit code."""
    question = json.loads(sys.stdin.buffer.read())
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    _prepare(question)
    answer = {"test": _test, "types": _types, "form": _form}[question["ask"]](question)
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
    sys.stderr.flush()
    os._exit(0)  # threads that a package started must not hold the process


def _prepare(question: Mapping[str, Any]) -> None:
    sys.path += [path for path in question["paths"] if path not in sys.path]
    conf.load(question["conf"])
    finder.install()
    if os.path.exists(question["socket"]):
        use_api(SocketApi(Client(question["socket"], role="host")))


def _test(question: Mapping[str, Any]) -> dict[str, Any]:
    fields = question["connection"]
    connection = Connection(**fields)
    # as a hook will look for it, whatever is stored or set under this name
    os.environ[f"AIRFLOW_CONN_{fields['conn_id'].upper()}"] = connection.as_json()
    worked, message = connection.test_connection()
    return {"status": worked, "message": mask_text(message)}


def _types(_question: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, str] = dict.fromkeys(hook_classes(), "")
    for info in provider_infos():
        found |= {entry["connection-type"]: info.get("package-name", "") for entry in info.get("connection-types", ())}
    return {"types": found}


def _form(question: Mapping[str, Any]) -> dict[str, Any]:
    """What the hook of a type wants to be asked for; raises what its import raises."""
    sys.meta_path.append(_StandIns())
    hook = import_path(hook_classes()[question["conn_type"]])
    behaviour = _said(hook, "get_ui_field_behaviour")
    return {
        "hidden": [str(name) for name in behaviour.get("hidden_fields") or ()],
        "labels": _texts(behaviour.get("relabeling")),
        "placeholders": _texts(behaviour.get("placeholders")),
        "fields": [_field(name, given) for name, given in _said(hook, "get_connection_form_widgets").items()],
    }


def _said(hook: Any, method: str) -> Mapping[str, Any]:
    found = getattr(hook, method, dict[str, Any])()
    return found if isinstance(found, Mapping) else {}


def _texts(given: Any) -> dict[str, str]:
    return {str(name): str(text) for name, text in dict(given or {}).items()}


def _field(name: str, given: Any) -> dict[str, str]:
    """A widget, of wtforms or a stand-in, as name, label and kind."""
    arguments: Sequence[Any] = getattr(given, "args", ())
    label = arguments[0] if arguments else getattr(given, "kwargs", {}).get("label", name)
    kind = getattr(given, "field_class", type(given)).__name__
    kinds = {"PasswordField": "password", "BooleanField": "check", "IntegerField": "number"}
    short = name.split("__", 2)[2] if name.startswith("extra__") and name.count("__") >= 2 else name
    return {"name": short, "label": str(label), "kind": kinds.get(kind, "text")}


class _Part:
    """Stands for any field, widget or validator."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


class _StandIn(ModuleType):
    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return str if "gettext" in name else type(name, (_Part,), {})


class _StandIns(MetaPathFinder, Loader):
    """Comes after all others: only what is not installed."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname.partition(".")[0] not in _FORM_PACKAGES:
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Names come when they are asked for."""


if __name__ == "__main__":
    sys.exit(main())
