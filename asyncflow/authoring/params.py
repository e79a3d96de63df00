"""Params of DAGs and tasks: a default and a JSON schema each. As `airflow.models.param` of 2.11."""

from __future__ import annotations

import copy
import json
from collections.abc import ItemsView, Iterator, Mapping, MutableMapping, ValuesView
from typing import TYPE_CHECKING, Any

from asyncflow.authoring.exceptions import ParamValidationError
from asyncflow.authoring.types import NOTSET, ArgNotSet

if TYPE_CHECKING:
    from asyncflow.authoring.dag import DAG


class Param:
    """One param. The remaining keywords are its JSON schema (`type`, `enum`, `minimum`, `format`, ...)."""

    __NO_VALUE_SENTINEL = NOTSET
    CLASS_IDENTIFIER = "__class"

    def __init__(self, default: Any = NOTSET, description: str | None = None, **kwargs: Any) -> None:
        if not isinstance(default, ArgNotSet):
            self._check_json(default)
        self.value = default
        self.description = description
        self.schema: dict[str, Any] = kwargs.pop("schema") if "schema" in kwargs else kwargs

    def __copy__(self) -> Param:
        return type(self)(self.value, self.description, schema=self.schema)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Param):
            return NotImplemented
        return (self.value, self.description, self.schema) == (other.value, other.description, other.schema)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Param({self.value!r}, {self.schema!r})"

    @property
    def has_value(self) -> bool:
        """Is there a value? None is one."""
        return self.value is not NOTSET

    def resolve(self, value: Any = NOTSET, suppress_exception: bool = False) -> Any:
        """The value, or `value` in its place, checked against the schema.

        Raises ParamValidationError with what does not fit; with `suppress_exception` the answer is then None.
        """
        final = self.value if isinstance(value, ArgNotSet) else value
        if isinstance(final, ArgNotSet):
            if suppress_exception:
                return None
            raise ParamValidationError("No value passed and Param has no default value")
        try:
            self._check_json(final)
            self._validate(final)
        except ParamValidationError:
            if suppress_exception:
                return None
            raise
        self.value = final
        return final

    def dump(self) -> dict[str, Any]:
        """As a dict."""
        return {
            **self.__dict__,
            "value": self.value if self.has_value else None,
            self.CLASS_IDENTIFIER: f"{type(self).__module__}.{type(self).__qualname__}",
        }

    def _validate(self, value: Any) -> None:
        if not self.schema or _fits_plain_type(value, self.schema):
            return
        import jsonschema

        try:
            jsonschema.validate(value, self.schema, format_checker=jsonschema.FormatChecker())
        except jsonschema.ValidationError as error:
            raise ParamValidationError(f"{error.message} (the schema is {self.schema})") from None
        except jsonschema.SchemaError as error:
            raise ParamValidationError(f"The JSON schema of a param is invalid: {error.message}") from None

    @staticmethod
    def _check_json(value: Any) -> None:
        try:
            json.dumps(value)
        except (TypeError, ValueError) as error:
            raise ParamValidationError(f"All provided parameters must be json-serializable: {error}") from None


_PLAIN_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}
#: keywords of a schema that say nothing about validity
_ANNOTATIONS = frozenset({"title", "description", "default", "examples", "values_display", "section", "description_md"})


def _fits_plain_type(value: Any, schema: Mapping[str, Any]) -> bool:
    """True if the schema says no more than `type` and the value has it: the usual case, without jsonschema."""
    if not set(schema) - _ANNOTATIONS <= {"type"}:
        return False
    names = schema.get("type", ())
    names = [names] if isinstance(names, str) else list(names)
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _PLAIN_TYPES.get(name, ())) for name in names)


class ParamsDict(MutableMapping[str, Any]):
    """Params by name: reading an item gives the checked value, `get_param` the Param itself."""

    __slots__ = ["__dict", "suppress_exception"]

    def __init__(self, dict_obj: Mapping[str, Any] | None = None, suppress_exception: bool = False) -> None:
        items = dict_obj.items_as_params() if isinstance(dict_obj, ParamsDict) else dict(dict_obj or {})
        self.__dict: dict[str, Param] = {
            name: value if isinstance(value, Param) else Param(value) for name, value in items.items()
        }
        self.suppress_exception = suppress_exception

    def items_as_params(self) -> dict[str, Param]:
        """The Param objects by name; a copy of the mapping, not of them."""
        return dict(self.__dict)

    def __bool__(self) -> bool:
        return bool(self.__dict)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ParamsDict):
            return self.dump() == other.dump()
        if isinstance(other, dict):
            return self.dump() == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> ParamsDict:
        return ParamsDict(self.__dict, self.suppress_exception)

    def __deepcopy__(self, memo: dict[int, Any] | None) -> ParamsDict:
        return ParamsDict(copy.deepcopy(self.__dict, memo), self.suppress_exception)

    def __contains__(self, name: object) -> bool:
        return name in self.__dict

    def __len__(self) -> int:
        return len(self.__dict)

    def __iter__(self) -> Iterator[str]:
        return iter(self.__dict)

    def __repr__(self) -> str:
        return repr(self.dump())

    def __setitem__(self, name: str, value: Any) -> None:
        if isinstance(value, Param):
            self.__dict[name] = value
        elif name in self.__dict:
            param = copy.copy(self.__dict[name])
            self._resolve(name, param, value)
            self.__dict[name] = param
        else:
            self.__dict[name] = Param(value)

    def __getitem__(self, name: str) -> Any:
        param = self.__dict[name]
        return param.resolve(suppress_exception=self.suppress_exception)

    def __delitem__(self, name: str) -> None:
        del self.__dict[name]

    def get_param(self, name: str) -> Param:
        """The Param of a name."""
        return self.__dict[name]

    def items(self) -> ItemsView[str, Any]:
        return ItemsView(self.__dict)

    def values(self) -> ValuesView[Any]:
        return ValuesView(self.__dict)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Lay other params or plain values over these."""
        if len(args) == 1 and not kwargs and isinstance(args[0], ParamsDict):
            args = (args[0].items_as_params(),)
        super().update(*args, **kwargs)

    def dump(self) -> dict[str, Any]:
        """Plain values by name; None for those without a value or with one that does not fit its schema."""
        return {name: param.resolve(suppress_exception=True) for name, param in self.items_as_params().items()}

    def validate(self) -> dict[str, Any]:
        """Plain values by name. Raises ParamValidationError naming the param that does not fit its schema."""
        return {name: self._resolve(name, param, NOTSET) for name, param in self.items_as_params().items()}

    def _resolve(self, name: str, param: Param, value: Any) -> Any:
        try:
            return param.resolve(value, suppress_exception=self.suppress_exception)
        except ParamValidationError as error:
            raise ParamValidationError(f"Invalid input for param {name}: {error}") from None


class DagParam:
    """`dag.param("name")`: the value that the run has for it, usable where outputs of tasks are."""

    def __init__(self, current_dag: DAG, name: str, default: Any = NOTSET) -> None:
        if not isinstance(default, ArgNotSet):
            current_dag.params[name] = default
        self.current_dag = current_dag
        self._name = name
        self._default = default

    def iter_references(self) -> Iterator[tuple[Any, str]]:
        """It refers to no task."""
        return iter(())

    def resolve(self, context: Mapping[str, Any], **_: Any) -> Any:
        """The value in this run: from its conf, else the default, else the DAG's params."""
        dag_run_conf = getattr(context.get("dag_run"), "conf", None) or {}
        if self._name in dag_run_conf:
            return dag_run_conf[self._name]
        if not isinstance(self._default, ArgNotSet):
            return self._default
        params = context["params"]
        if self._name in params:
            return params[self._name]
        from asyncflow.authoring.exceptions import AirflowException

        raise AirflowException(f"No value could be resolved for parameter {self._name}")
