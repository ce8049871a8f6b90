"""The command `lrcore convert`: the schedule of a trainer's own configuration, as a schedule file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

import lrcore
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.schedules.plateau import Plateau
from lrcore.schedules.schedule import Schedule
from lrcore.show.arguments import Command, run_option, texts
from lrcore.show.output import output_option, put
from lrcore.trainers import registry


def print_list(context: click.Context, parameter: click.Parameter, value: bool) -> None:
    """Print the trainers, and what each is told beside its file."""
    if not value or context.resilient_parsing:
        return
    for name in registry.importers():
        click.echo(f"{name}: {registry.TRAINERS[name]}; follows {registry.follows(name)}")
        for fact, what in registry.facts_of(name).items():
            click.echo(f"    --fact {fact}=...  {what}")
    context.exit()


@click.command(cls=Command)
@click.argument("source", nargs=-1, metavar="SOURCE", required=True)
@click.option("--from", "trainer", required=True, metavar="NAME", help="The trainer: hf, deepspeed, timm, ...")
@run_option
@click.option(
    "--fact",
    "facts",
    multiple=True,
    metavar="NAME=VALUE",
    callback=texts,
    help="What the configuration lacks besides: lr=3e-4 is the optimizer's rate.",
)
@click.option("--part", metavar="NAME", help="Write another number or group instead: weight_decay, groups.bias.")
@output_option
@click.option(
    "--list",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=print_list,
    help="Print the trainers and the facts that each takes.",
)
def convert(
    source: tuple[str, ...],
    trainer: str,
    run: dict[str, Any],
    facts: dict[str, str],
    part: str | None,
    output: Path | None,
) -> None:
    """Write the schedule of a trainer's own configuration.

    SOURCE is the trainer's file (.json, .yaml, .toml), or its flags behind --: lrcore convert --from megatron -- --lr 1e-4 ...

    What the file lacks is given by --run and --fact. Notes go to standard error.
    """
    if clash := sorted({"trainer", "source", "run"} & set(facts)):
        raise click.BadParameter(f"expected a fact of the trainer; got {clash[0]}; see lrcore convert --list")
    taken = lrcore.from_trainer(trainer, _given(source), run=run or None, **facts)
    for note in _notes(taken, part):
        click.echo(f"note: {' '.join(note.split())}", err=True)
    put(taken.schedule if part is None else _part(taken, part), output)


def _given(words: Sequence[str]) -> str | list[str]:
    """One file or text, or the flags as words; a script before its flags is no file of options."""
    first, *more = words
    if not more and not first.startswith("-"):
        return first
    if not first.startswith("-") and "=" not in first and Path(first).suffix not in ("", ".py"):
        raise click.UsageError(f"expected one file, or flags behind --; got {first} and {more[0]}")
    return list(words)


def _notes(taken: Taken, part: str | None) -> Iterator[str]:
    yield from taken.notes
    names = [name.partition(".")[2] for name in _parts(taken)]
    shown = [place if names.count(name) > 1 else name for place, name in zip(_parts(taken), names, strict=True)]
    if shown and part is None:
        yield f"The configuration has other parts: {', '.join(shown)}; write one with --part {shown[0]}."


def _parts(taken: Taken) -> dict[str, Schedule | float]:
    """The parts by their place: also.weight_decay, groups.bias."""
    also = {f"also.{name}": one for name, one in taken.also.items()}
    return {**also, **{f"groups.{name}": one for name, one in taken.groups.items()}}


def _part(taken: Taken, name: str) -> Schedule:
    """One part as a schedule; the number of a group becomes the schedule times this number."""
    parts = _parts(taken)
    found = [place for place in parts if name in (place, place.partition(".")[2])]
    if not found:
        near = did_you_mean(name, [*parts, *(place.partition(".")[2] for place in parts)])
        raise ScheduleError("--part", f"expected one of {', '.join(parts) or 'no parts'}; got {name!r}{near}")
    if len(found) > 1:
        raise ScheduleError("--part", f"expected {' or '.join(found)}; got {name!r}")
    part = parts[found[0]]
    if isinstance(part, Schedule):
        return part
    if isinstance(taken.schedule, Plateau):
        raise ScheduleError(
            "--part", f"expected a part with a schedule; got {name!r}, which multiplies a plateau by {part!r}"
        )
    return taken.schedule * part
