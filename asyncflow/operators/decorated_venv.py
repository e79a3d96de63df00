"""The operators behind `@task.virtualenv`, `@task.external_python` and their branch kinds."""

from __future__ import annotations

from asyncflow.operators.decorated import PythonDecoratedOperator
from asyncflow.operators.virtualenv import (
    BranchExternalPythonOperator,
    BranchPythonVirtualenvOperator,
    ExternalPythonOperator,
    PythonVirtualenvOperator,
)


class PythonVirtualenvDecoratedOperator(PythonDecoratedOperator, PythonVirtualenvOperator):
    """`@task.virtualenv`."""

    template_fields = PythonVirtualenvOperator.template_fields
    custom_operator_name = "@task.virtualenv"


class BranchPythonVirtualenvDecoratedOperator(PythonDecoratedOperator, BranchPythonVirtualenvOperator):
    """`@task.branch_virtualenv`."""

    template_fields = PythonVirtualenvOperator.template_fields
    custom_operator_name = "@task.branch_virtualenv"


class PythonExternalDecoratedOperator(PythonDecoratedOperator, ExternalPythonOperator):
    """`@task.external_python`."""

    template_fields = ExternalPythonOperator.template_fields
    custom_operator_name = "@task.external_python"


class BranchExternalPythonDecoratedOperator(PythonDecoratedOperator, BranchExternalPythonOperator):
    """`@task.branch_external_python`."""

    template_fields = ExternalPythonOperator.template_fields
    custom_operator_name = "@task.branch_external_python"
