"""The cells of a grid as HTML, in one piece: there are thousands, and a template takes too long over each. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup, escape

from asyncflow.web.grid_view import Column, Row

_EMPTY = "<td></td>"


def pick(name: str, run_id: str) -> str:
    """A task or group of a run as the value of a field; `picked` reads it."""
    return f"{name}@{run_id}"


def picked(text: str) -> tuple[str, str]:
    """(task or group, run id): no id of a task has an @. Raises ValueError for what `pick` did not make."""
    name, found, run_id = text.partition("@")
    if not (name and found and run_id):
        raise ValueError(text)
    return name, run_id


def links(row: Row) -> Markup:
    """A link per task instance. Addresses are quoted and titles have words of ours only: neither needs escaping."""
    return Markup(
        "".join(
            _EMPTY
            if cell is None
            else f'<td><a class="c state-{cell.state}" href="{cell.path}" title="{cell.title}"></a></td>'
            for cell in row.cells
        )
    )


def boxes(row: Row, columns: Sequence[Column]) -> Markup:
    """A box to tick per task instance."""
    name = escape(row.line.id)
    return Markup(
        "".join(
            _EMPTY
            if cell is None
            else f'<td><input type="checkbox" form="cells" name="ti" class="c state-{cell.state}"'
            f' value="{name}@{escape(column.run_id)}" aria-label="{name}, {escape(column.title)}: {cell.title}"></td>'
            for cell, column in zip(row.cells, columns, strict=True)
        )
    )
