"""References between the values of one configuration: `${optimizer.lr}` of OmegaConf and `!ref <lr> * 2` of HyperPyYAML."""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Mapping
from typing import Any

_OMEGACONF = re.compile(r"\$\{([\w.]+)\}")
_HYPERPYYAML = re.compile(r"<([\w.\[\]]+)>")
_ARITHMETIC = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Pow: lambda base, power: float(base) ** power,  # an integer could take all memory
    ast.Mod: operator.mod,
}


def resolved(value: Any, root: Mapping[str, Any], depth: int = 20) -> Any:
    """What a value refers to in the configuration; the value itself if that is not there, or if it is no reference.

    Example:
        >>> config = {"lr": 8e-4, "epochs": 110, "steps": "!ref <epochs> * 10"}
        >>> resolved("${lr}", config), resolved("!ref <steps> // 2", config), resolved("!ref <other>", config)
        (0.0008, 550, '!ref <other>')
    """
    if not isinstance(value, str) or not depth:
        return value
    if whole := _OMEGACONF.fullmatch(value):
        found = _at(root, whole[1])
        return value if found is None else resolved(found, root, depth - 1)
    if not value.startswith("!ref "):
        return value
    expression = value.removeprefix("!ref ").strip()
    if whole := _HYPERPYYAML.fullmatch(expression):
        found = _at(root, whole[1])
        return value if found is None else resolved(found, root, depth - 1)
    try:
        text = _HYPERPYYAML.sub(lambda name: repr(resolved(_at(root, name[1]), root, depth - 1)), expression)
        return _computed(ast.parse(text, mode="eval").body)
    except (SyntaxError, TypeError, ValueError, ArithmeticError):
        return value


def _at(root: Mapping[str, Any], path: str) -> Any:
    found: Any = root
    for name in re.split(r"[.\[]", path.replace("]", "")):
        found = found.get(name.replace("-", "_")) if isinstance(found, Mapping) else None
    return found


def _computed(node: ast.expr) -> Any:
    """The value of a calculation with numbers; anything else is not executed."""
    if isinstance(node, ast.BinOp) and type(node.op) in _ARITHMETIC:
        return _ARITHMETIC[type(node.op)](_computed(node.left), _computed(node.right))
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_computed(node.operand)
    if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)):
        return node.value
    raise ValueError
