"""Checks the conf of a run against the DAG's params before the run is made, as Airflow's trigger does."""

from __future__ import annotations

from typing import Any

from asyncflow.core.sentence import Sentence
from asyncflow.core.specs import DagSpec
from asyncflow.errors import InvalidFields, InvalidInput

_RULES = {
    "type": Sentence("{value!r} is not of type {wanted}."),
    "enum": Sentence("{value!r} is not one of {wanted}."),
    "const": Sentence("It must be {wanted!r}, not {value!r}."),
    "minimum": Sentence("{value!r} is less than the minimum of {wanted}."),
    "maximum": Sentence("{value!r} is greater than the maximum of {wanted}."),
    "exclusiveMinimum": Sentence("{value!r} must be greater than {wanted}."),
    "exclusiveMaximum": Sentence("{value!r} must be less than {wanted}."),
    "multipleOf": Sentence("{value!r} is not a multiple of {wanted}."),
    "minLength": Sentence("{value!r} is shorter than {wanted} characters."),
    "maxLength": Sentence("{value!r} is longer than {wanted} characters."),
    "pattern": Sentence("{value!r} does not match {wanted!r}."),
    "format": Sentence("{value!r} is not a {wanted}."),
    "minItems": Sentence("{n} items are fewer than {wanted}."),
    "maxItems": Sentence("{n} items are more than {wanted}."),
    "uniqueItems": Sentence("Its items are not all different."),
}


def validate_conf(spec: DagSpec, conf: dict[str, Any]) -> None:
    """Raise InvalidFields if values (from conf, else the defaults) break the JSON schemas of the params.

    Its text is about the first of them, and its `problems` tell of all, by the name of the param.
    """
    problems: dict[str, str] = {}
    for name, param in spec.params.items():
        if name not in conf and not param.has_value:
            problems[name] = Sentence("It has no default: a value is needed.")
        elif param.schema and (wrong := _problem(conf.get(name, param.value), param.schema)):
            problems[name] = wrong
    if not problems:
        return
    name, wrong = next(iter(problems.items()))
    if name not in conf and not spec.params[name].has_value:
        first = Sentence(
            "DAG {dag!r} needs the param {name!r}: give it in conf, like {{{name!r}: ...}}.", dag=spec.dag_id, name=name
        )
    else:
        first = _of_param(Sentence("DAG {dag!r}", dag=spec.dag_id), name, wrong)
    raise InvalidFields(first, problems)


def check_value(whose: str, name: str, value: Any, schema: dict[str, Any]) -> None:
    """Raise InvalidInput if a value breaks the JSON schema of a param; `whose` begins the sentence."""
    wrong = _problem(value, schema)
    if wrong:
        raise InvalidInput(_of_param(whose, name, wrong))


def _of_param(whose: str, name: str, wrong: str) -> Sentence:
    return Sentence("{whose}, param {name!r}: {message}", whose=whose, name=name, message=wrong)


def _problem(value: Any, schema: dict[str, Any]) -> str:
    """What of a value breaks a JSON schema, as a sentence; "" for nothing."""
    # Imported here: most DAGs have no schemas, and the import costs more than the rest of a trigger.
    import jsonschema

    try:
        jsonschema.validate(value, schema, format_checker=jsonschema.FormatChecker())
    except jsonschema.ValidationError as error:
        return _said(str(error.validator), error.instance, error.validator_value, error.message)
    except jsonschema.SchemaError as error:
        return Sentence("Its schema is no schema: {message}.", message=error.message)
    return ""


def _said(rule: str, value: Any, wanted: Any, otherwise: str) -> Sentence:
    """What a rule of JSON schema says of a value that breaks it."""
    if rule not in _RULES:
        return Sentence("{message}.", message=otherwise)
    row = tuple(map(repr, wanted)) if rule == "enum" else tuple(wanted) if isinstance(wanted, list) else wanted
    return Sentence(_RULES[rule], value=value, wanted=row, n=len(value) if isinstance(value, list) else 0)
