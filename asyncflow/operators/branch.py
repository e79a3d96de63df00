"""Base of operators that choose what runs after them."""

from __future__ import annotations

from typing import Any

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.operators.python import BranchMixIn


class BaseBranchOperator(BaseOperator, BranchMixIn):
    """Subclasses define `choose_branch(context)`: the id, or ids, of tasks or groups to go on with."""

    def choose_branch(self, context: Any) -> Any:
        """What to go on with; None = nothing."""
        raise NotImplementedError(f"{type(self).__name__} does not define choose_branch().")

    def execute(self, context: Any) -> Any:
        """Skip the direct successors that are not chosen."""
        return self.do_branch(context, self.choose_branch(context))
