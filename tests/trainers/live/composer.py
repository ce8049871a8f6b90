"""composer's and llm-foundry's schedulers, asked at the timestamp before each update, as the trainer's LambdaLR asks them."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "composer 0.32.1, llm-foundry 0.22.0"
LR, BATCH, SEQUENCE = 3e-4, 48, 100


def runs(random: Random) -> Iterator[Native]:
    warnings.simplefilter("ignore")
    time, classes = _classes()
    while True:
        for name, scheduler in classes.items():
            epoch, epochs = random.randint(7, 40), random.randint(2, 8)
            unit = random.choice(["ba", "ep", "sp", "tok"])
            duration = f"{_amount(unit, epoch * epochs, epoch)}{unit}"
            ratio = random.choice([1.0, 1.0, 0.5, 1.7])
            options = _options(name, random, unit, epoch * epochs, epoch)
            state = SimpleNamespace(dataloader_len=epoch, max_duration=time.Time.from_timestring(duration))
            state.max_duration = time.Time(int(state.max_duration.value * ratio), state.max_duration.unit)
            try:
                values = list(
                    _asked(
                        scheduler(**options), state, time.Timestamp, int(epoch * epochs * 1.5 * min(ratio, 1)), ratio
                    )
                )
            except (ValueError, ZeroDivisionError):  # composer refuses it
                continue
            source = {
                "max_duration": duration,
                "global_train_batch_size": BATCH,
                "max_seq_len": SEQUENCE,
                "scale_schedule_ratio": ratio,
                "optimizer": {"name": "decoupled_adamw", "lr": LR},
                "scheduler": {"name": name, **options},
            }
            yield Native(name, Given("composer", source, Run(batches_per_epoch=epoch)), values)


def _asked(scheduler: Any, state: Any, timestamp: Any, updates: int, ratio: float) -> Iterator[float]:
    for update in range(updates):
        counts = {"sample": BATCH * update, "token": BATCH * SEQUENCE * update}
        state.timestamp = timestamp(epoch=update // state.dataloader_len, batch=update, **counts)
        yield LR * scheduler(state, ratio)


def _classes() -> tuple[Any, dict[str, Any]]:
    composer = unpacked("mosaicml==0.32.1") / "composer"
    foundry = unpacked("llm-foundry==0.22.0") / "llmfoundry"
    stub("composer")
    core = stub("composer.core")
    loaded(composer / "core" / "serializable.py", "composer.core.serializable")
    enum = loaded(composer / "utils" / "string_enum.py", "composer.utils.string_enum").StringEnum
    stub("composer.utils", StringEnum=enum)
    time = loaded(composer / "core" / "time.py", "composer.core.time")
    vars(core).update(State=object, Time=time.Time, TimeUnit=time.TimeUnit)
    optim = stub("composer.optim")
    scheduler = loaded(composer / "optim" / "scheduler.py", "composer.optim.scheduler")
    vars(optim).update({name: getattr(scheduler, name) for name in scheduler.__all__})
    stub("llmfoundry.utils")
    stub("llmfoundry.utils.warnings", experimental_class=lambda _name: lambda found: found)
    inverse = loaded(
        foundry / "optim" / "scheduler.py", "llmfoundry.optim.scheduler"
    ).InverseSquareRootWithWarmupScheduler
    names = [name for name in scheduler.__all__ if name.endswith("Scheduler") and name != "ComposerScheduler"]
    return time, {**{name: getattr(scheduler, name) for name in names}, inverse.__name__: inverse}


# --- random options, typical and unusual ------------------------------------------------------------------------------


def _amount(unit: str, updates: int, epoch: int) -> int:
    return {"ba": updates, "ep": max(1, updates // epoch), "sp": updates * BATCH, "tok": updates * BATCH * SEQUENCE}[
        unit
    ]


def _time(random: Random, unit: str, total: int, epoch: int, least: float = 0.0) -> str:
    share = random.choice([0.0, 0.01, 0.13, 0.29, 0.5, 1.0])
    if random.random() < 0.4:
        return f"{max(share, least)}dur"
    exact = _amount(unit, max(1 if least else 0, int(max(share, least) * total)), epoch)
    return f"{exact + (random.choice([0, 5]) if unit == 'tok' else 0)}{unit}"


def _options(name: str, random: Random, unit: str, total: int, epoch: int) -> dict[str, Any]:
    def time(least: float = 0.0) -> str:
        return _time(random, unit, total, epoch, least)

    alpha = {"alpha_f": random.choice([0.0, 0.1, 0.37])}
    warmup = {"t_warmup": time(), "scale_warmup": random.random() < 0.4}
    until = {} if random.random() < 0.5 else {"t_max": time(1.0)}
    earlier = {} if random.random() < 0.5 else {"t_max": time(0.01)}
    stairs = {"milestones": [time() for _ in range(random.randint(0, 4))], "gamma": random.choice([0.1, 0.5, 1.5])}
    power = {"power": random.choice([0.5, 1.0, 3.0])}
    return {
        "StepScheduler": {"step_size": time(0.01), "gamma": random.choice([0.1, 0.9])},
        "MultiStepScheduler": stairs,
        "ConstantScheduler": {"alpha": random.choice([0.3, 1.0, 2.0]), **earlier},
        "LinearScheduler": {"alpha_i": random.choice([0.0, 0.5, 1.0]), **alpha, **earlier},
        "ExponentialScheduler": {
            "gamma": random.choice([0.5, 0.97, 1.1]),
            "decay_period": random.choice(["1ep", "3ba"]),
        },
        "CosineAnnealingScheduler": {**alpha, **earlier},
        "CosineAnnealingWarmRestartsScheduler": {
            "t_0": time(0.01),
            "t_mult": random.choice([1, 1.3, 2.0, 1.05]),
            **alpha,
        },
        "PolynomialScheduler": {**power, **alpha, **earlier},
        "MultiStepWithWarmupScheduler": {**stairs, **warmup},
        "ConstantWithWarmupScheduler": {"alpha": random.choice([0.3, 1.0]), **warmup, **until},
        "LinearWithWarmupScheduler": {"alpha_i": random.choice([0.5, 1.0]), **alpha, **warmup, **until},
        "CosineAnnealingWithWarmupScheduler": {**alpha, **warmup, **until},
        "PolynomialWithWarmupScheduler": {**power, **alpha, **warmup, **until},
        "InverseSquareRootWithWarmupScheduler": {
            "t_warmup": f"{_amount(unit, total // 10, epoch)}{unit}",
            "t_scale": f"{_amount(unit, total // 7 + 1, epoch)}{unit}",
            "t_cooldown": f"{_amount(unit, random.choice([0, total // 5, total]), epoch)}{unit}",
            "alpha_f_decay": random.choice([0.0, 0.1]),
            **until,
        },
    }[name]
