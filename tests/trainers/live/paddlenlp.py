"""PaddleNLP's schedules: those of its trainer, by name, and its classes; stepped after each update."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from random import Random
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "paddlenlp 2.8.1"


def runs(random: Random) -> Iterator[Native]:
    trainer, classes = _modules()
    while True:
        for name in ("linear", "cosine", "constant", "constant_with_warmup", "polynomial"):
            yield _by_name(random, trainer, name)
        for name in ("cosine", "linear"):
            yield _of_script(random, classes, name)
        for name in (
            "LinearDecayWithWarmup",
            "ConstScheduleWithWarmup",
            "CosineDecayWithWarmup",
            "PolyDecayWithWarmup",
        ):
            yield _of_class(random, classes, name)


def _values(native: Any, total: int) -> list[float]:
    values = []
    for _ in range(total):
        values.append(float(native.last_lr))
        native.step()
    return values


def _by_name(random: Random, trainer: Any, name: str) -> Native:
    """As Trainer.create_scheduler does."""
    total, lr = random.randint(20, 300), random.choice([5e-5, 0.1])
    options: dict[str, Any] = {"lr_scheduler_type": name, "learning_rate": lr, "max_steps": total}
    options |= random.choice([{}, {"warmup_steps": total // 3}, {"warmup_ratio": 0.13}, {"warmup_steps": total - 1}])
    options |= random.choice([{}, {"decay_steps": total + 7}])
    own = {
        "cosine": {"num_cycles": random.choice([0.5, 1.0, 1.7])},
        "polynomial": {"lr_end": random.choice([1e-7, 1e-5]), "power": random.choice([1.0, 2.0])},
    }.get(name, {})
    warmup = options.get("warmup_steps", 0) or int(options.get("warmup_ratio", 0.0) * total)
    native = trainer.get_scheduler(name, lr, warmup, options.get("decay_steps", total), **own)
    return Native(name, Given("paddlenlp", {**options, **own}), _values(native, total))


def _of_script(random: Random, classes: Any, kind: str) -> Native:
    """As the pretraining scripts do."""
    total, lr, floor = random.randint(20, 300), 0.1, random.choice([0.0, 0.01])
    end = random.choice([total, total // 2, total + 50])
    lengths: dict[str, Any] = random.choice(
        [{"warmup_steps": 10}, {"warmup_ratio": 0.113}, {"warmup_steps": end}, {"warmup_steps": 0}]
    )
    name = f"{kind.capitalize()}AnnealingWithWarmupDecay"
    warmup = lengths.get("warmup_steps", lengths.get("warmup_ratio", 0.0) * total)
    native = getattr(classes, name)(lr, floor, warmup, end, last_epoch=0)
    options = {"learning_rate": lr, "min_learning_rate": floor, "max_steps": total, "decay_steps": end, **lengths}
    return Native(name, Given("paddlenlp", {"lr_scheduler_type": kind, **options}), _values(native, total))


def _of_class(random: Random, classes: Any, name: str) -> Native:
    total = random.randint(20, 300)
    options: dict[str, Any] = {
        "learning_rate": 0.1,
        "total_steps": total,
        "warmup": random.choice([0, 10, 0.13, total - 1]),
    }
    if name == "CosineDecayWithWarmup":
        options |= random.choice(
            [{}, {"num_cycles": 2}, {"with_hard_restarts": True}, {"with_hard_restarts": True, "num_cycles": 3.0}]
        )
    if name == "PolyDecayWithWarmup":
        options |= {"lr_end": 1e-5, "power": random.choice([1.0, 2.0])}
    native = getattr(classes, name)(**options)
    return Native(name, Given("paddlenlp", {"class": name, **options}, Run(total=total)), _values(native, total))


def _modules() -> tuple[Any, Any]:
    folder = unpacked("paddlenlp==2.8.1") / "paddlenlp"
    for name in ("paddlenlp", "paddlenlp.trainer", "paddlenlp.transformers", "paddlenlp.utils"):
        stub(name)
    stub("paddlenlp.ops", Topology=None)
    stub("paddlenlp.trainer.argparser", strtobool=bool)
    stub("paddlenlp.transformers.tokenizer_utils_base", BatchEncoding=dict)
    stub("paddlenlp.utils.import_utils", is_paddle_cuda_available=bool, is_psutil_available=bool)
    stub("paddlenlp.utils.log", logger=logging.getLogger("paddlenlp"))
    trainer = loaded(folder / "trainer" / "trainer_utils.py", "paddlenlp.trainer.trainer_utils")
    return trainer, loaded(folder / "transformers" / "optimization.py", "paddlenlp.transformers.optimization")
