"""`.airflowignore`: which paths below the DAG folder are left out, in both syntaxes, as Airflow 2.11 reads them.

- `regexp`: each line is searched for anywhere in the path relative to the *DAG folder*, even if the file lies deeper.
- `glob`: lines as in `.gitignore`, relative to the file's folder; the last one that matches decides, `!` takes back.

In both, a file's lines count for its own folder and everything below, after those of the folders above, and `#` starts
a comment anywhere in a line. Paths are relative to the DAG folder, with `/`. Reads no files: `discovery` does.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

IGNORE_FILE = ".airflowignore"
Syntax = Literal["regexp", "glob"]

_log = logging.getLogger(__name__)
_COMMENT = re.compile(r"\s*#.*")


class _Rule(NamedTuple):
    pattern: re.Pattern[str]
    #: what a match means; False only for `!` lines
    ignores: bool = True
    #: folder that the path is taken relative to ("" = the DAG folder); None = only the last part of the path counts
    anchor: str | None = ""
    only_folders: bool = False

    def matches(self, path: str, is_folder: bool) -> bool:
        if self.only_folders and not is_folder:
            return False
        if self.anchor is None:
            path = path.rpartition("/")[2]
        elif self.anchor:
            path = path.removeprefix(self.anchor + "/")
        return self.pattern.search(path) is not None


class IgnoreRules(NamedTuple):
    """The lines that count in one folder. Begin with `IgnoreRules("glob")`, add the lines of each folder on the way."""

    syntax: str
    rules: tuple[_Rule, ...] = ()

    def with_lines(self, text: str, folder: str) -> IgnoreRules:
        """These rules and those of an ignore file in `folder` ("" = the DAG folder); a bad line is only logged."""
        return self._replace(rules=self.rules + tuple(self._compiled(text.splitlines(), folder)))

    def ignore(self, path: str, *, is_folder: bool) -> bool:
        """Is this path left out? Everything below an ignored folder is left out too: do not look into it."""
        ignored = False
        for rule in self.rules:
            if rule.ignores != ignored and rule.matches(path, is_folder):
                ignored = rule.ignores
        return ignored

    def _compiled(self, lines: Iterable[str], folder: str) -> Iterable[_Rule]:
        for raw in lines:
            line = _COMMENT.sub("", raw)
            if not line.strip():
                continue
            try:
                rule = _glob_rule(line.strip(), folder) if self.syntax == "glob" else _Rule(re.compile(line))
            except re.error as error:
                where = f"{folder}/{IGNORE_FILE}" if folder else IGNORE_FILE
                _log.warning("%s: the line %r is left out, it is not a pattern: %s", where, line, error)
                continue
            yield rule


def _glob_rule(line: str, folder: str) -> _Rule:
    keeps = line.startswith("!")
    glob = line[1:] if keeps else line
    body = glob.rstrip("/")
    if not body:
        raise re.error("it names nothing")
    anchored = "/" in body
    return _Rule(
        re.compile(_glob_regex(body.removeprefix("/"))),
        ignores=not keeps,
        anchor=folder if anchored else None,
        only_folders=glob.endswith("/"),
    )


def _glob_regex(glob: str) -> str:
    """A whole-path regular expression of a .gitignore pattern without leading and trailing slash."""
    parts = glob.split("/")
    regex = ""
    for number, part in enumerate(parts):
        is_last = number == len(parts) - 1
        if part == "**":
            regex += ".+" if is_last else "(?:.*/)?"
        else:
            regex += _part_regex(part) + ("" if is_last else "/")
    return rf"\A{regex}\Z"


def _part_regex(part: str) -> str:
    regex, at = "", 0
    while at < len(part):
        char = part[at]
        at += 1
        if char == "*":
            regex += "[^/]*"
        elif char == "?":
            regex += "[^/]"
        elif char == "[" and (end := part.find("]", at + 1 + (part[at : at + 1] in ("!", "^")))) > 0:
            inner = part[at:end].replace("\\", "\\\\")
            regex += "[^" + inner[1:] + "]" if inner[0] in "!^" else f"[{inner}]"
            at = end + 1
        else:
            if char == "\\" and at < len(part):
                char = part[at]
                at += 1
            regex += re.escape(char)
    return regex
