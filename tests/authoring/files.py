"""Running the text of a DAG file from a real file, so that lines and dialects are seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def run_file(path: Path, text: str) -> dict[str, Any]:
    """The globals that the file leaves."""
    path.write_text(text)
    names: dict[str, Any] = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(text, str(path), "exec"), names)
    return names
