"""Compares asyncflow with stock Airflow on public DAG files, and prints what differs.

python benchmarks/corpus.py --list corpus.json --folder DIR [--only ID...] [--json]

The list names files by repository, commit and path, with the end that each came to in stock Airflow; the files lie in
DIR as `<owner>+<repository>@<commit>/<path>`, of a release as `<owner>+<repository>@<version>/<path>`. See README.md.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("corpus_child.py")
ROOT = Path(__file__).parent.parent
PLAYED = ("run", "run-fails")
#: what a note of the list says of a run whose values cannot be compared
RANDOM = "clock or random values"


@dataclass
class Verdict:
    """What came of one file.

    `kind`: "same"; "values" (states alike, XComs not); "differs"; "beyond" (imported here, refused there); "unjudged"
    (there is nothing to compare with, and it does not import here: providers); "missing" from the folder.
    """

    id: str
    tier: str
    kind: str
    differences: list[str] = field(default_factory=list)


def entry_id(entry: dict[str, Any]) -> str:
    """How an entry is called: the set it comes from, its release if it is of one, and its path."""
    release = entry["commit"].rpartition(" ")
    source = f"{entry['source_set']}-{release[2]}" if release[0] else entry["source_set"]
    return f"{source}:{entry['path']}"


def root_of(entry: dict[str, Any], folder: Path) -> Path:
    """The folder that holds the repository's files at the entry's commit."""
    return folder / f"{entry['repo'].replace('/', '+')}@{entry['commit'].split()[-1]}"


def judge(entry: dict[str, Any], folder: Path, *, limit: float) -> Verdict:
    """Import one file and play what ran there; say what differs."""
    verdict = Verdict(entry_id(entry), entry["tier"], "same")
    if not (root_of(entry, folder) / entry["path"]).is_file():
        verdict.kind = "missing"
        return verdict
    here = ask(entry, folder, limit=limit)
    there = entry.get("expected") or {}
    if not there.get("imports", True) or "dags" not in there:
        verdict.kind = _refused_there(entry, here)
        if verdict.kind != "same":
            verdict.differences = [here.get("error") or "imports here"]
        return verdict
    verdict.differences += compare_imports(there["dags"], here)
    values: list[str] = []
    if entry["tier"] in PLAYED and not verdict.differences:
        for dag_id, end in there["dags"].items():
            if "logical_date" in end:
                played = ask(entry, folder, limit=limit, dag_id=dag_id, logical_date=end["logical_date"])
                verdict.differences += compare_runs(dag_id, end, played)
                values += compare_values(dag_id, end, played) if RANDOM not in entry["notes"] else []
    if values and not verdict.differences:
        verdict.kind, verdict.differences = "values", values
    elif verdict.differences:
        verdict.kind = "differs"
    return verdict


def _refused_there(entry: dict[str, Any], here: dict[str, Any]) -> str:
    """Where stock Airflow refuses the file, or was not asked: what it refuses by design must be refused."""
    if "error" not in here:
        return "differs" if entry.get("failure_kind") == "by-design" else "beyond"
    return "same" if entry.get("expected") else "unjudged"


def compare_imports(there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Differences in DAG ids, numbers of tasks and edges."""
    if "error" in here:
        return [f"does not import: {here['error']}"]
    found = here["dags"]
    differences = [f"DAG {dag_id} is missing" for dag_id in there.keys() - found.keys()]
    differences += [f"DAG {dag_id} is too many" for dag_id in found.keys() - there.keys()]
    for dag_id in there.keys() & found.keys():
        for what in ("n_tasks", "n_edges"):
            if found[dag_id][what] != there[dag_id][what]:
                differences.append(f"{dag_id}: {what} {found[dag_id][what]}, expected {there[dag_id][what]}")
    return sorted(differences)


def compare_runs(dag_id: str, there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """Differences in how a run ended: its state and its tasks' states."""
    if "error" in there or "error" in here:
        return _compare_errors(dag_id, there.get("error"), here.get("error"))
    differences = []
    if here["state"] != there["state"]:
        differences.append(f"{dag_id}: {here['state']}, expected {there['state']}")
    tasks = there.get("tasks", {})
    for task in sorted(tasks.keys() | here["tasks"].keys()):
        mine, theirs = here["tasks"].get(task), tasks.get(task)
        if mine != theirs:
            why = f" ({here['errors'][task]})" if task in here["errors"] else ""
            differences.append(f"{dag_id}.{task}: {mine}, expected {theirs}{why}")
    return differences


def _compare_errors(dag_id: str, there: str | None, here: str | None) -> list[str]:
    """Runs that were refused: by the same kind of error."""
    kinds = [(text or "no error").partition(":")[0] for text in (there, here)]
    return [] if kinds[0] == kinds[1] else [f"{dag_id}: {here or 'a run'}, expected {there or 'a run'}"]


def compare_values(dag_id: str, there: dict[str, Any], here: dict[str, Any]) -> list[str]:
    """XComs of the list that are not here, or are something else. The list has not all of every run."""
    differences = []
    for name, text in sorted(there.get("xcom", {}).items()):
        theirs, mine = json.loads(text), here.get("xcom", {}).get(name)
        if _unordered(mine) != _unordered(theirs):
            differences.append(f"{dag_id}: XCom {name} is {mine!r:.200}, expected {theirs!r:.200}")
    return differences


def _unordered(value: Any) -> Any:
    """Without the order of what was a set: the tasks that a branch names."""
    if isinstance(value, dict) and value.keys() <= {"followed", "skipped"}:
        return {key: sorted(tasks) for key, tasks in value.items()}
    return value


# ---- the processes --------------------------------------------------------------------------------------------------


def ask(
    entry: dict[str, Any], folder: Path, *, limit: float, dag_id: str | None = None, logical_date: str | None = None
) -> dict[str, Any]:
    """Import the file, or play one of its DAGs, in a process and a home of its own; what `corpus_child` answers.

    As where the expected ends come from, the file is alone in its folder: modules beside it and in `../src` are found,
    templates and other DAGs are not.
    """
    root = root_of(entry, folder).resolve()
    beside = (root / entry["path"]).parent
    with tempfile.TemporaryDirectory(prefix="corpus-", ignore_cleanup_errors=True) as home:
        answer = Path(home, "answer.json")
        alone = Path(home, "dags", Path(entry["path"]).name)
        alone.parent.mkdir()
        shutil.copy(root / entry["path"], alone)
        request = {
            "file": str(alone),
            "paths": [str(path) for path in (beside, beside.parent / "src", root)],
            "dag_id": dag_id,
            "logical_date": logical_date,
            "home": home,
            "answer": str(answer),
            "limit": limit,
        }
        with Path(home, "output.txt").open("w+b") as output:
            status = _run_child(json.dumps(request), home, output, limit)
            if answer.exists():
                return dict(json.loads(answer.read_text()))
            output.seek(0)
            last = output.read().decode(errors="replace").strip().splitlines()[-1:]
        return {"error": f"{status}: {' '.join(last)}"}


def _run_child(request: str, home: str, output: Any, limit: float) -> str:
    """Run the child, and end with it whatever it started; how it ended, in words."""
    process = subprocess.Popen(
        [sys.executable, str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.STDOUT,
        cwd=home,
        env=_environment(home),
        start_new_session=True,
        text=True,
    )
    try:
        process.communicate(request, timeout=limit)
        return f"ended with status {process.returncode}"
    except subprocess.TimeoutExpired:
        return f"not done after {limit:g} s"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _environment(home: str) -> dict[str, str]:
    """Nothing set up: no settings, variables or connections of whoever runs this."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "ASYNCFLOW_"))}
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    mine = {"HOME": home, "AIRFLOW_HOME": home, "ASYNCFLOW_HOME": home, "TMPDIR": home}
    return kept | mine | {"PYTHONPATH": os.pathsep.join(paths)}


# ---- what is printed ------------------------------------------------------------------------------------------------


def table(verdicts: list[Verdict]) -> str:
    """Every file that differs, with all its differences, and the totals per tier."""
    lines = []
    for verdict in verdicts:
        if verdict.differences or verdict.kind == "missing":
            lines.append(f"{verdict.id} [{verdict.tier}] {verdict.kind}")
            lines += [f"    {' '.join(text.split())[:300]}" for text in verdict.differences]
    return "\n".join([*lines, "", *_totals(verdicts)])


KINDS = ("same", "values", "beyond", "unjudged", "differs", "missing")


def _totals(verdicts: list[Verdict]) -> Iterator[str]:
    counts = Counter((verdict.tier, verdict.kind) for verdict in verdicts)
    yield f"{'tier':<26}" + "".join(f"{kind:>10}" for kind in KINDS)
    for tier in sorted({verdict.tier for verdict in verdicts}):
        yield f"{tier:<26}" + "".join(f"{counts[tier, kind]:>10}" for kind in KINDS)
    yield f"{'all':<26}" + "".join(f"{sum(counts[key] for key in counts if key[1] == kind):>10}" for kind in KINDS)


def _chosen(entries: list[dict[str, Any]], only: list[str]) -> list[dict[str, Any]]:
    return [entry for entry in entries if not only or any(text in entry_id(entry) for text in only)]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 if anything differs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--list", required=True, type=Path, help="the list of files and their expected ends (JSON)")
    parser.add_argument("--folder", required=True, type=Path, help="the folder the files lie in")
    parser.add_argument("--only", nargs="+", default=[], metavar="ID", help="entries whose id contains one of these")
    parser.add_argument("--limit", type=float, default=90.0, help="seconds each process may take (default 90)")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes at once (default 2)")
    parser.add_argument("--json", action="store_true", help="print data instead of a table")
    given = parser.parse_args(arguments)
    entries = _chosen(json.loads(given.list.read_text())["dags"], given.only)
    with ThreadPoolExecutor(given.jobs) as pool:
        verdicts = list(pool.map(lambda entry: judge(entry, given.folder, limit=given.limit), entries))
    print(json.dumps([asdict(verdict) for verdict in verdicts], indent=1) if given.json else table(verdicts))
    return int(any(verdict.kind in ("differs", "missing") for verdict in verdicts))


if __name__ == "__main__":
    sys.exit(main())
