"""What a user hands over as a trainer's configuration: a file, a dict, a namespace, a dataclass or flags."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from lrcore.configs.flags import are_flags, from_flags, split
from lrcore.configs.plain import plain
from lrcore.errors import ScheduleError
from lrcore.files.formats import READERS, read_tagged_yaml
from lrcore.records import short

Reader: TypeAlias = Callable[[str], Any]

_FILES: Mapping[str, Reader] = {
    ".json": READERS["json"],
    ".toml": READERS["toml"],
    ".yaml": read_tagged_yaml,
    ".yml": read_tagged_yaml,
}
_EXECUTED = {".py": "Python", ".gin": "gin", ".sh": "a shell"}


def read_source(given: Any, where: str, readers: Mapping[str, Reader] | None = None) -> tuple[Any, str]:
    """The configuration as plain data, and its name in messages: the file, or the trainer.

    Args:
        given: the path of a file, a mapping, a namespace, a dataclass, or flags: a list of words or one text.
        where: the trainer, for messages.
        readers: how to read files of the trainer's own form, by suffix.

    Raises:
        ScheduleError: it is none of these, or the file cannot be read. A file that would have to be executed is refused.
    """
    if isinstance(given, bytes):
        given = given.decode("utf-8", "replace")
    if isinstance(given, str):
        text = given.strip()
        if text.startswith("{"):
            return _parsed(text, READERS["json"], where), where
        if are_flags(words := split(text) if "--" in text or "=" in text else []) and not _is_file(given):
            return from_flags(words), where
    if isinstance(given, (str, PathLike)):
        return _from_file(Path(given), {**_FILES, **(readers or {})}), str(given)
    if isinstance(given, (list, tuple)) and are_flags(given):
        return from_flags(given), where
    found = plain(given)
    if isinstance(found, (dict, list)):
        return found, where
    raise ScheduleError(
        where, f"expected the path of a configuration, a dict, a namespace, a dataclass or flags; got {short(given)}"
    )


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # no name that a file can have
        return False


def _from_file(path: Path, readers: Mapping[str, Reader]) -> Any:
    suffix = path.suffix.lower()
    if suffix in _EXECUTED:
        raise ScheduleError(
            str(path),
            f"expected a configuration that need not be executed; got {_EXECUTED[suffix]} file; hand over the resolved "
            "dict, or the flags",
        )
    if suffix not in readers:
        raise ScheduleError(
            str(path), f"expected flags, or a file that ends in {', '.join(readers)}; got {path.name!r}"
        )
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise ScheduleError(str(path), f"expected a text file that can be read; got: {reason}") from None
    return _parsed(text, readers[suffix], str(path))


def _parsed(text: str, reader: Reader, where: str) -> Any:
    try:
        found = reader(text)
    except (ValueError, RecursionError) as error:
        raise ScheduleError(where, f"expected a configuration; got text that cannot be parsed: {error}") from None
    if isinstance(found, (dict, list)):
        return found
    raise ScheduleError(where, f"expected a table of options; got {short(found)}")
