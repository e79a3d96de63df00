"""The named SQL blocks of `store/sql/*.sql`: `SQL["load_run"]` is the text under `-- name: load_run`."""

from __future__ import annotations

import re
from importlib.resources import files

_HEADER = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """The blocks of one file by name. Raises ValueError for a name given twice."""
    parts = _HEADER.split(text)
    names, bodies = parts[1::2], parts[2::2]
    blocks = dict(zip(names, (body.strip().rstrip(";") for body in bodies), strict=True))
    if len(blocks) != len(names):
        raise ValueError(f"a query name is used twice among {names}")
    return blocks


def _load() -> dict[str, str]:
    blocks: dict[str, str] = {}
    for entry in sorted(files("asyncflow.store").joinpath("sql").iterdir(), key=lambda e: e.name):
        found = parse(entry.read_text())
        if twice := blocks.keys() & found.keys():
            raise ValueError(f"{entry.name}: query names used elsewhere too: {sorted(twice)}")
        blocks.update(found)
    return blocks


SQL = _load()
