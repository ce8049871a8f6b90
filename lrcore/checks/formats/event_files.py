"""Reads the scalars in the event files of TensorBoard, with the package tensorboard."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

from lrcore.errors import MissingExtraError, ScheduleError

Points: TypeAlias = Callable[[], tuple[list[int], list[float]]]
_ALL = 0  # the package keeps 10,000 scalars of a tag unless it is asked for all


def scalars(path: Path) -> dict[str, Points]:
    """What gives the steps and values of each scalar, by its tag; with the folder before it where there are several.

    Nothing is merged or left out: the package would otherwise drop what a resumed run wrote over.

    Args:
        path: an event file, or a folder with one or with folders of them, as Keras writes them.

    Raises:
        ScheduleError: no event file is there, or none holds a scalar.
        MissingExtraError: without the package tensorboard.
    """
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ModuleNotFoundError as error:
        raise MissingExtraError("lrcore.checks", package="tensorboard", extra="tensorboard") from error
    found: dict[str, Points] = {}
    sources = [path] if path.is_file() else sorted({file.parent for file in path.rglob("*tfevents*")})
    for source in sources:
        events = EventAccumulator(str(source), {"scalars": _ALL, "tensors": _ALL}, purge_orphaned_data=False)
        with contextlib.redirect_stderr(None):
            events.Reload()
        prefix = "" if len(sources) == 1 else f"{source.relative_to(path).as_posix()}/"
        found |= {prefix + tag: points for tag, points in _of_run(events).items()}
    if not found:
        raise ScheduleError(str(path), "expected event files with scalars; got none")
    return found


def _of_run(events: Any) -> dict[str, Points]:
    """The scalars of one folder. TensorFlow writes a scalar as a tensor without an axis."""
    tags = events.Tags()
    return {
        **{tag: partial(_scalars, events, tag) for tag in tags["scalars"]},
        **{tag: partial(_tensors, events, tag) for tag in tags["tensors"] if _is_scalar(events, tag)},
    }


def _scalars(events: Any, tag: str) -> tuple[list[int], list[float]]:
    found = events.Scalars(tag)
    return [event.step for event in found], [event.value for event in found]


def _tensors(events: Any, tag: str) -> tuple[list[int], list[float]]:
    from tensorboard.util.tensor_util import make_ndarray

    found = events.Tensors(tag)
    return [event.step for event in found], [float(make_ndarray(event.tensor_proto).item()) for event in found]


def _is_scalar(events: Any, tag: str) -> bool:
    """Whether the tensors of a tag are single numbers: the first one tells."""
    from tensorboard.util.tensor_util import make_ndarray

    array = make_ndarray(events.Tensors(tag)[0].tensor_proto)
    return array.size == 1 and array.dtype.kind in "iuf"
