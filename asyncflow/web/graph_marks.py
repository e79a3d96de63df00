"""The boxes and arrows of a graph as SVG, in one piece: a template takes too long over each of a thousand. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime

from markupsafe import Markup, escape

from asyncflow.web.graph_view import Link, Shape
from asyncflow.web.i18n import Language


def boxes(shapes: Iterable[Shape], _: Language, moment: Callable[[datetime], str]) -> Markup:
    """Tasks and folded groups; `moment` writes a time as the page does."""
    path = _("on the critical path")
    return Markup("\n".join(_box(shape, _, moment, path) for shape in shapes if shape.kind != "group"))


def _box(s: Shape, _: Language, moment: Callable[[datetime], str], path: str) -> str:
    title = s.title
    if s.usual:
        title += " · " + _("usually {time}", time=s.usual)
    if s.until:
        title += " · " + _("expected to end {time}", time=moment(s.until))
    if s.critical:
        title += f" · {path}"
    x, y, height = s.x, s.y, s.height
    sign = ""
    if s.glyph:
        place = f"translate({round(x + 4, 1):g} {round(y + height / 2 - 8, 1):g})"
        sign = f'<path class="sign state-{s.state}" d="{s.glyph}" transform="{place}"/>'
    return (
        f'<a class="node {s.kind}{" critical" if s.critical else ""}" href="{escape(s.href)}" data-id="{escape(s.id)}"'
        f' data-before="{escape(s.before)}" data-after="{escape(s.after)}"><title>{escape(title)}</title>'
        f'<rect class="body" x="{x}" y="{y}" width="{s.width}" height="{height}" rx="6"/>'
        f'<rect class="mark state-{s.state}" x="{x}" y="{y}" width="24" height="{height}" rx="6"/>{sign}'
        f'<text x="{x + 32:.1f}" y="{y + 18:.1f}">{escape(s.label)}</text>'
        f'<text class="small" x="{x + 32:.1f}" y="{y + 34:.1f}">{escape(s.small)}</text></a>'
    )


def arrows(links: Iterable[Link]) -> Markup:
    """Lines with their heads and labels."""
    return Markup("\n".join(map(_arrow, links)))


def _arrow(link: Link) -> str:
    kind = ' class="critical"' if link.critical else ""
    head = ' marker-end="url(#head)"' if link.head else ""
    ends = f'data-from="{escape(link.source)}" data-to="{escape(link.target)}"'
    line = f'<path d="{link.path}"{kind}{head} {ends}/>'
    if not link.label:
        return line
    return f'{line}<text x="{link.at.x}" y="{link.at.y - 4}">{escape(link.label)}</text>'
