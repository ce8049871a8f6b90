"""The text formats of files: TOML, JSON and YAML to plain data and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from typing import Any

from lrcore.errors import MissingExtraError


def _read_yaml(text: str) -> Any:
    yaml = _import_yaml()
    try:
        if hasattr(yaml, "CSafeLoader"):
            return yaml.load(text, Loader=_yaml_loader(yaml.CSafeLoader))
    except (yaml.YAMLError, ValueError, LookupError):
        pass  # parse again with PyYAML's Python parser: it is eight times slower, but its errors are more exact
    try:
        return yaml.load(text, Loader=_yaml_loader(yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise ValueError(f"{problem} (at line {mark.line + 1}, column {mark.column + 1})") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except LookupError as error:  # PyYAML raises it for `!!bool x` and `!!int ""`
        raise ValueError(f"a value does not fit its tag: {error}") from None


def read_tagged_yaml(text: str) -> Any:
    """YAML whose mappings may have tags of another program, `!new:a.b.C {...}`: the tag becomes their key `_target_`.

    A tagged scalar becomes the text of tag and value, `!ref <lr>`. Nothing that a tag names is imported or called.
    """
    yaml = _import_yaml()

    class Tagged(_yaml_loader(yaml.SafeLoader)):  # type: ignore[misc]
        """A loader that keeps the tags."""

    def construct(loader: Any, suffix: str, node: Any) -> Any:
        if isinstance(node, yaml.MappingNode):
            return {"_target_": suffix.rpartition(":")[2], **loader.construct_mapping(node, deep=True)}
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        if suffix.startswith("new:") and not node.value:
            return {"_target_": suffix.removeprefix("new:")}
        return f"!{suffix} {node.value}"

    Tagged.add_multi_constructor("!", construct)
    Tagged.add_multi_constructor("tag:yaml.org,2002:python/", construct)
    try:
        return yaml.load(text, Loader=Tagged)
    except (yaml.YAMLError, LookupError) as error:
        raise ValueError(" ".join(str(error).split())) from None


def _write_yaml(plain: dict[str, Any]) -> str:
    yaml = _import_yaml()
    return str(yaml.dump(plain, Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper), sort_keys=False))


def _import_yaml() -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("YAML", package="PyYAML", extra="yaml") from error
    return yaml


@cache
def _yaml_loader(safe: Any) -> Any:
    """Derive a loader with lrcore's rules from a safe loader of PyYAML, libyaml's or the Python one.

    Every YAML text is read by it, so every such rule belongs here.
    """
    from yaml import MappingNode
    from yaml.constructor import ConstructorError

    class Loader(safe):  # type: ignore[misc]
        """Refuses a key that is given twice, as TOML does; a merged key may be given again."""

        def __init__(self, stream: str) -> None:
            super().__init__(stream)
            self.checked: set[Any] = set()

        def flatten_mapping(self, node: MappingNode) -> None:
            """Check the keys of a node once.

            PyYAML calls this before it makes a mapping, and again at each merge; the node then has the merged keys, too.
            """
            if node not in self.checked:
                self.checked.add(node)
                own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
                keys = [self.construct_object(key, deep=True) for key in own]
                number = first_repeated(keys)
                if number is not None:
                    raise ConstructorError(None, None, _given_twice(keys[number]), own[number].start_mark)
            super().flatten_mapping(node)

    return _with_own_scalars(Loader)


def _with_own_scalars(loader: Any) -> Any:
    """Make a loader read scalars by the rules of `yaml_scalars`."""
    import re

    from lrcore.files.yaml_scalars import PLAIN, plain_scalar, tagged_integer, tagged_real

    loader.yaml_implicit_resolvers = {
        "<": [("tag:yaml.org,2002:merge", re.compile("<<$"))],
        None: [(PLAIN, re.compile(""))],
    }
    loader.add_constructor(PLAIN, lambda self, node: plain_scalar(node.value, node.start_mark.line + 1))
    loader.add_constructor("tag:yaml.org,2002:int", lambda self, node: tagged_integer(self.construct_scalar(node)))
    loader.add_constructor("tag:yaml.org,2002:float", lambda self, node: tagged_real(self.construct_scalar(node)))
    return loader


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    number = first_repeated([key for key, _ in pairs])
    if number is not None:
        raise ValueError(_given_twice(pairs[number][0]))
    return dict(pairs)


def first_repeated(keys: Sequence[Any]) -> int | None:
    """The index of the first repeated key. Unhashable keys are skipped, because the parser refuses them."""
    seen = set()
    for number, key in enumerate(keys):
        if isinstance(key, Hashable):
            if key in seen:
                return number
            seen.add(key)
    return None


def _given_twice(key: Any) -> str:
    return f"key {key!r} is given twice"


def _read_toml(text: str) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(text)


def _write_toml(plain: dict[str, Any]) -> str:
    import tomli_w

    return tomli_w.dumps(plain)


READERS: dict[str, Callable[[str], Any]] = {
    "toml": _read_toml,
    "json": lambda text: json.loads(text, object_pairs_hook=_unique_pairs),
    "yaml": _read_yaml,
}
WRITERS: dict[str, Callable[[dict[str, Any]], str]] = {
    "toml": _write_toml,
    "json": lambda plain: json.dumps(plain, indent=2) + "\n",
    "yaml": _write_yaml,
}
