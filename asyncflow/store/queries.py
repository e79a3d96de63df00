"""The named SQL blocks of `store/sql/*.sql`: `SQL["load_run"]` is the text under `-- name: load_run`.

What several queries of a file have in common stands in it once, under `-- part: wanted_runs`, and they say
`{wanted_runs}` where it belongs.
"""

from __future__ import annotations

import re
from importlib.resources import files

_HEADER = re.compile(r"^-- (name|part): (\w+)$", re.MULTILINE)
_BLANK = re.compile(r"\{(\w+)\}")


def parse(text: str) -> dict[str, str]:
    """The queries of one file by name. Raises ValueError for a name given twice, and for a part that is not there."""
    pieces = _HEADER.split(text)
    kinds, names = pieces[1::3], pieces[2::3]
    bodies = [body.strip().rstrip(";") for body in pieces[3::3]]
    if len(set(names)) != len(names):
        raise ValueError(f"a query name is used twice among {names}")
    parts = {name: body for kind, name, body in zip(kinds, names, bodies, strict=True) if kind == "part"}
    if missing := set(_BLANK.findall(text)) - parts.keys():
        raise ValueError(f"there are no parts {sorted(missing)}")
    queries = {name: body for name, body in zip(names, bodies, strict=True) if name not in parts}
    return {name: _BLANK.sub(lambda found: parts[found[1]], body) for name, body in queries.items()}


def _load() -> dict[str, str]:
    blocks: dict[str, str] = {}
    for entry in sorted(files("asyncflow.store").joinpath("sql").iterdir(), key=lambda e: e.name):
        found = parse(entry.read_text())
        if twice := blocks.keys() & found.keys():
            raise ValueError(f"{entry.name}: query names used elsewhere too: {sorted(twice)}")
        blocks.update(found)
    return blocks


SQL = _load()
