"""`@asset` of Airflow 3: a function that makes a piece of data, and a DAG of one task that runs the function."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from asyncflow.authoring.dag import DAG
from asyncflow.authoring.dataset import BaseAsset, Dataset
from asyncflow.authoring.decorators import CONTEXT_KEYS
from asyncflow.operators.python import PythonOperator

#: keywords of `@asset` that are the asset's; all others are the DAG's
_OWN = ("name", "uri", "group", "extra", "watchers")


class AssetDag(DAG):
    """The DAG of an asset; always in Airflow 3's dialect."""

    dialect: Literal[2, 3] = 3


class AssetDefinition(Dataset):
    """What `@asset` makes of a function: an asset, usable in `schedule=`; its DAG is named after it."""

    def __init__(self, function: Callable[..., Any], **kwargs: Any) -> None:
        own = {name: kwargs.pop(name) for name in _OWN if name in kwargs}
        name = own.pop("name", None) or function.__name__
        super().__init__(own.pop("uri", None) or name, name=name, **own)
        self.function = function
        _make_dag(name, function, [self], kwargs)


class MultiAssetDefinition(BaseAsset):
    """What `@asset.multi` makes of a function: several assets by one task."""

    def __init__(self, function: Callable[..., Any], *, outlets: Sequence[Dataset], **kwargs: Any) -> None:
        self.function = function
        self.outlets = list(outlets)
        _make_dag(kwargs.pop("name", None) or function.__name__, function, self.outlets, kwargs)

    def as_expression(self) -> Any:
        return {"all": [one.as_expression() for one in self.outlets]}

    def iter_datasets(self) -> Any:
        return ((uri, dataset) for one in self.outlets for uri, dataset in one.iter_datasets())


class AssetOperator(PythonOperator):
    """Runs the function: `self` is the asset, `context` the context or one of its names; others are assets it reads."""

    custom_operator_name = "@asset"

    def execute(self, context: Any) -> Any:
        self._outlet_events = context["outlet_events"]
        values = [self._value(name, context) for name in inspect.signature(self.python_callable).parameters]
        return self.run_function(lambda: self.python_callable(*values))

    def _value(self, name: str, context: Any) -> Any:
        if name == "self":
            return self.outlets[0]
        if name == "context":
            return context
        return context[name] if name in CONTEXT_KEYS else Dataset.ref(name=name)


def _make_dag(name: str, function: Callable[..., Any], outlets: Iterable[Dataset], kwargs: dict[str, Any]) -> None:
    kwargs.setdefault("dag_display_name", kwargs.pop("display_name", None))
    kwargs["description"] = kwargs.get("description") or inspect.getdoc(function)
    given = {"self", "context", *CONTEXT_KEYS}
    inlets = [Dataset.ref(name=p) for p in inspect.signature(function).parameters if p not in given]
    with AssetDag(name, **kwargs):
        AssetOperator(task_id=name, python_callable=function, inlets=inlets, outlets=list(outlets))


class _Asset:
    """`@asset(schedule=..., uri=..., ...)` and `@asset.multi(outlets=[...], schedule=...)`."""

    def __call__(self, *, schedule: Any, **kwargs: Any) -> Callable[[Callable[..., Any]], AssetDefinition]:
        return lambda function: AssetDefinition(function, schedule=schedule, **kwargs)

    @staticmethod
    def multi(
        *, schedule: Any, outlets: Sequence[Dataset], **kwargs: Any
    ) -> Callable[[Callable[..., Any]], MultiAssetDefinition]:
        """One task, several assets."""
        return lambda function: MultiAssetDefinition(function, schedule=schedule, outlets=outlets, **kwargs)


asset = _Asset()
