"""The shape of the house: who may import whom, and what `core` must not touch. Reads the sources, imports nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parent.parent / "asyncflow"
LONGEST_FUNCTION = 60

#: package or top-level module -> those it may import beside itself. One way: core <- edges <- engine <- web, cli.
MAY_IMPORT: dict[str, set[str]] = {
    "errors": {"core"},  # core.sentence, which imports nothing
    "config": {"errors"},
    "core": {"errors"},
    "ipc": {"core", "errors"},
    "authoring": {"core", "errors", "config"},
    "operators": {"authoring", "core", "errors", "sensors", "hooks", "triggers"},
    "sensors": {"authoring", "core", "errors", "operators", "hooks", "triggers"},
    "hooks": {"authoring", "core", "errors"},
    "triggers": {"authoring", "core", "errors"},
    "airflow": {"authoring", "operators", "sensors", "hooks", "triggers", "core", "errors", "config"},
    "worker": {"authoring", "operators", "sensors", "hooks", "airflow", "core", "errors", "ipc", "config"},
    "store": {"core", "errors", "config"},
    "dagfiles": {"core", "errors", "config", "ipc"},
    "executors": {"core", "errors", "config", "ipc"},
    "engine": {"store", "dagfiles", "executors", "core", "errors", "config", "ipc"},
    "web": {"engine", "core", "errors", "config"},
    "cli": {"engine", "web", "store", "worker", "executors", "testing", "dagfiles", "core", "errors", "config"},
    "testing": {
        *("authoring", "operators", "sensors", "hooks", "airflow", "worker", "core", "errors", "config"),
        *("store", "dagfiles", "executors", "engine", "ipc", "triggers"),
    },
    "__init__": {"authoring", "operators", "sensors", "hooks", "core"},
    "__main__": {"cli"},
}
#: arrows that point the wrong way, but only inside functions, where a user's call asks for them
LAZILY = {("authoring", "testing"), ("authoring", "cli"), ("authoring", "operators"), ("authoring", "sensors")}

#: all that pure code needs; a new name here is a decision
PURE = {
    *("__future__", "bisect", "collections", "copy", "dataclasses", "datetime", "enum", "functools", "graphlib"),
    *("hashlib", "heapq", "itertools", "math", "operator", "re", "struct", "typing", "zoneinfo"),
    *("croniter", "dateutil", "msgspec", "urllib.parse"),
}
IMPURE_CALLS = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today", "getenv"}

#: libraries that cost tens of milliseconds: not at the top of what every command and task process imports
HEAVY = {"rich", "cryptography", "jsonschema", "yaml", "watchfiles", "uvicorn", "starlette", "aiosqlite"}
SERVER_ONLY = {"engine", "web", "store"}

SERVER = {"core", "store", "dagfiles", "executors", "engine", "web"}


class Arrow(NamedTuple):
    """One import of another part of asyncflow, or of another library."""

    path: Path
    line: int
    target: str
    lazy: bool  #: inside a function, or for type checkers only

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT.parent)}:{self.line} imports {self.target}"


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def sources(*parts: str) -> list[Path]:
    return [p for p in sorted(ROOT.rglob("*.py")) if not parts or part_of(p) in parts]


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def arrows(path: Path) -> Iterator[Arrow]:
    """Every import statement of a file."""
    tree = tree_of(path)
    top = {id(node) for node in tree.body}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports are absolute"
            names = [node.module or ""]
            if node.module == "asyncflow":
                names = [f"asyncflow.{alias.name}" for alias in node.names if not alias.name.startswith("__")]
        else:
            continue
        for name in names:
            yield Arrow(path, node.lineno, name, id(node) not in top)


def inner_part(arrow: Arrow) -> str | None:
    """The part of asyncflow that an arrow leads to, None if it leads elsewhere or stays at home."""
    first, _, rest = arrow.target.partition(".")
    part = rest.partition(".")[0]
    return part if first == "asyncflow" and part and part != part_of(arrow.path) else None


def test_every_part_is_in_the_table() -> None:
    assert {part_of(path) for path in sources()} <= set(MAY_IMPORT)


def test_imports_go_one_way() -> None:
    wrong = []
    for path in sources():
        for arrow in arrows(path):
            part = inner_part(arrow)
            if part is None or part in MAY_IMPORT[part_of(path)]:
                continue
            if not (arrow.lazy and (part_of(path), part) in LAZILY):
                wrong.append(str(arrow))
    assert not wrong, "\n".join(wrong)


def test_core_imports_nothing_that_touches_the_world() -> None:
    wrong = [
        str(arrow)
        for path in sources("core")
        for arrow in arrows(path)
        if not {arrow.target, arrow.target.partition(".")[0]} & (PURE | {"asyncflow"})
    ]
    assert not wrong, "\n".join(wrong)


def test_core_neither_awaits_nor_asks_the_clock() -> None:
    wrong = []
    for path in sources("core"):
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.AsyncFunctionDef | ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Global):
                wrong.append(f"{path.name}:{node.lineno} {type(node).__name__}")
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name in IMPURE_CALLS:
                    wrong.append(f"{path.name}:{node.lineno} calls {name}()")
    assert not wrong, "\n".join(wrong)


def test_only_config_reads_the_environment_on_the_server() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sources(*SERVER, "cli", "ipc")
        for line in environment_reads(tree_of(path))
    ]
    assert not wrong, "\n".join(wrong)


def environment_reads(tree: ast.Module) -> Iterator[int]:
    """Lines that mention the environment, but for `os.environ.update(...)`, which sets it for a task."""
    updated = {id(n.value) for n in ast.walk(tree) if isinstance(n, ast.Attribute) and n.attr == "update"}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Attribute)
            and node.attr in ("environ", "environb", "getenv")
            and id(node) not in updated
        ):
            yield node.lineno


def test_heavy_libraries_are_imported_where_they_are_used() -> None:
    wrong = [
        str(arrow)
        for path in sources()
        if part_of(path) not in SERVER_ONLY
        for arrow in arrows(path)
        if arrow.target.partition(".")[0] in HEAVY and not arrow.lazy
    ]
    assert not wrong, "\n".join(wrong)


def test_nothing_is_ever_unpickled() -> None:
    """But by operators in a task's own process, for their own child."""
    modules = {"pickle", "cPickle", "dill", "cloudpickle", "shelve", "marshal"}
    wrong = [
        str(arrow)
        for path in sources()
        if part_of(path) != "operators"
        for arrow in arrows(path)
        if arrow.target.partition(".")[0] in modules
    ]
    assert not wrong, "\n".join(wrong)


def test_no_file_is_a_drawer_for_odds_and_ends() -> None:
    drawers = {"utils", "helpers", "util", "common", "misc", "manager"}
    assert not [path for path in sources() if path.stem in drawers]


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_functions_fit_on_a_screen_and_modules_say_what_they_are(path: Path) -> None:
    tree = tree_of(path)
    assert not tree.body or ast.get_docstring(tree), "the module has no docstring"
    long = []
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if lines > LONGEST_FUNCTION:
                long.append(f"{node.name} has {lines} lines")
    assert not long


def test_the_engine_says_what_each_of_its_modules_is_for() -> None:
    words = set(re.findall(r"\w+", ast.get_docstring(ast.parse((ROOT / "engine" / "__init__.py").read_text())) or ""))
    assert {path.stem for path in (ROOT / "engine").glob("*.py")} - {"__init__"} - words == set()
