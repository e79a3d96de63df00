"""Airflow 3's operators that ask a person: they wait without a process until somebody answers on their page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from asyncflow.authoring import timezone
from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.exceptions import AirflowException
from asyncflow.authoring.params import ParamsDict
from asyncflow.authoring.xcom import to_json_types
from asyncflow.operators.python import BranchMixIn
from asyncflow.triggers.hitl import HITLTrigger


class HITLRejectException(AirflowException):
    """The answer was no, and `fail_on_reject` is set."""


class HITLTimeoutError(AirflowException):
    """Nobody has answered in time, and there are no defaults."""


class HITLTriggerEventError(AirflowException):
    """What came instead of an answer is none."""


class HITLOperator(BaseOperator):
    """Asks to choose of `options`; returns {"chosen_options": [...], "params_input": {...}, "responded_by_user": ...}.

    When `response_timeout` is over the `defaults` count; without them it fails.
    """

    template_fields: Sequence[str] = ("subject", "body")

    def __init__(
        self,
        *,
        subject: str,
        options: list[str],
        body: str | None = None,
        defaults: str | list[str] | None = None,
        multiple: bool = False,
        notifiers: Any = (),
        assigned_users: Any = None,
        response_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.subject, self.body = subject, body
        self.options = list(options)
        self.defaults = [defaults] if isinstance(defaults, str) else defaults
        self.multiple = multiple
        self.notifiers = list(notifiers) if isinstance(notifiers, list | tuple) else [notifiers]
        self.assigned_users = assigned_users
        self.response_timeout = response_timeout
        self._check()

    def _check(self) -> None:
        if not self.options:
            raise ValueError(f'Task {self.task_id!r}: "options" cannot be empty.')
        if unknown := set(self.defaults or ()) - set(self.options):
            raise ValueError(f'Task {self.task_id!r}: "defaults" {sorted(unknown)} are no options.')
        if len(self.defaults or ()) > 1 and not self.multiple:
            raise ValueError(f'Task {self.task_id!r}: more than one of "defaults" needs multiple=True.')

    def execute(self, context: Any) -> Any:
        """Tell the notifiers, and wait without a process."""
        for notifier in self.notifiers:
            notifier(context)
        self.log.info("Waiting for a response: %s", self.subject)
        self.defer(trigger=self._trigger(context), method_name="execute_complete")

    def _trigger(self, context: Any) -> HITLTrigger:
        until = timezone.utcnow() + self.response_timeout if self.response_timeout is not None else None
        return HITLTrigger(
            subject=self.subject,
            body=self.body,
            options=self.options,
            params=self._asked_params(context),
            defaults=self.defaults,
            multiple=self.multiple,
            assigned=_names(self.assigned_users),
            moment=until.isoformat() if until is not None else None,
        )

    def _asked_params(self, context: Any) -> dict[str, dict[str, Any]]:
        """The params, with the values that count for this run, in JSON types."""
        if not isinstance(self.params, ParamsDict):
            return {name: {"value": to_json_types(context["params"][name])} for name in self.params}
        return {
            name: {
                "value": to_json_types(context["params"][name]) if name in context["params"] else None,
                "has_value": name in context["params"],
                "schema": to_json_types(param.schema),
                "description": param.description,
            }
            for name, param in self.params.items_as_params().items()
        }

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:
        """Answer with what was chosen. Raises HITLTimeoutError, HITLTriggerEventError."""
        if "error" in event:
            raise (HITLTimeoutError if event.get("error_type") == "timeout" else HITLTriggerEventError)(event["error"])
        chosen = list(event["chosen_options"])
        if event.get("timedout"):
            self.log.info("No answer in %s: the defaults %s count", self.response_timeout, chosen)
        else:
            self.log.info("Answer: %s", ", ".join(chosen))
        return {
            "chosen_options": chosen,
            "params_input": dict(event["params_input"]),
            "responded_at": event.get("responded_at") or timezone.utcnow().isoformat(),
            "responded_by_user": event.get("responded_by_user"),
        }

    @staticmethod
    def generate_link_to_ui_from_context(*, context: Any, base_url: str | None = None, **kwargs: Any) -> str:
        """Where the task is shown."""
        ti = context["ti"]
        return f"{base_url or ''}/dags/{ti.dag_id}/runs/{ti.run_id}"


class HITLEntryOperator(HITLOperator):
    """Asks for the values of its params."""

    def __init__(self, *, options: list[str] | None = None, **kwargs: Any) -> None:
        super().__init__(options=options or ["OK"], **kwargs)


class ApprovalOperator(HITLOperator):
    """Asks for a yes; after a no, what comes after is skipped."""

    APPROVE, REJECT = "Approve", "Reject"

    def __init__(
        self, *, ignore_downstream_trigger_rules: bool = False, fail_on_reject: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(options=[self.APPROVE, self.REJECT], **kwargs)
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.fail_on_reject = fail_on_reject

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:
        answer = super().execute_complete(context, event)
        if answer["chosen_options"][0] == self.APPROVE:
            return answer
        if self.fail_on_reject:
            raise HITLRejectException('Receive "Reject"')
        task = context["task"]
        after = task.get_flat_relatives() if self.ignore_downstream_trigger_rules else task.get_direct_relatives()
        context["ti"].request_skip(sorted(t.task_id for t in after if not t.is_teardown))
        return answer


class HITLBranchOperator(HITLOperator, BranchMixIn):
    """Asks which of the tasks after it to go on with; `options_mapping` gives the ids of options that are none."""

    def __init__(self, *, options_mapping: Mapping[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_mapping = dict(options_mapping or {})

    def execute_complete(self, context: Any, event: Mapping[str, Any]) -> Any:
        answer = super().execute_complete(context, event)
        self.do_branch(context, [self.options_mapping.get(name, name) for name in answer["chosen_options"]])
        return answer


def _names(users: Any) -> list[str]:
    """The names of `assigned_users`: one or several dicts with an id and perhaps a name, or names."""
    listed = [users] if isinstance(users, str | Mapping) else list(users or ())
    return [str(user.get("name") or user.get("id")) if isinstance(user, Mapping) else str(user) for user in listed]
