"""Templates and static files: where they are, and the two ways to answer with one."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from asyncflow import __version__
from asyncflow.web import views
from asyncflow.web.security import FIELD, form_token, keep_token


def _folder(name: str) -> Path:
    """`templates` or `static`: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).resolve().parent.parent
    inside = package / f"_{name}"
    return inside if inside.is_dir() else package.parent / name


STATIC = _folder("static")


def _environment() -> Environment:
    env = Environment(
        loader=FileSystemLoader(_folder("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    env.globals.update(version=__version__, form_field=FIELD, segment=_segment)
    env.filters.update(moment=views.moment_text, duration=views.duration_text, segment=_segment)
    return env


def _segment(text: str) -> str:
    """A value as one segment of an address."""
    return quote(text, safe="")


_env = _environment()


def page(request: Request, name: str, /, *, status_code: int = 200, **context: Any) -> Response:
    """A whole page."""
    html = _env.get_template(name).render(form_token=form_token(request), **context)
    response = HTMLResponse(html, status_code=status_code)
    keep_token(request, response)
    return response


def fragment(request: Request, name: str, /, **context: Any) -> Response:
    """One fragment for a page that polls: 204 without a body when the page has it already.

    The page says what it has in `?have=`, the fingerprint that the fragment carries in its own polling address.
    """
    rendered = _env.get_template(name).render(form_token=form_token(request), **context)
    if request.query_params.get("have") == context["fingerprint"]:
        return Response(status_code=204)
    response = HTMLResponse(rendered)
    keep_token(request, response)
    return response


def unchanged() -> Response:
    """To a page that polls and has what it asks for."""
    return Response(status_code=204)


def fingerprint(*values: Any) -> str:
    """A short name of what a fragment shows; equal values give an equal name."""
    return hashlib.blake2b(repr(values).encode(), digest_size=8).hexdigest()
