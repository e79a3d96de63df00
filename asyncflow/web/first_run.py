"""What somebody reads who has no DAG yet: why, and what to put where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from asyncflow.engine.dag_folder import Folder
from asyncflow.web.i18n import Language

#: how the folder is -> heading, sentence
STATES = {
    "missing": (
        "The DAG folder does not exist",
        "Make this folder and put a DAG file into it. It is watched from here on: nothing has to be started again.",
    ),
    "closed": (
        "The DAG folder cannot be read",
        "The server may not look into it: give it the right to read this folder.",
    ),
    "empty": ("No DAGs yet", "The folder is empty. Put a DAG file into it; it appears here within a second."),
    "no_dag": ("No DAGs yet", "There are files in this folder, but none of them makes a DAG. Below stands why."),
    "loading": ("DAG files are being loaded", "This page shows the DAGs as they come."),
}
#: why no DAG came of a file -> sentence
REASONS = {
    "loading": "It is being loaded.",
    "no_dag": (
        "It was loaded, and made no DAG. A DAG must be made at the top level of the file: by a with statement, "
        "or by calling the function that has @dag."
    ),
    "words": (
        'It is not looked at, because it does not contain the words "dag" and "airflow" or "asyncflow" '
        "(setting dag_discovery_safe_mode)."
    ),
    "ignored": "A line of .airflowignore leaves it out.",
    "other": "It is no Python file.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class First:
    """What is shown instead of a list."""

    heading: str
    sentence: str
    folder: str
    files: Sequence[tuple[str, str]]  #: file, why
    more: int


def first(found: Folder, _: Language) -> First:
    """From how the folder is."""
    heading, sentence = STATES[found.state]
    return First(
        heading=_(heading),
        sentence=_(sentence),
        folder=str(found.path),
        files=[(file.file, _(REASONS[file.why])) for file in found.files],
        more=found.more,
    )
