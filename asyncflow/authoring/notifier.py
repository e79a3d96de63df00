"""BaseNotifier: callbacks as objects with templates."""

from __future__ import annotations

import logging
from typing import Any

from asyncflow.authoring.templates import Templater


class BaseNotifier(Templater):
    """Subclasses define `notify(context)`; an instance is used as a callback."""

    def __init__(self, **kwargs: Any) -> None:
        self.context: Any = kwargs.pop("context", {})

    @property
    def log(self) -> logging.Logger:
        return logging.getLogger(f"airflow.task.notifiers.{type(self).__module__}")

    def _update_context(self, context: Any) -> Any:
        return context

    def notify(self, context: Any) -> None:
        raise NotImplementedError(f"{type(self).__name__} does not define notify().")

    def __call__(self, *args: Any) -> None:
        """Render the template fields and notify; errors are logged. DAG-level callbacks give more arguments."""
        context = args[0] if len(args) == 1 else {"dag": args[0], "task_list": args[1], "slas": args[3]} if args else {}
        dag = context.get("dag")
        self.render_template_fields(context, self.get_template_env(dag))
        try:
            self.notify(context)
        except Exception:
            self.log.exception("Failed to send notification")
