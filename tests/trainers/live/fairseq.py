"""fairseq's schedulers, asked as its trainer asks them: step_update before each update, step_begin_epoch at each epoch."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from types import SimpleNamespace
from typing import Any

from lrcore import Run
from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

VERSION = "fairseq 0.12.2"

_FILES = {
    "fixed": "fixed_schedule",
    "inverse_sqrt": "inverse_square_root_schedule",
    "polynomial_decay": "polynomial_decay_schedule",
    "cosine": "cosine_lr_scheduler",
    "tri_stage": "tri_stage_lr_scheduler",
    "triangular": "triangular_lr_scheduler",
    "step": "step_lr_scheduler",
}


class _Optimizer:
    def set_lr(self, lr: float) -> None:
        self.lr = lr

    def get_lr(self) -> float:
        return self.lr


def runs(random: Random) -> Iterator[Native]:
    classes = dict(_classes())
    while True:
        for name, (scheduler, config) in classes.items():
            total, epoch = random.randint(20, 400), random.randint(3, 30)
            own, optimization = _OPTIONS[name](random, total)
            optimization = {"lr": [random.choice([1e-3, 5e-4, 0.25])], "max_update": total, **optimization}
            cfg = SimpleNamespace(**{**vars(config()), **own, **optimization})
            if name == "polynomial_decay" and "total_num_update" not in own:
                cfg.total_num_update = total
            values = list(_asked(scheduler(cfg, _Optimizer()), total, epoch))
            source = {"optimization": optimization, "lr_scheduler": {"_name": name, **own}}
            yield Native(name, Given("fairseq", source, Run(updates_per_epoch=epoch)), values)


def _asked(scheduler: Any, total: int, epoch: int) -> Iterator[float]:
    scheduler.step_update(0)
    for update in range(total):
        if update % epoch == 0:
            scheduler.step_begin_epoch(update // epoch + 1)
        yield scheduler.step_update(update)


def _classes() -> Iterator[tuple[str, tuple[Any, Any]]]:
    folder = unpacked("fairseq==0.12.2") / "fairseq" / "optim" / "lr_scheduler"
    registered: dict[str, tuple[Any, Any]] = {}

    def register(name: str, dataclass: Any = None) -> Any:
        def note(found: Any) -> Any:
            registered[name] = (found, dataclass)
            return found

        return note

    stub("fairseq")
    stub("fairseq.dataclass", FairseqDataclass=object)
    stub("fairseq.dataclass.utils", gen_parser_from_dataclass=None)
    stub("fairseq.optim", FairseqOptimizer=_Optimizer)
    base = loaded(folder / "fairseq_lr_scheduler.py", "fairseq_base").FairseqLRScheduler
    stub("fairseq.optim.lr_scheduler", FairseqLRScheduler=base, register_lr_scheduler=register)
    for name, file in _FILES.items():
        loaded(folder / f"{file}.py", f"fairseq_{name}")
        yield name, registered[name]


# --- random options, typical and unusual ------------------------------------------------------------------------------


def _warmup(random: Random, total: int) -> int:
    return random.choice([0, 1, total // 10, total // 2, total])


def _fixed(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {"warmup_updates": _warmup(random, total), "lr_shrink": random.choice([0.1, 0.5, 1.0])}
    if random.random() < 0.6:
        own["force_anneal"] = random.randint(1, 6)
    return own, {"lr": random.choice([[0.1], [0.1, 0.05], [0.1, 0.2, 0.3]])}


def _inverse_sqrt(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    return {"warmup_updates": max(1, _warmup(random, total)), "warmup_init_lr": random.choice([-1, 0, 1e-7])}, {}


def _polynomial(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {
        "warmup_updates": _warmup(random, total),
        "end_learning_rate": random.choice([0.0, 1e-5]),
        "power": random.choice([1.0, 2.0, 0.5]),
    }
    if random.random() < 0.5:
        own["total_num_update"] = random.choice([total // 2, 2 * total])
    return own, {}


def _cosine(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {
        "warmup_updates": _warmup(random, total - 1),
        "warmup_init_lr": random.choice([-1, 1e-7]),
        "min_lr": random.choice([0.0, 1e-5]),
        "lr_shrink": random.choice([0.1, 0.5, 1.0]),
        "t_mult": random.choice([1.0, 2.0]),  # with 3 its rounded logarithm misses restarts
    }
    if random.random() < 0.5:
        own["lr_period_updates"] = random.choice([7, 16.5, total // 3])
    return own, {}


def _tri_stage(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    own: dict[str, Any] = {
        "init_lr_scale": random.choice([0.01, 0.0, 1.0]),
        "final_lr_scale": random.choice([0.01, 0.05, 1.0]),
    }
    if random.random() < 0.5:
        own["phase_ratio"] = random.choice([[0.1, 0.4, 0.5], [0.0, 0.5, 0.5], [0.25, 0.0, 0.75], [0.3, 0.3, 0.4]])
    else:
        lengths = random.randint(0, total), random.randint(0, total), random.randint(1, total)
        own |= dict(zip(("warmup_steps", "hold_steps", "decay_steps"), lengths, strict=True))
    return own, {}


def _triangular(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {
        "max_lr": random.choice([0.5, 1.0]),
        "lr_period_updates": random.choice([10, 11, 25.5, total]),
        "lr_shrink": random.choice([0.1, 0.9, 1.0]),
        "shrink_min": random.random() < 0.5,
    }
    return own, {}


def _step(random: Random, total: int) -> tuple[dict[str, Any], dict[str, Any]]:
    own = {
        "warmup_updates": _warmup(random, total),
        "warmup_init_lr": random.choice([-1, 1e-7]),
        "min_lr": random.choice([0.0, 1e-5]),
        "lr_deacy_period": random.choice([1, 10, total]),
        "lr_decay": random.choice([0.5, 0.9, 1.0]),
    }
    return own, {}


_OPTIONS = {
    "fixed": _fixed,
    "inverse_sqrt": _inverse_sqrt,
    "polynomial_decay": _polynomial,
    "cosine": _cosine,
    "tri_stage": _tri_stage,
    "triangular": _triangular,
    "step": _step,
}
