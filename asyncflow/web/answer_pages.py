"""Tasks that ask a person: the list of them, and the form of each question."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from asyncflow.core.asking import question_of
from asyncflow.core.sentence import told
from asyncflow.errors import AsyncflowError, Conflict, InvalidFields
from asyncflow.web import address, params_view, views
from asyncflow.web.marked import marked
from asyncflow.web.once import new_key, once
from asyncflow.web.ports import actions_of
from asyncflow.web.security import checked_form
from asyncflow.web.task_pages import key_of
from asyncflow.web.templating import dialog, fingerprint, fragment, page

#: more options than these are chosen from a list, not pressed
BUTTONS = 6


async def index(request: Request) -> Response:
    """What waits for an answer, what ends first first."""
    return page(request, "answers/index.html", **await _listed(request))


async def table(request: Request) -> Response:
    """The list alone, for a page that was told of a change."""
    return fragment(request, "answers/_table.html", **await _listed(request))


async def _listed(request: Request) -> dict[str, Any]:
    rows = [
        {
            **row,
            "name": views.instance_name(row["task_id"], row["map_index"]),
            "path": address.task_path(row["dag_id"], row["run_id"], row["task_id"], row["map_index"]),
            "answer": address.task_path(row["dag_id"], row["run_id"], row["task_id"], row["map_index"], "/answer"),
            "run_path": address.run_path(row["dag_id"], row["run_id"]),
        }
        for row in await actions_of(request).list_questions()
    ]
    return {"section": "", "rows": rows, "topics": {"runs": "1"}, "fingerprint": fingerprint(rows)}


async def form(request: Request) -> Response:
    """The question of a task."""
    return await _form(request, {}, "")


async def _form(request: Request, entered: dict[str, Any], error: str, status: int = 200) -> Response:
    actions, key = actions_of(request), key_of(request)
    found = await actions.pages.instance(key)
    question = question_of(found.ti)
    if question is None:
        raise Conflict("The task {task!r} does not wait for an answer now.", task=key.task_id)
    return dialog(
        request,
        "dialogs/answer.html",
        status_code=status,
        name=views.instance_name(key.task_id, key.map_index, found.ti.rendered_map_index),
        question=question,
        body=await marked(question.body),
        pressed=not question.multiple and len(question.options) <= BUTTONS,
        fieldsets=params_view.sections(question.params, {}, entered.get("sent"), entered.get("wrong")),
        chosen=entered.get("options", question.defaults or ()),
        path=address.task_path(*key),
        action=address.task_path(*key, page="/answer"),
        ti=found.ti,
        run_path=address.run_path(key.dag_id, key.run_id),
        once=new_key(),
        error=error,
        dag_zone=found.spec.timezone,
        section="Runs",
    )


async def answer(request: Request) -> Response:
    """Hand the answer to the task, and show it; an answer with a mistake comes back with a sentence."""
    sent, actions, key = await checked_form(request), actions_of(request), key_of(request)
    fields = {name: [str(one) for one in sent.getlist(name)] for name in sent}
    entered: dict[str, Any] = {"options": fields.get("option", []), "sent": fields}

    async def act() -> str:
        question = question_of((await actions.pages.instance(key)).ti)
        if question is None:
            raise Conflict("The task {task!r} does not wait for an answer now.", task=key.task_id)
        params = params_view.values(question.params, dict(sent), fields)
        await actions.answer_task(*key, options=entered["options"], params=params)
        return address.task_path(*key)

    try:
        return await once(request, sent, act)
    except Conflict:
        raise
    except AsyncflowError as error:
        entered["wrong"] = error.problems if isinstance(error, InvalidFields) else {}
        return await _form(request, entered, told(error), 400)


_TASK = "/dags/{dag_id}/runs/{run_id:path}/tasks/{task_id}"
ROUTES = (
    Route("/answers", index, name="answers"),
    Route("/answers/table", table, name="answers_table"),
    Route(f"{_TASK}/answer", form, name="answer_form"),
    Route(f"{_TASK}/answer", answer, methods=["POST"], name="answer"),
)
