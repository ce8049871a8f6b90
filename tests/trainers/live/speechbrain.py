"""SpeechBrain's schedulers, called after each update or epoch as its recipes do."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "speechbrain 1.1.2"


def runs(random: Random) -> Iterator[Native]:
    import torch

    module = _module()
    while True:
        for name, options_of in _OPTIONS.items():
            total, epoch, lr = random.randint(20, 300), random.randint(2, 9), random.choice([1e-3, 0.1, 0.0])
            options = options_of(random)
            optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
            native, values = getattr(module, name)(**options), []
            for update in range(1, total + 1):
                values.append(float(optimizer.param_groups[0]["lr"]))
                if name in ("LinearScheduler", "StepScheduler"):
                    if update % epoch == 0:  # an epoch after the last one is an error there
                        number = min(update // epoch, options.get("epoch_count", total))
                        module.update_learning_rate(optimizer, native(number)[1])
                elif name == "CyclicLRScheduler":
                    native.on_batch_end(optimizer)
                elif name in ("WarmCoolDecayLRSchedule", "TriStageLRSchedule"):
                    native(optimizer, update)
                else:
                    native(optimizer)
            source = {"lr_annealing": {"_target_": f"speechbrain.nnet.schedulers.{name}", **options}}
            given = Given(
                "speechbrain", source, Run(updates_per_epoch=epoch), {"lr": lr}, None, name == "LinearScheduler"
            )
            yield Native(name, given, values)


def _module() -> Any:
    folder = unpacked("speechbrain==1.1.2") / "speechbrain"
    same: Any = lambda found: found  # noqa: E731 - a decorator that does nothing
    names = ("register_checkpoint_hooks", "mark_as_saver", "mark_as_loader")
    checkpoints = stub("speechbrain.utils.checkpoints", **dict.fromkeys(names, same))
    stub("speechbrain")
    stub("speechbrain.utils", checkpoints=checkpoints)
    stub("speechbrain.utils.logger", get_logger=logging.getLogger)
    return loaded(folder / "nnet" / "schedulers.py", "speechbrain_schedulers")


def _warmup(random: Random) -> Any:
    return random.choice([1, 10, 33, 1000])


def _noam(random: Random) -> dict[str, Any]:
    return {"lr_initial": 0.1, "n_warmup_steps": _warmup(random), "model_size": random.choice([None, 256])}


def _warm_cool(random: Random) -> dict[str, Any]:
    total = random.choice([300, 400])  # not before the run ends: past its end the rate is negative
    lengths = {"warmup": random.choice([0, 1, 50, 290]), "cooldown": random.choice([1, 20, 299]), "total_steps": total}
    return {
        "lr": 0.1,
        **lengths,
        "decay_factor": random.choice([0.75, 1.0]),
        "decay_every": random.choice([10, 100000]),
    }


def _tri_stage(random: Random) -> dict[str, Any]:
    lengths = {"warmup_steps": _warmup(random), "hold_steps": random.choice([0, 20]), "decay_steps": 70}
    return {"lr": 0.1, **lengths, "total_steps": 300, "init_lr_scale": random.choice([0.01, 0.0, 1.0])}


def _step(random: Random) -> dict[str, Any]:
    own: dict[str, Any] = random.choice(
        [{}, {"half_life": 3}, {"decay_factor": 0.7, "decay_drop": 3}, {"decay_drop": 2.5}]
    )
    return {"initial_value": 0.1, **own}


_OPTIONS = {
    "NoamScheduler": _noam,
    "NoamIntervalScheduler": lambda random: {
        **_noam(random),
        "anneal_steps": random.choice([[20, 50], [7], []]),
        "anneal_rates": [0.5, 0.1],
    },
    "LinearNoamScheduler": lambda random: {
        "lr_initial": 0.1,
        "n_warmup_steps": _warmup(random),
        "n_keep_steps": random.choice([0, 1, 40]),
    },
    "LinearWarmupScheduler": lambda random: {
        "initial_value": 0.1,
        "num_warmup_steps": random.choice([0, 1, 20, 100]),
        "num_training_steps": random.choice([100, 20, 10]),
    },
    "InverseSquareRootScheduler": lambda random: {"warmup_steps": random.choice([0, 1, 50, 1000])},
    "CyclicCosineScheduler": lambda random: {
        "lr_initial": 0.1,
        "n_warmup_steps": _warmup(random),
        "total_steps": random.choice([10, 35, 1000]),
    },
    "CyclicLRScheduler": lambda random: {
        "base_lr": 0.001,
        "max_lr": 0.1,
        "step_size": random.choice([5, 12.5, 2000.0]),
        "mode": random.choice(["triangular", "triangular2", "exp_range"]),
        "gamma": random.choice([1.0, 0.99]),
    },
    "IntervalScheduler": lambda random: {
        "intervals": random.choice([[{"steps": 3, "lr": 0.1}, {"steps": 17, "lr": 0.05}], [{"steps": 0, "lr": 0.1}]])
    },
    "WarmAndExpDecayLRSchedule": lambda random: {
        "lr": 0.1,
        "n_warmup_steps": random.choice([0, 1, 20]),
        "total_steps": random.choice([21, 100]),
        "decay_factor": random.choice([0.1, 0.5, 2.0]),
    },
    "WarmCoolDecayLRSchedule": _warm_cool,
    "TriStageLRSchedule": _tri_stage,
    "LinearScheduler": lambda random: {
        "initial_value": 0.1,
        "final_value": 0.01,
        "epoch_count": random.choice([1, 2, 9]),
    },
    "StepScheduler": _step,
}
