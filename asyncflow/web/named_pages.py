"""What the pages of pools, Connections and Variables have in common: where they are, filters, deletion."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.sentence import told
from asyncflow.errors import AsyncflowError, InvalidInput, NotFound
from asyncflow.web import done
from asyncflow.web.address import segment
from asyncflow.web.failures import partly_done
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog

#: names that one form deletes at most
_MOST = 1000
_LISTED = 20


def pool_path(name: str) -> str:
    """Where a pool's page is."""
    return f"/pools/{segment(name)}"


def connection_path(conn_id: str) -> str:
    """Where a Connection's page is."""
    return f"/connections/{segment(conn_id)}"


def variable_path(key: str) -> str:
    """Where a Variable's page is."""
    return f"/variables/{segment(key)}"


def filters(request: Request, *names: str) -> dict[str, str]:
    """What of the address says what is listed."""
    return {name: text for name in names if (text := request.query_params.get(name, "").strip())}


# ---- deletion -------------------------------------------------------------------------------------------------------


class Kind(NamedTuple):
    """What can be deleted by its name."""

    label: str
    section: str
    path: str
    names: Callable[[Actions, Mapping[str, str]], Awaitable[list[str]]]  #: those that the filters of its list leave
    delete: Callable[[Actions, str], Awaitable[Any]]


async def _pools(actions: Actions, _params: Mapping[str, str]) -> list[str]:
    return [row["name"] for row in await actions.list_pools()]


async def _connections(actions: Actions, params: Mapping[str, str]) -> list[str]:
    found = await actions.find_connections(params.get("q", ""), params.get("type", ""), limit=-1)
    return [row["conn_id"] for row in found["rows"]]


async def _variables(actions: Actions, params: Mapping[str, str]) -> list[str]:
    return await actions.variable_keys(params.get("q", ""))


KINDS = {
    "pools": Kind("Pools", "Pools", "/pools", _pools, lambda actions, name: actions.delete_pool(name)),
    "connections": Kind(
        "Connections", "Admin", "/connections", _connections, lambda actions, name: actions.delete_connection(name)
    ),
    "variables": Kind(
        "Variables", "Admin", "/variables", _variables, lambda actions, name: actions.delete_variable(name)
    ),
}


def _kind(request: Request) -> Kind:
    name = request.path_params["kind"]
    if name not in KINDS:
        raise NotFound("page to delete", name, KINDS)
    return KINDS[name]


async def chosen(request: Request, kind: Kind) -> tuple[list[str], int]:
    """The names that a form is about, and how many more were selected that are not there any more.

    Selected are those of `?name=`, any number, or with `?all=` those that the filters of the list leave.
    """
    actions, params = actions_of(request), request.query_params
    if params.get("all"):
        return await kind.names(actions, params), 0
    ticked, there = dict.fromkeys(params.getlist("name")), set(await kind.names(actions, {}))
    found = [name for name in ticked if name in there]
    return found, len(ticked) - len(found)


async def delete_form(request: Request) -> Response:
    """What would be deleted."""
    kind, actions = _kind(request), actions_of(request)
    everything, gone = await chosen(request, kind)
    found = everything[:_MOST]
    return dialog(
        request,
        "named/delete.html",
        kind=request.path_params["kind"],
        path=kind.path,
        names=found,
        listed=found[:_LISTED],
        complete=len(found) == len(everything),
        gone=gone,
        effects=await _effects(request, actions, found),
        once=new_key(),
        label=kind.label,
        section=kind.section,
    )


async def _effects(request: Request, actions: Actions, names: list[str]) -> list[tuple[str, int, int]]:
    """Of pools that are in use: (name, task instances that take slots, that wait)."""
    if request.path_params["kind"] != "pools":
        return []
    rows = [await actions.get_pool(name) for name in names[:_LISTED]]
    used = [(row["name"], row["running"] + row["queued"], row["scheduled"]) for row in rows]
    return [row for row in used if row[1] or row[2]]


async def delete(request: Request) -> Response:
    """Delete; what could not be deleted is said, the rest is."""
    form, kind, actions = await checked_form(request), _kind(request), actions_of(request)
    names = [str(name) for name in form.getlist("name")][:_MOST]
    if not names:
        raise InvalidInput("Nothing was selected.")
    failures: list[str] = []

    async def act() -> str:
        for name in names:
            try:
                await kind.delete(actions, name)
            except AsyncflowError as error:
                failures.append(told(error))
        one = names[0] if len(names) == 1 else ""
        return done.after(kind.path, "deleted", name=one, n=None if one else len(names))

    answer = await once(request, form, act)
    if failures:
        return partly_done(request, failures, len(names) - len(failures), kind.path, kind.section, kind.label)
    return answer


ROUTES = (
    Route("/delete/{kind}", delete_form, name="delete_named_form"),
    Route("/delete/{kind}", delete, methods=["POST"], name="delete_named"),
)
