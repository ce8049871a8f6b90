"""torch: `scheduler.step()` beside the native scheduler of the same schedule, for 1 to 1,000 parameter groups."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
from torch.optim import lr_scheduler

import lrcore
import lrcore_torch
from lrcore import Constant, Cosine, Exponential, Linear, Polynomial, Schedule
from tests.benchmarks.measure import Bench, Call, output, seconds

STEPS = 10**8  # no measurement comes to the end
GROUPS = (1, 10, 100)
MARK = 0.35
FORMS_MARK = 1.0
Native = Callable[[torch.optim.Optimizer], lr_scheduler.LRScheduler]


def pairs() -> dict[str, tuple[Schedule, Native]]:
    def joined(optimizer: torch.optim.Optimizer) -> lr_scheduler.LRScheduler:
        up = lr_scheduler.LinearLR(optimizer, start_factor=1e-3, total_iters=1000)
        down = lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
        return lr_scheduler.SequentialLR(optimizer, [up, down], milestones=[1000])

    return {
        "CosineAnnealingLR": (Cosine(init_value=0.1, decay_steps=STEPS), lambda one: lr_scheduler.CosineAnnealingLR(one, STEPS)),
        "LinearLR": (
            Linear(init_value=0.1, end_value=0.01, decay_steps=STEPS),
            lambda one: lr_scheduler.LinearLR(one, 1.0, 0.1, STEPS),
        ),
        "PolynomialLR": (
            Polynomial(init_value=0.1, decay_steps=STEPS, power=2),
            lambda one: lr_scheduler.PolynomialLR(one, STEPS, power=2),
        ),
        "ExponentialLR": (Exponential(init_value=0.1, decay_rate=0.999999), lambda one: lr_scheduler.ExponentialLR(one, 0.999999)),
        "StepLR": (
            Exponential(init_value=0.1, decay_rate=0.999, decay_steps=1000, staircase=True),
            lambda one: lr_scheduler.StepLR(one, 1000, 0.999),
        ),
        "ConstantLR": (Constant(0.1), lambda one: lr_scheduler.ConstantLR(one, 1.0, 1)),
        "SequentialLR(LinearLR, CosineAnnealingLR)": (Cosine(init_value=0.1, decay_steps=STEPS).warmup(1000, 1e-4), joined),
        **{name: (lrcore_torch.from_native(native(optimizer(1))), native) for name, native in imported().items()},
    }  # fmt: skip


def imported() -> dict[str, Native]:
    """More natives, whose schedule `from_native` gives."""
    return {
        "MultiStepLR": lambda one: lr_scheduler.MultiStepLR(one, [10_000, 20_000], 0.1),
        "CosineAnnealingWarmRestarts": lambda one: lr_scheduler.CosineAnnealingWarmRestarts(one, 10_000),
        "OneCycleLR": lambda one: lr_scheduler.OneCycleLR(one, 0.5, STEPS, cycle_momentum=False),
        "CyclicLR": lambda one: lr_scheduler.CyclicLR(one, 0.1, 0.5, 10_000, cycle_momentum=False),
        "LambdaLR": lambda one: lr_scheduler.LambdaLR(one, fading),
    }


def fading(step: int) -> float:
    return 1 / (1 + step)


def optimizer(groups: int, *, tensor: bool = False) -> torch.optim.Optimizer:
    rate = torch.tensor(0.1) if tensor else 0.1
    return torch.optim.SGD([{"params": [torch.zeros(1, requires_grad=True)]} for _ in range(groups)], lr=rate)


def steps(schedule: Schedule, native: Native, groups: int, *, tensor: bool = False) -> tuple[Call, Call]:
    ours = lrcore_torch.LRScheduler(optimizer(groups, tensor=tensor), schedule)
    return Call(ours.step), Call(native(optimizer(groups, tensor=tensor)).step)


def costs(bench: Bench) -> None:
    """Float rates for every scheduler, tensor rates for one."""
    for name, (schedule, native) in pairs().items():
        mark = 1.0 if name in imported() else MARK
        for groups in GROUPS:
            bench.ratio("torch scheduler.step()", f"{name}, {groups} groups", *steps(schedule, native, groups), mark)
    schedule, native = pairs()["CosineAnnealingLR"]
    for groups in GROUPS:
        both = steps(schedule, native, groups, tensor=True)
        bench.ratio("torch scheduler.step()", f"CosineAnnealingLR, {groups} groups, tensor rates", *both, MARK)


def forms(bench: Bench) -> None:
    """What no native does, beside the native cosine."""
    cosine, native = pairs()["CosineAnnealingLR"]
    for groups in GROUPS:
        scaled = optimizer(groups)
        for group in scaled.param_groups:
            group["lr_scale"] = 0.5
        schedulers = {
            "lr_scale": lrcore_torch.LRScheduler(scaled, cosine),
            "a list of one schedule": lrcore_torch.LRScheduler(optimizer(groups), [cosine] * groups),
            "relative": lrcore_torch.LRScheduler(optimizer(groups), cosine, relative=True),
            "weight_decay also": lrcore_torch.LRScheduler(optimizer(groups), cosine, also={"weight_decay": cosine}),
            "a plateau": lrcore_torch.LRScheduler(optimizer(groups), lrcore.Plateau(cosine)),
        }
        for name, scheduler in schedulers.items():
            theirs = Call(native(optimizer(groups)).step)
            bench.ratio(
                "torch: forms without a native, to CosineAnnealingLR",
                f"{name}, {groups} groups",
                Call(scheduler.step),
                theirs,
                FORMS_MARK,
                limit="it writes two numbers into each group, where the native writes one" if "also" in name else "",
            )


def scale(bench: Bench) -> None:
    """1 to 1,000 groups."""
    groups = [1, 3, 10, 30, 100, 300, 1000]
    schedule, native = pairs()["CosineAnnealingLR"]
    for label, tensor in (("float rates", False), ("tensor rates", True)):
        both = [steps(schedule, native, count, tensor=tensor) for count in groups]
        bench.curve("groups", f"lrcore_torch, {label}", groups, [1e6 * seconds(ours) for ours, _ in both])
        bench.curve(
            "groups", f"torch CosineAnnealingLR, {label}", groups, [1e6 * seconds(theirs) for _, theirs in both]
        )


def main() -> None:
    warnings.simplefilter("ignore")  # nothing is trained here, of which torch warns
    torch.set_num_threads(1)
    bench = Bench({"lrcore": lrcore.__version__, "torch": torch.__version__})
    costs(bench)
    forms(bench)
    scale(bench)
    bench.write(output())


if __name__ == "__main__":
    main()
