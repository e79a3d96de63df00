"""Many task instances or runs at once, selected or all that match: listed first, then cleared, marked or deleted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.engine.bulk import RUN_ACTIONS, TASK_ACTIONS
from asyncflow.errors import InvalidInput
from asyncflow.web import address, browse_view, bulk_view, done, run_list
from asyncflow.web.browse_pages import task_search
from asyncflow.web.failures import partly_done
from asyncflow.web.once import new_key, once
from asyncflow.web.picked import Choice, Picked
from asyncflow.web.ports import actions_of
from asyncflow.web.preferences import local_path
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog, language

#: what can be undone
_UNDOABLE = frozenset({"clear", "success", "failed", "skipped", "cancel"})


def _picked(request: Request) -> Picked:
    picked: Picked = request.app.state.picked
    return picked


# ---- task instances -------------------------------------------------------------------------------------------------


async def tasks_form(request: Request) -> Response:
    """The task instances that an action would touch."""
    actions, params = actions_of(request), browse_view.fields(request.query_params)
    verb, option = _verb(params, TASK_ACTIONS), bool(params.get("downstream"))
    choice = await _chosen(request, params)
    if choice is None:
        keys = [browse_view.task_of(text) for text in request.query_params.getlist("key")]
        choice = Choice(keys)
        if params.get("all"):
            choice = Choice(*await actions.browse.matching_tasks(await task_search(actions, params)))
    touched = await actions.change_tasks(verb, choice.keys, downstream=option, dry_run=True)
    return _ask(request, "tasks", verb, option, choice, touched)


async def tasks(request: Request) -> Response:
    """Do it."""
    form = await checked_form(request)
    actions, verb = actions_of(request), _verb(form, TASK_ACTIONS)

    async def act(choice: Choice) -> tuple[dict[str, Any], str]:
        option = bool(form.get("downstream"))
        touched = await actions.change_tasks(verb, choice.keys, downstream=option, dry_run=True)
        undo = await actions.remember(touched["tasks"])
        return await actions.change_tasks(verb, choice.keys, downstream=option), undo

    return await _carry_out(request, form, verb, act)


# ---- runs -----------------------------------------------------------------------------------------------------------


async def runs_form(request: Request) -> Response:
    """The runs that an action would touch."""
    actions, params = actions_of(request), dict(request.query_params)
    verb, option = _verb(params, RUN_ACTIONS), bool(params.get("only_failed"))
    choice = await _chosen(request, params)
    if choice is None:
        choice = Choice([browse_view.run_of(text) for text in request.query_params.getlist("key")])
        if params.get("all"):
            choice = Choice(*await actions.browse.matching_runs(await run_list.search(actions, params)))
    touched = await actions.change_runs(verb, choice.keys, only_failed=option, dry_run=True)
    return _ask(request, "runs", verb, option, choice, touched)


async def runs(request: Request) -> Response:
    """Do it."""
    form = await checked_form(request)
    actions, verb = actions_of(request), _verb(form, RUN_ACTIONS)

    async def act(choice: Choice) -> tuple[dict[str, Any], str]:
        undo = await actions.remember(choice.keys) if verb in _UNDOABLE else ""
        return await actions.change_runs(verb, choice.keys, only_failed=bool(form.get("only_failed"))), undo

    return await _carry_out(request, form, verb, act)


# ---- both -----------------------------------------------------------------------------------------------------------


def _verb(fields: Mapping[str, Any], accepted: tuple[str, ...]) -> str:
    verb = address.choice({"do": str(fields.get("do", ""))}, "do", accepted)
    if verb is None:
        raise InvalidInput("do= is missing in the address: accepted are {accepted}.", accepted=tuple(accepted))
    return verb


async def _chosen(request: Request, params: Mapping[str, str]) -> Choice | None:
    """What an earlier preview was about, when this one only changes how far it reaches."""
    key = params.get("picked", "")
    return _known(request, key) if key else None


def _known(request: Request, key: str) -> Choice:
    choice = _picked(request).get(key)
    if choice is None:
        raise InvalidInput("What this form was about is not known any more. Go back to the list and select it again.")
    return choice


def _ask(request: Request, kind: str, verb: str, option: bool, choice: Choice, touched: Mapping[str, Any]) -> Response:
    key, _ = new_key(), language(request)
    _picked(request).keep(key, choice)
    return dialog(
        request,
        "dialogs/bulk.html",
        kind=kind,
        verb=verb,
        title=bulk_view.titles(_)[verb],
        chosen=len(choice.keys),
        complete=choice.complete,
        preview=bulk_view.preview(verb, touched),
        option=("downstream" if kind == "tasks" else "only_failed") if verb == "clear" else "",
        on=option,
        undoable=verb in _UNDOABLE,
        rememberable=actions_of(request).is_rememberable(touched["tasks"] or touched["runs"]),
        once=key,
        back=_back(request, kind),
        section="Tasks" if kind == "tasks" else "Runs",
    )


def _back(request: Request, kind: str) -> str:
    """Where the browser says it came from, if that is a page of ours with a list; else the list."""
    given = request.query_params.get("back", "")
    came_from = local_path(given or request.headers.get("referer", "").partition(request.url.netloc)[2])
    path, kept = done.without(came_from)
    is_list = path in ("/tasks", "/runs") or (path.startswith("/dags/") and not path.endswith("/change"))
    return path + address.query(kept) if is_list else f"/{kind}"


async def _carry_out(request: Request, form: Any, verb: str, act: Any) -> Response:
    """Act once, and back to the list; what was refused is said."""
    refused: list[str] = []
    counts: list[int] = []
    path, kept = done.without(local_path(str(form.get("back", ""))))
    back = path + address.query(kept)

    async def do() -> str:
        touched, undo = await act(_known(request, str(form.get("once", ""))))
        refused.extend(touched["refused"])
        count = len(touched["runs"] if verb == "delete" else touched["tasks"])
        counts.append(count)
        return done.after(back, bulk_view.DONE.get(verb, "marked"), n=count, undo=undo, after=None)

    answer = await once(request, form, do)
    if refused:
        section = "Runs" if "/runs" in path else "Tasks"
        return partly_done(request, refused, sum(counts), answer.headers["location"], section)
    return answer


ROUTES = (
    Route("/tasks/change", tasks_form, name="tasks_change_form"),
    Route("/tasks/change", tasks, methods=["POST"], name="tasks_change"),
    Route("/runs/change", runs_form, name="runs_change_form"),
    Route("/runs/change", runs, methods=["POST"], name="runs_change"),
)
