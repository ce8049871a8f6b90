"""The JSON Schema of a schedule file, for editors and for programs that check files without lrcore."""

from __future__ import annotations

from typing import Any, Literal, get_args, get_origin

import msgspec

from lrcore.files.reader import FORMAT
from lrcore.files.reference import TABLES, Field, fields, file_field, summary
from lrcore.records import Record, unit_of
from lrcore.runs.length import PATTERN
from lrcore.schedules.kinds import KINDS
from lrcore.schedules.schedule import Schedule

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The newest dialect that the language servers of TOML and YAML support."""

_ROOT_FIELDS = {
    "plateau": {"$ref": "#/definitions/plateau"},
    "run": {"$ref": "#/definitions/run"},
    "format": {"description": file_field("format"), "const": FORMAT},
    "$schema": {"description": file_field("$schema"), "type": "string"},
}


def schema() -> dict[str, Any]:
    """What a schedule file may hold, as JSON Schema draft 7; `lrcore schema` prints it.

    The kind decides which fields there are (`if`, `then`), so that an editor marks the one word that is wrong. It knows
    fields, types and single limits. What depends on several fields together (as many values as boundaries) is for
    `lrcore.load` to judge.

    Example:
        >>> sorted(schema()["definitions"]["linear"]["properties"])
        ['$schema', 'cooldown', 'decay_steps', 'end_value', 'format', 'init_value', 'kind', 'plateau', 'run', \
'total_steps', 'warmup']
    """
    return {
        "$schema": DIALECT,
        "title": "A learning-rate schedule of lrcore",
        "allOf": [{"$ref": "#/definitions/any_kind"}],
        "definitions": {
            "any_kind": _any_kind(),
            "schedule": _inner_schedule(),
            **{name: _kind_schema(name) if name in KINDS else _table_schema(name) for name in TABLES},
        },
    }


def _any_kind() -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"kind": {"description": "which kind of schedule it is", "enum": list(KINDS)}},
        "required": ["kind"],
        "additionalProperties": True,  # explicit for Tombi, which otherwise reports the fields of the kinds as unknown
        "allOf": [{"if": _has_kind(name), "then": {"$ref": f"#/definitions/{name}"}} for name in KINDS],
    }


def _inner_schedule() -> dict[str, Any]:
    refused = {name: _not_allowed(f"{name} stands in the outermost table alone") for name in _ROOT_FIELDS}
    return {"allOf": [{"$ref": "#/definitions/any_kind"}], "properties": refused, "additionalProperties": True}


def _not_allowed(reason: str) -> dict[str, Any]:
    """The schema of a field that is not allowed; editors show the reason."""
    return {"not": {}, "errorMessage": reason}


def _has_kind(name: str) -> dict[str, Any]:
    return {"type": "object", "properties": {"kind": {"const": name}}, "required": ["kind"]}


def _table_schema(name: str) -> dict[str, Any]:
    own = fields(name)
    return {
        "description": summary(name),
        "type": "object",
        "properties": {field.name: _field_schema(field) for field in own},
        "required": [field.name for field in own if field.required],
        "additionalProperties": _not_allowed(f"unknown field; {name} has {', '.join(field.name for field in own)}"),
    }


def _kind_schema(name: str) -> dict[str, Any]:
    table = _table_schema(name)
    table["properties"] = {"kind": {"const": name}, **table["properties"], **_ROOT_FIELDS}
    if "decay_steps" in table["required"]:
        table["required"].remove("decay_steps")
        table["if"] = {"required": ["total_steps"]}
        table["then"] = {"properties": {"decay_steps": _not_allowed("expected decay_steps or total_steps; got both")}}
        table["else"] = {"required": ["decay_steps"]}
    else:
        start = _not_allowed("total_steps says where the cooldown ends; leave its start out")
        ends_there = {"properties": {"start": start}}
        table["dependencies"] = {"total_steps": {"required": ["cooldown"], "properties": {"cooldown": ends_there}}}
    return table


def _field_schema(field: Field) -> dict[str, Any]:
    default = {} if field.default is None else {"default": field.default}
    return {"description": field.description, **_type_schema(field.annotation), **default}


def _type_schema(annotation: Any) -> dict[str, Any]:
    """The schema of a type, without null: a file leaves the field out instead."""
    if get_origin(annotation) is tuple:
        return {"type": "array", "items": _type_schema(get_args(annotation)[0])}
    if get_origin(annotation) is Literal:
        return {"enum": list(get_args(annotation))}
    if isinstance(annotation, type) and issubclass(annotation, Record):
        name = "schedule" if annotation is Schedule else annotation.__name__.lower()
        return {"allOf": [{"$ref": f"#/definitions/{name}"}]}  # draft 7 ignores a description beside `$ref`
    plain = {name: value for name, value in msgspec.json.schema(annotation).items() if name != "description"}
    if unit_of(annotation) == "updates":
        return {**plain, "type": [plain["type"], "string"], "pattern": PATTERN}  # a length may be a text: "5 epochs"
    return plain
