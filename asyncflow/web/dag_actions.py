"""What people do to DAGs: trigger, pause, unpause, delete, one or many. Each asks first, showing what it will touch."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from asyncflow.core.sentence import Sentence, told
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunType
from asyncflow.engine.moments import moment
from asyncflow.engine.pages import RunSearch
from asyncflow.engine.params import validate_conf
from asyncflow.engine.runs import check_run_id
from asyncflow.errors import AsyncflowError, InvalidFields, InvalidInput, NotAccepted
from asyncflow.web import address, dag_list_view, done, params_view
from asyncflow.web.address import dag_path, run_path, segment
from asyncflow.web.failures import partly_done
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import Actions, actions_of
from asyncflow.web.preferences import local_path
from asyncflow.web.security import checked_form
from asyncflow.web.templating import dialog

#: confs of earlier manual runs that are offered, from how many runs
_RECENT, _LOOKED_AT = 20, 60
#: DAGs that one click acts on, at most
_MOST = 1000


# ---- trigger --------------------------------------------------------------------------------------------------------


async def trigger_form(request: Request) -> Response:
    """The form; `?conf=` and `?logical_date=` fill it."""
    params = request.query_params
    entered = {"logical_date": params["logical_date"]} if params.get("logical_date") else {}
    return await _trigger_page(request, _conf(params.get("conf", "")), entered)


async def _trigger_page(
    request: Request,
    conf: dict[str, Any],
    entered: dict[str, str],
    sent: dict[str, list[str]] | None = None,
    error: AsyncflowError | None = None,
) -> Response:
    """The form; one that was `sent` holds what it held, and says at each field what is wrong with it."""
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    dag = await actions.dag_pages.dag(dag_id)
    wrong = error.problems if isinstance(error, InvalidFields) else {}
    elsewhere = {name: text for name, text in wrong.items() if name not in dag.spec.params}
    others = {name: value for name, value in conf.items() if name not in dag.spec.params}
    return dialog(
        request,
        "dialogs/trigger.html",
        status_code=200 if error is None else HTTPStatus.BAD_REQUEST,
        dag=dag,
        path=dag_path(dag_id),
        fieldsets=params_view.sections(dag.spec.params, conf, sent, wrong),
        others=params_view.pretty(others),
        recent=await _recent(actions, dag_id),
        entered=entered,
        wrong=elsewhere,
        error=told(error) if error is not None and not wrong else "",
        mistakes=len(wrong),
        once=new_key(),
        dag_zone=dag.spec.timezone,
        section="DAGs",
    )


async def _recent(actions: Actions, dag_id: str) -> list[tuple[str, str]]:
    """(address, JSON) of the confs that manual runs were made with, newest first."""
    runs = await actions.pages.runs(RunSearch(dag_ids=[dag_id], run_types=[RunType.MANUAL]), limit=_LOOKED_AT)
    texts = dict.fromkeys(msgspec.json.encode(run.conf).decode() for run in runs if run.conf)
    path = f"{dag_path(dag_id)}/trigger"
    return [(f"{path}?conf={segment(text)}", text) for text in list(texts)[:_RECENT]]


def _conf(text: str) -> dict[str, Any]:
    return params_view.json_object(text, Sentence("The configuration"))


def _entered(spec: DagSpec, form: FormData, sent: dict[str, list[str]]) -> dict[str, Any]:
    """The conf that a form describes: its fields, then the JSON below them. Raises InvalidFields, which names all."""
    conf, wrong = params_view.read(spec.params, dict(form), sent)
    checks: dict[str, Callable[[], object]] = {
        "conf": lambda: conf.update(_conf(str(form.get("conf", "")))),
        "logical_date": lambda: moment(str(form.get("logical_date", "")).strip() or None, "logical_date"),
        "run_id": lambda: check_run_id(str(form.get("run_id", "")).strip()),
        "params": lambda: validate_conf(spec, conf),
    }
    for field, check in checks.items():
        try:
            check()
        except InvalidFields as error:
            wrong = error.problems | wrong
        except InvalidInput as error:
            wrong[field] = told(error)
    if wrong:
        raise InvalidFields(next(iter(wrong.values())), wrong)
    return conf


async def trigger(request: Request) -> Response:
    """Start a run and show it; a form with mistakes comes back with a sentence at each."""
    form = await checked_form(request)
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    spec = (await actions.dag_pages.dag(dag_id)).spec
    sent = {name: [str(one) for one in form.getlist(name)] for name in form}

    async def act() -> str:
        run = await actions.trigger_dag(
            dag_id,
            run_id=str(form.get("run_id", "")).strip() or None,
            logical_date=str(form.get("logical_date", "")).strip() or None,
            conf=_entered(spec, form, sent),
            note=str(form.get("note", "")).strip() or None,
            triggered_by="ui",
        )
        if form.get("unpause"):
            await actions.unpause_dag(dag_id)
        return run_path(dag_id, run["run_id"])

    try:
        return await once(request, form, act)
    except AsyncflowError as error:
        entered = {name: str(value) for name, value in form.items()}
        return await _trigger_page(request, {}, entered, sent, error)


# ---- pause and unpause ----------------------------------------------------------------------------------------------


async def pause(request: Request) -> Response:
    """Pause, then back to where the form was."""
    form = await checked_form(request)
    await actions_of(request).pause_dag(request.path_params["dag_id"])
    return to_the_form(request, form)


async def unpause(request: Request) -> Response:
    """Unpause; when intervals were missed and the form does not say what of them, ask first."""
    form = await checked_form(request)
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    choice: Any = str(form.get("missed", "")) or None
    if choice is None and await actions.missed_runs(dag_id):
        return await unpause_form(request)
    start, end = (str(form.get(name, "")).strip() or None for name in ("start", "end"))
    bounds = {"start": start, "end": end} if choice == "range" else {}
    await actions.unpause_dag(dag_id, missed=choice, **bounds)
    return to_the_form(request, form)


async def unpause_form(request: Request) -> Response:
    """The intervals that were missed, and what to do with them."""
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    dag = await actions.dag_pages.dag(dag_id)
    missed = await actions.missed_runs(dag_id)
    back = (await request.form()).get("from") if request.method == "POST" else request.query_params.get("from")
    return dialog(
        request,
        "dialogs/unpause.html",
        dag=dag,
        path=dag_path(dag_id),
        missed=missed,
        back=back or "dag",
        dag_zone=dag.spec.timezone,
        section="DAGs",
    )


def to_the_form(request: Request, form: FormData) -> Response:
    """To the list or to the DAG's page: the form names which, and nothing else is followed."""
    dag_id = request.path_params["dag_id"]
    if form.get("from") == "list":
        return RedirectResponse(f"{_list_address(request)}#dag-{segment(dag_id)}", status_code=303)
    return RedirectResponse(dag_path(dag_id), status_code=303)


def _list_address(request: Request) -> str:
    """The list as it was filtered: where the browser says it came from, if that is the list."""
    came_from = local_path(request.headers.get("referer", "").partition(request.url.netloc)[2])
    path, kept = done.without(came_from)
    return path + address.query(kept) if path == "/" else "/"


# ---- delete ---------------------------------------------------------------------------------------------------------


async def delete_form(request: Request) -> Response:
    """What deleting would take away."""
    actions, dag_id = actions_of(request), request.path_params["dag_id"]
    dag = await actions.dag_pages.dag(dag_id)
    counts = await actions.pages.run_states(dag_id)
    return dialog(
        request,
        "dialogs/delete.html",
        dag=dag,
        path=dag_path(dag_id),
        runs=sum(counts.values()),
        running=counts.get("running", 0),
        once=new_key(),
        section="DAGs",
    )


async def delete(request: Request) -> Response:
    """Delete a DAG's history."""
    form = await checked_form(request)

    async def act() -> str:
        await actions_of(request).delete_dag(request.path_params["dag_id"])
        return done.after("/", "deleted", name=request.path_params["dag_id"])

    return await once(request, form, act)


# ---- many -----------------------------------------------------------------------------------------------------------

_VERBS = ("pause", "unpause", "trigger", "delete")
#: how the list says it, see `done.COUNTED`
_DONE = {"pause": "paused", "unpause": "unpaused", "trigger": "triggered", "delete": "dags_deleted"}


async def selected_form(request: Request) -> Response:
    """The DAGs that were selected, before anything is done to them."""
    params = request.query_params
    verb = _verb(params.get("do", ""))
    if params.get("all"):
        chosen = await actions_of(request).pages.matching_dags(dag_list_view.query(params))
    else:
        chosen = params.getlist("dag_id")
    back = _list_address(request)
    return dialog(
        request, "dialogs/selected.html", verb=verb, chosen=chosen[:_MOST], back=back, once=new_key(), section="DAGs"
    )


def _verb(text: str) -> str:
    if text not in _VERBS:
        raise NotAccepted("do", text, _VERBS)
    return text


async def selected(request: Request) -> Response:
    """Do it; what could not be done is said, the rest is done."""
    form = await checked_form(request)
    actions, verb = actions_of(request), _verb(str(form.get("do", "")))
    failures: list[str] = []
    back = local_path(str(form.get("back", "")))
    back = back if back.startswith("/?") else "/"  # the list, as it was filtered

    async def act() -> str:
        for dag_id in form.getlist("dag_id"):
            try:
                await _do(actions, verb, str(dag_id))
            except AsyncflowError as error:
                failures.append(told(error))
        return done.after(back, _DONE[verb], n=len(form.getlist("dag_id")) - len(failures))

    answer = await once(request, form, act)
    if failures:
        return partly_done(request, failures, len(form.getlist("dag_id")) - len(failures), back, "DAGs")
    return answer


async def _do(actions: Actions, verb: str, dag_id: str) -> None:
    if verb == "pause":
        await actions.pause_dag(dag_id)
    elif verb == "unpause":
        await actions.unpause_dag(dag_id)
    elif verb == "trigger":
        await actions.trigger_dag(dag_id, triggered_by="ui")
    else:
        await actions.delete_dag(dag_id)


ROUTES = (
    Route("/list/selected", selected_form, name="selected_form"),
    Route("/list/selected", selected, methods=["POST"], name="selected"),
    Route("/dags/{dag_id}/pause", pause, methods=["POST"], name="pause"),
    Route("/dags/{dag_id}/unpause", unpause_form, name="unpause_form"),
    Route("/dags/{dag_id}/unpause", unpause, methods=["POST"], name="unpause"),
    Route("/dags/{dag_id}/trigger", trigger_form, name="trigger_form"),
    Route("/dags/{dag_id}/trigger", trigger, methods=["POST"], name="trigger"),
    Route("/dags/{dag_id}/delete", delete_form, name="delete_form"),
    Route("/dags/{dag_id}/delete", delete, methods=["POST"], name="delete"),
)
