"""The text formats of files: TOML, JSON and YAML to plain data and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from lrcore.errors import MissingExtraError


def _read_yaml(text: str) -> Any:
    yaml = _import_yaml()
    try:
        return yaml.load(text, Loader=_with_clear_scalars(_unique_keys(yaml.SafeLoader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        problem = " ".join(part for part in (error.context, error.problem) if part)
        raise ValueError(f"{problem} (at line {mark.line + 1}, column {mark.column + 1})") from None
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None
    except LookupError as error:  # PyYAML's own, for `!!bool x` and `!!int ""`
        raise ValueError(f"a value does not fit its tag: {error}") from None


def _write_yaml(plain: dict[str, Any]) -> str:
    return str(_import_yaml().safe_dump(plain, sort_keys=False))


def _import_yaml() -> Any:
    try:
        import yaml
    except ModuleNotFoundError as error:
        raise MissingExtraError("YAML", package="PyYAML", extra="yaml") from error
    return yaml


def _unique_keys(loader: Any) -> Any:
    """The safe loader, but a key given twice is an error, as it is in TOML; a merged one may be given again."""

    class Loader(loader):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            own = [key for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            _unique([self.construct_object(key, deep=True) for key in own])
            return super().construct_mapping(node, deep)

    return Loader


def _with_clear_scalars(loader: Any) -> Any:
    """The same loader with the scalars of `yaml_scalars`."""
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


def _unique(keys: Sequence[Any]) -> None:
    twice = [key for number, key in enumerate(keys) if key in keys[:number]]
    if twice:
        raise ValueError(f"key {twice[0]!r} is given twice")


def _unique_pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _unique([key for key, _ in pairs])
    return dict(pairs)


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
