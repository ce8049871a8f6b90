"""Pages that are written from the code when the site is built, so that they cannot say anything else than the code."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import sys
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from sphinx.application import Sphinx
from sphinx.ext.autodoc.mock import mock, undecorate
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.inspect import stringify_signature

from lrcore.files.reference import Field, fields, summary
from lrcore.schedules.kinds import KINDS

ROOT = Path(__file__).parents[2]
FRAMEWORKS = tomllib.loads((ROOT / "adapters" / "frameworks.toml").read_text(encoding="utf-8"))
EXAMPLES = ROOT / "docs" / "format" / "examples"
IMPORTED = [name for row in FRAMEWORKS.values() for name in row["imports"]]  # adapters are documented without them


def write_pages(app: Sphinx) -> None:
    """Write each page of PAGES into `_generated`; a page that has not changed keeps its time, so that it is not built again."""
    folder = Path(app.srcdir) / "_generated"
    folder.mkdir(exist_ok=True)
    for name, page in PAGES.items():
        path, text = folder / f"{name}.md", "\n\n".join(page()) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


# --- the reference ----------------------------------------------------------------------------------------------------


def reference() -> Iterator[str]:
    """Every public name of the core and of the adapters, with its docstring."""
    yield "# Reference"
    yield "Every public name of the core and of the five adapters, from its docstring."
    with mock(IMPORTED):
        for package in ("lrcore", "lrcore.adapting", *(f"lrcore_{name}" for name in FRAMEWORKS)):
            module = importlib.import_module(package)
            yield f"## {package}"
            for name in module.__all__:
                setattr(module, name, undecorate(getattr(module, name)))  # a mocked decorator hides what it decorates
                yield _documented(package, name, getattr(module, name))


def _documented(package: str, name: str, value: Any) -> str:
    """The directive that shows one name."""
    if inspect.isclass(value):
        shown = f"autoclass:: {package}.{name}\n   :members:\n   :special-members: __call__"
    elif inspect.isroutine(value):
        shown = f"autofunction:: {package}.{name}"
    else:
        shown = f"py:data:: {package}.{name}\n\n   {_meaning_of_alias(name, value)}"
    return f"### {name}\n\n```{{eval-rst}}\n.. {shown}\n```"


def _meaning_of_alias(name: str, value: Any) -> str:
    """What a name for a type stands for: the words of a Literal, or the text below its assignment."""
    if get_origin(value) is Literal:
        return f"One of {', '.join(f'`{word}`' for word in get_args(value))}."
    texts = (ModuleAnalyzer.for_module(one).find_attr_docs() for one in sys.modules if one.startswith("lrcore."))
    return next(" ".join(text["", name]) for text in texts if ("", name) in text)


def as_users_write_it(
    app: Sphinx, what: str, name: str, value: Any, options: Any, signature: str | None, returns: str | None
) -> tuple[str | None, str | None]:
    """The signature as users write it: a field that has a method of the same name is set by that method."""
    if what == "class" and signature == "(*args, **kwargs)":  # of a mocked base class, or of a protocol
        constructor = inspect.signature(value)
        made = constructor.replace(return_annotation=constructor.empty)
        signature = "" if getattr(value, "_is_protocol", False) else stringify_signature(made, show_annotation=False)
    if signature is not None:
        signature = re.sub(r"(warmup_|cooldown_)=None(, )?", "", signature).replace("values_", "values")
        signature = re.sub(r"(, )?\*?(, )?\)$", ")", signature)
    return signature, returns


# --- the kinds --------------------------------------------------------------------------------------------------------


def kinds() -> Iterator[str]:
    """Every kind that a file can name: its formula, its fields, an example file and a picture."""
    yield "# The kinds"
    yield (
        "Every kind that a file can name. The fields, types and defaults are those of the code. Every kind also takes "
        "[warmup and cooldown](../format/warmup-and-cooldown.md) and, in the outermost table, a [plateau](../format/plateau.md)."
    )
    for kind in KINDS:
        yield f"## {kind}"
        yield f"{summary(kind)}"
        yield from _field_table([field for field in fields(kind) if field.name not in ("warmup", "cooldown")])
        yield f"```{{schedule}}\n{(EXAMPLES / f'{kind}.toml').read_text(encoding='utf-8')}```"


def _field_table(rows: Sequence[Field]) -> Iterator[str]:
    head = "| field | value | default | meaning |\n|---|---|---|---|"
    yield "\n".join(
        [head, *(f"| `{one.name}` | {one.type} | {_default(one)} | {_one_line(one.description)} |" for one in rows)]
    )


def _default(field: Field) -> str:
    if field.required:
        return "must be given"
    return "" if field.default is None else f"`{json.dumps(field.default)}`"


def _one_line(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


# --- the command line -------------------------------------------------------------------------------------------------


def command() -> Iterator[str]:
    """The commands of `lrcore` and their options, as `--help` prints them."""
    import click

    from lrcore.show.cli import main

    yield "# The command `lrcore`"
    yield "Its texts are those that `--help` prints. `python -m lrcore` is the same command."
    yield _help(click.Context(main, info_name="lrcore"))
    for name, one in main.commands.items():
        yield f"## {name}"
        yield _help(click.Context(one, info_name=f"lrcore {name}"))


def _help(context: Any) -> str:
    return f"```text\n{context.get_help()}\n```"


PAGES = {"kinds": kinds, "reference": reference, "command": command}


def setup(app: Sphinx) -> dict[str, bool]:
    app.connect("builder-inited", write_pages)
    app.connect("autodoc-process-signature", as_users_write_it)
    return {"parallel_read_safe": True}
