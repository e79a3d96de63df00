"""Airflow 3's operators that ask a person. Nobody can answer here yet: defaults count when the time is up."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.exceptions import AirflowException, AirflowFailException
from asyncflow.operators.python import BranchMixIn


class HITLRejectException(AirflowException):
    """The answer was no, and `fail_on_reject` is set."""


class HITLOperator(BaseOperator):
    """Asks to choose of `options`; returns {"chosen_options": [...], "params_input": {...}}.

    Without `defaults` and `response_timeout` it fails at once, for nobody can answer.
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
        """Tell the notifiers, wait, answer with the defaults."""
        for notifier in self.notifiers:
            notifier(context)
        if self.defaults is None or self.response_timeout is None:
            raise AirflowFailException(
                "Nobody can answer here yet: give the operator `defaults` and a `response_timeout`."
            )
        time.sleep(self.response_timeout.total_seconds())
        self.log.info("No answer in %s: the defaults %s count", self.response_timeout, self.defaults)
        return {
            "chosen_options": self.defaults,
            "params_input": {name: context["params"][name] for name in self.params},
            "responded_by_user": None,
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

    def execute(self, context: Any) -> Any:
        answer = super().execute(context)
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

    def execute(self, context: Any) -> Any:
        answer = super().execute(context)
        self.do_branch(context, [self.options_mapping.get(name, name) for name in answer["chosen_options"]])
        return answer
