"""Any sequence of operations on a torch scheduler: the weights always follow the schedule."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import SCHEDULE, parameter, tensor, update

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)
ORDERS = st.permutations(["optimizer", "scheduler"])


class AnyOrder(RuleBasedStateMachine):
    """Applies random operations to a scheduler, and to a model of the rates it must give."""

    @initialize(
        bases=st.lists(st.sampled_from([0.5, 1.0, 2.0]), min_size=1, max_size=3),
        relative=st.booleans(),
        tensors=st.booleans(),
        form=st.sampled_from(["one", "list", "plateau", "also"]),
    )
    def begin(self, bases: list[float], form: str, *, relative: bool, tensors: bool) -> None:
        self.relative, self.tensors, self.form = relative, tensors, form
        self.bases = (
            bases if relative or form == "list" else bases[:1] * len(bases)
        )  # others would be overwritten, with a warning
        self.plateau = lrcore.Plateau(SCHEDULE, factor=0.5, patience=0)
        self.state = self.plateau.initial()
        self.step = 0
        self.scales = [1.0] * len(bases)
        self.make()

    def make(self) -> None:
        groups = [
            {"params": [parameter()], "lr": self.held(base), **({"lr_scale": scale} if scale != 1 else {})}
            for base, scale in zip(self.bases, self.scales, strict=True)
        ]
        self.optimizer: torch.optim.Optimizer = torch.optim.SGD(groups)
        schedules = [SCHEDULE if number % 2 else FALLING for number in range(len(self.bases))]
        schedule: Any = {"list": schedules, "plateau": self.plateau}.get(self.form, SCHEDULE)
        also = {"weight_decay": 0.0} if self.form == "also" else None
        self.scheduler = lrcore_torch.LRScheduler(self.optimizer, schedule, relative=self.relative, also=also)
        self.attached = False

    def held(self, rate: float) -> Any:
        return tensor(rate) if self.tensors else rate

    def expected(self) -> list[float]:
        rates = []
        for number, (base, scale) in enumerate(zip(self.bases, self.scales, strict=True)):
            schedule = FALLING if self.form == "list" and number % 2 == 0 else SCHEDULE
            rate = self.plateau.value(self.step, self.state) if self.form == "plateau" else schedule(self.step)
            rates.append(rate * (base if self.relative else 1.0) * scale)
        return rates

    @rule(updates=st.integers(1, 4))
    def train(self, updates: int) -> None:
        for _ in range(updates):
            rates = self.expected()
            assert update(self.optimizer) == rates
            if not self.attached:
                self.scheduler.step()
            assert self.scheduler.get_used_lr() == rates
            self.step += 1

    @rule(step=st.none() | st.integers(0, 60))
    def sync(self, step: int | None) -> None:
        self.step = self.step if step is None else step
        self.scheduler.sync(step)

    @rule(attached=st.booleans())
    def attach_or_detach(self, *, attached: bool) -> None:
        self.attached = attached
        if attached:
            self.scheduler.attach()
        else:
            self.scheduler.detach()

    @rule(order=ORDERS, fresh=st.booleans(), alone=st.booleans())
    def save_and_load(self, order: list[str], *, fresh: bool, alone: bool) -> None:
        states = copy.deepcopy({part: getattr(self, part).state_dict() for part in order})
        if fresh:
            self.make()
        for part in order[alone and not fresh :]:
            getattr(self, part).load_state_dict(states[part])

    @rule(pickled=st.booleans())
    def copy(self, *, pickled: bool) -> None:
        pair = self.optimizer, self.scheduler
        self.optimizer, self.scheduler = pickle.loads(pickle.dumps(pair)) if pickled else copy.deepcopy(pair)
        self.attached = False

    @rule(number=st.integers(0, 2), scale=st.sampled_from([0.5, 2.0]))
    def scale(self, number: int, scale: float) -> None:
        number %= len(self.bases)
        self.scales[number] = self.optimizer.param_groups[number]["lr_scale"] = scale
        self.scheduler.sync()

    @precondition(lambda self: self.form != "list" and len(self.bases) < 5)
    @rule()
    def add_a_group(self) -> None:
        own = {"lr": self.held(4.0)} if self.relative else {}
        self.optimizer.add_param_group({"params": [parameter()], **own})
        self.bases.append(4.0 if self.relative else self.bases[0])
        self.scales.append(1.0)

    @precondition(lambda self: self.form == "one")
    @rule()
    def follow_the_same_again(self) -> None:
        self.scheduler.follow(SCHEDULE)

    @precondition(lambda self: self.form == "plateau")
    @rule(metric=st.floats(0, 1))
    def report(self, metric: float) -> None:
        self.scheduler.report(metric)
        self.state = self.plateau.update(self.state, metric)


AnyOrder.TestCase.settings = settings(max_examples=4 * settings().max_examples, stateful_step_count=25)
TestAnyOrder = AnyOrder.TestCase
