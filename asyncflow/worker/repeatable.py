"""Would importing a DAG file again give the same thing? Only then may tasks be forked from one import of it.

Three witnesses: what the import was seen doing (`audit`), what it left in its globals (a moment between its start and
end can only come from the clock), and this module's reading of the source: does code that runs at import ask for the
time or for randomness? (The environment cannot change under a zygote.) Followed are module and class bodies,
decorators, defaults, and the functions and classes of the DAG folder that are called from there, by name. Bodies of
`@task` functions and of callables handed over by keyword (`python_callable=f`) run in tasks, not at import. When in
doubt: not repeatable.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from pathlib import PurePath
from typing import Any

_CLOCK_CALLS = frozenset(
    {"now", "utcnow", "today", "tomorrow", "yesterday", "days_ago", "round_time", "localtime", "gmtime", "ctime"}
)
_CLOCK = frozenset(
    {f"time.{name}" for name in ("time", "time_ns", "strftime", "monotonic", "monotonic_ns", "perf_counter", "asctime")}
)
_RANDOM_MODULES = ("random.", "secrets.", "numpy.random.", "faker.")
_RANDOM = frozenset(
    {"uuid.uuid1", "uuid.uuid4", "os.urandom", "os.getrandom", "os.getpid", "os.getppid", "tempfile.mktemp"}
)
_CONSTRUCTORS = ("__init__", "__new__", "__post_init__", "__init_subclass__", "__enter__")
#: keywords whose function is called at once, by the function it is given to
_CALLED_KEYWORDS = frozenset({"key", "default_factory"})

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def scan(sources: Mapping[str, str], main: str) -> dict[str, bool]:
    """Reasons why the import of these modules (path -> source) is not repeatable; `main` is the DAG file's path.

    Each with True: all three things cannot be watched, so the file has to be loaded again now and then. A module that
    is not Python is passed over: its import has failed anyway.
    """
    modules = []
    for path, source in sources.items():
        try:
            modules.append(_Module(path, ast.parse(source), "" if path == main else PurePath(path).name))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return _Scan(modules).run()


def moments(names: Mapping[str, Any], begin: datetime, end: datetime) -> dict[str, bool]:
    """Reasons from module globals: values that hold the time of this very import. `begin`, `end` are aware."""
    found = {}
    for name, value in names.items():
        if _is_present(value, begin, end):
            found[f"{name} holds the time of the import"] = True
    return found


def _is_present(value: Any, begin: datetime, end: datetime) -> bool:
    if isinstance(value, float):
        return begin.timestamp() <= value <= end.timestamp()
    if isinstance(value, datetime):
        try:
            first, last = (begin, end) if value.tzinfo else (begin.replace(tzinfo=None), end.replace(tzinfo=None))
            return first <= value <= last
        except (TypeError, OverflowError):
            return False
    return isinstance(value, date) and value in (begin.date(), end.date())


class _Module:
    def __init__(self, path: str, tree: ast.Module, shown: str) -> None:
        self.path = path
        self.tree = tree
        self.shown = shown
        self.names: dict[str, str] = {}
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                for alias in node.names:
                    self.names[alias.asname or alias.name.partition(".")[0]] = (
                        alias.name if alias.asname else alias.name.partition(".")[0]
                    )
            elif isinstance(node, ast.ImportFrom):
                for alias in node.names:
                    self.names[alias.asname or alias.name] = f"{node.module or ''}.{alias.name}"

    def full_name(self, node: ast.expr) -> str:
        """ "datetime.datetime.now" for `dt.now` after `from datetime import datetime as dt`; "" for no name."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ".".join(["?", *reversed(parts)]) if parts else ""
        return ".".join([self.names.get(node.id, node.id), *reversed(parts)])


class _Scan:
    """Walks what runs at import, across modules."""

    def __init__(self, modules: list[_Module]) -> None:
        self._modules = modules
        self._functions: dict[str, list[tuple[_Module, _Function]]] = {}
        self._classes: dict[str, list[tuple[_Module, ast.ClassDef]]] = {}
        self._done: set[int] = set()
        self._waiting: list[tuple[_Module, _Function]] = []
        self.reasons: dict[str, bool] = {}
        for module in modules:
            for node in ast.walk(module.tree):
                if isinstance(node, _Function):
                    self._functions.setdefault(node.name, []).append((module, node))
                elif isinstance(node, ast.ClassDef):
                    self._classes.setdefault(node.name, []).append((module, node))

    def run(self) -> dict[str, bool]:
        for module in self._modules:
            _Walker(self, module).walk(module.tree.body)
        while self._waiting:
            module, function = self._waiting.pop()
            _Walker(self, module).walk(function.body)
        return self.reasons

    def called(self, name: str) -> None:
        """Code that runs at import calls something of this name: follow every function that could be meant."""
        for module, function in self._functions.get(name, ()):
            self._follow(module, function)
        for _, cls in self._classes.get(name, ()):
            for item in cls.body:
                if isinstance(item, _Function) and item.name in _CONSTRUCTORS:
                    for module, function in self._functions[item.name]:
                        if function is item:
                            self._follow(module, function)

    def read(self, name: str) -> None:
        """An attribute is read: it may be a property."""
        for module, function in self._functions.get(name, ()):
            if any("property" in module.full_name(d) for d in function.decorator_list):
                self._follow(module, function)

    def note(self, module: _Module, node: ast.AST, what: str) -> None:
        line = getattr(node, "lineno", 0)
        self.reasons[f"{what} at line {line}" + (f" of {module.shown}" if module.shown else "")] = True

    def _follow(self, module: _Module, function: _Function) -> None:
        if id(function) not in self._done and not _is_task(module, function):
            self._done.add(id(function))
            self._waiting.append((module, function))


def _is_task(module: _Module, function: _Function) -> bool:
    """Decorated with @task, @task.branch(...), @setup, ...: calling it makes a task, its body runs later."""
    for decorator in function.decorator_list:
        name = module.full_name(decorator.func if isinstance(decorator, ast.Call) else decorator)
        if {"task", "setup", "teardown", "sensor"} & set(name.split(".")):
            return True
    return False


class _Walker(ast.NodeVisitor):
    def __init__(self, scan: _Scan, module: _Module) -> None:
        self._scan = scan
        self._module = module

    def walk(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self.visit(statement)

    def visit_FunctionDef(self, node: _Function) -> None:
        """Only decorators and defaults run where a function is defined."""
        for part in (*node.decorator_list, *node.args.defaults, *(d for d in node.args.kw_defaults if d)):
            self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Lambda(self, node: ast.Lambda) -> None:
        """Where it stands its body does not run; `visit_Call` knows where it does."""

    def visit_If(self, node: ast.If) -> None:
        if _is_main_guard(node.test):
            self.walk(node.orelse)
        else:
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._module.full_name(node.func)
        last = name.rpartition(".")[2]
        if last in _CLOCK_CALLS or name in _CLOCK:
            self._scan.note(self._module, node, "reads the clock")
        elif name in _RANDOM or name.startswith(_RANDOM_MODULES):
            self._scan.note(self._module, node, "uses randomness")
        if last:
            self._scan.called(last)
        handed_over = [*node.args, *(k.value for k in node.keywords if k.arg in _CALLED_KEYWORDS)]
        for argument in handed_over:
            if isinstance(argument, ast.Lambda):
                self.visit(argument.body)
            elif isinstance(argument, ast.Name | ast.Attribute):
                self._scan.called(self._module.full_name(argument).rpartition(".")[2])
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self._scan.read(node.attr)
        self.generic_visit(node)


def _is_main_guard(test: ast.expr) -> bool:
    return isinstance(test, ast.Compare) and isinstance(test.left, ast.Name) and test.left.id == "__name__"
