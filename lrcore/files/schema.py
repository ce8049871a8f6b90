"""The JSON Schema of a schedule file, for editors and for programs that check files without lrcore."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from lrcore.schedules.kinds import KINDS
from lrcore.schedules.plateau import PlateauOptions

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """What a schedule file may hold, as JSON Schema 2020-12; `schedule.schema.json` beside this module holds it.

    It knows fields, types and single limits. What depends on several fields together (as many values as boundaries) is
    for `lrcore.load` to judge.

    Example:
        >>> sorted(schema()["$defs"]["Linear"]["properties"])
        ['cooldown', 'decay_steps', 'end_value', 'init_value', 'kind', 'total_steps', 'warmup']
    """
    types = [*KINDS.values(), PlateauOptions]
    _, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    steps = definitions["Warmup"]["properties"]["steps"]
    for kind in KINDS.values():
        _allow_total_steps(definitions[kind.__name__], steps)
    any_kind = [{"$ref": f"#/$defs/{kind.__name__}"} for kind in KINDS.values()]
    definitions["Schedule"] = {"anyOf": any_kind, "unevaluatedProperties": False}
    root = {"anyOf": any_kind, "properties": {"plateau": {"$ref": "#/$defs/PlateauOptions"}}}
    return {
        "$schema": DIALECT,
        "title": "A learning-rate schedule of lrcore",
        **root,
        "unevaluatedProperties": False,
        "$defs": {name: _plain(definition) for name, definition in definitions.items()},
    }


def _allow_total_steps(kind: dict[str, Any], steps: dict[str, Any]) -> None:
    """In the place of decay_steps; or with a cooldown, whose start it tells."""
    kind["properties"]["total_steps"] = steps
    del kind["additionalProperties"]  # the schedule that contains it knows what is left over
    if "decay_steps" in kind["required"]:
        kind["required"].remove("decay_steps")
        kind["oneOf"] = [{"required": ["decay_steps"]}, {"required": ["total_steps"]}]
    else:
        endless = {"required": ["cooldown"], "properties": {"cooldown": {"not": {"required": ["start"]}}}}
        kind["dependentSchemas"] = {"total_steps": endless}


def _plain(definition: Any) -> Any:
    """Without null, which a file leaves out, and with the first paragraph of a docstring alone."""
    if isinstance(definition, list):
        return [_plain(one) for one in definition]
    if not isinstance(definition, dict):
        return definition
    some = [one for one in definition.get("anyOf", []) if one != {"type": "null"}]
    if len(some) == 1:
        return _plain(some[0])
    plain = {name: _plain(value) for name, value in definition.items() if name != "default" or value is not None}
    if "description" in plain and "title" in plain:
        plain["description"] = " ".join(inspect.cleandoc(plain["description"]).split("\n\n")[0].split())
    return plain
