"""OLMo's schedulers, made by its own build_scheduler and asked after the update is counted, as its trainer asks them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "ai2-olmo 0.6.0"
BATCH, LENGTH = 32, 128


def runs(random: Random) -> Iterator[Native]:
    module, names, config = _modules()
    while True:
        for name in names:
            steps, lr = random.randint(3, 400), random.choice([3e-4, 0.1])
            units = random.choice(["steps", "steps", "tokens"])
            amount = BATCH * LENGTH if units == "tokens" else 1
            options = _options(random, steps * amount, lr)
            try:
                made = module.build_scheduler(None, config(name=names[name], units=units, **options))
                values = [made.get_lr(lr, (step + 1) * amount, steps * amount) for step in range(int(1.3 * steps))]
            except (AssertionError, ZeroDivisionError):  # OLMo refuses it
                continue
            source = {
                "max_duration": random.choice([steps, f"{steps * BATCH * LENGTH}T"]),
                "global_train_batch_size": BATCH,
                "model": {"max_sequence_length": LENGTH},
                "optimizer": {"learning_rate": lr},
                "scheduler": {"name": name, "units": units, **options},
            }
            yield Native(name, Given("olmo", source), values)


def _options(random: Random, end: int, lr: float) -> dict[str, Any]:
    share = random.choice([0.0, 0.003, 0.07, 0.2, 0.97, 1.0])
    return {
        "t_warmup": share * end,
        "t_max": random.choice([None, None, 0.9 * end, 1.1 * end]),
        "alpha_f": random.choice([0.0, 0.1, 0.5, 0.9]),
        "warmup_min_lr": random.choice([None, 0.0, lr / 20]),
    }


def _modules() -> tuple[Any, dict[str, Any], Any]:
    folder = unpacked("ai2-olmo==0.6.0") / "olmo"
    words = _words((folder / "config.py").read_text(encoding="utf-8"))
    types = SimpleNamespace(**{word: word for word in words})
    stub("olmo", LayerNormBase=object)
    stub("olmo.config", OptimizerType=None, SchedulerConfig=SimpleNamespace, SchedulerType=types, TrainConfig=object)
    stub("olmo.torch_util", get_default_device=None, is_distributed=None)
    module = loaded(folder / "optim.py", "olmo.optim")
    vars(module)["replace"] = lambda config, **changes: SimpleNamespace(**{**vars(config), **changes})
    unset = {"grad_clip_warmup_steps": None, "grad_clip_warmup_factor": None}
    return module, {word: word for word in words}, lambda **options: SimpleNamespace(**{**unset, **options})


def _words(text: str) -> list[str]:
    """The names of schedulers in the text of OLMo's configuration, which needs more to be imported."""
    kinds = [one for one in ast.parse(text).body if isinstance(one, ast.ClassDef) and one.name == "SchedulerType"]
    return [ast.literal_eval(one.value) for one in kinds[0].body if isinstance(one, ast.Assign)]
