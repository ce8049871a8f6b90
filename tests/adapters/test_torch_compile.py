"""The torch scheduler with `torch.compile`: a tensor rate compiles to one graph, which reads every new value."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import lrcore
import lrcore_torch
from tests.adapters.torch_loops import SCHEDULE, parameter, sgd, tensor, used_rates

# Importing torch's compiler issues deprecation warnings about torch's own modules.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

FALLING = lrcore.Exponential(init_value=0.5, decay_rate=0.9)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW])
def test_a_compiled_step_with_a_tensor_rate_is_one_graph(kind: Any) -> None:
    torch._dynamo.reset()
    weight = parameter()
    optimizer = kind([weight], lr=tensor(0.1))
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(optimizer.step, backend="eager")
    for step in range(30):
        before = weight.item()
        weight.grad = torch.ones_like(weight)
        compiled()
        scheduler.step()
        if kind is torch.optim.SGD:
            assert before - weight.item() == pytest.approx(SCHEDULE(step), abs=1e-15)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.skipif(
    not (shutil.which("c++") or shutil.which("g++")), reason="no C++ compiler, which torch.compile needs on a CPU"
)
@pytest.mark.filterwarnings("ignore")  # inductor warns about its own modules
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.AdamW])
def test_a_step_compiled_by_inductor_is_one_graph_and_equals_the_eager_one(
    kind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    torch._dynamo.reset()
    weights = [parameter(), parameter()]
    optimizers = [kind([weight], lr=rate) for weight, rate in zip(weights, (tensor(0.1), 0.1), strict=True)]
    schedulers = [lrcore_torch.LRScheduler(optimizer, SCHEDULE) for optimizer in optimizers]
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(optimizers[0].step)
    for step in range(30):
        for weight, make_update in zip(weights, (compiled, optimizers[1].step), strict=True):
            weight.grad = torch.full_like(weight, 1.0 + step % 3)
            make_update()
        for scheduler in schedulers:
            scheduler.step()
        precision = (
            1e-12 if kind is torch.optim.SGD else 1e-4
        )  # the compiled Adam computes its bias correction in float32
        assert weights[0].item() == pytest.approx(weights[1].item(), rel=precision)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_a_compiled_step_with_the_scheduler_inside_is_one_graph() -> None:
    torch._dynamo.reset()
    weight = parameter()
    optimizer = torch.optim.SGD([weight], lr=tensor(0.1))
    scheduler = lrcore_torch.LRScheduler(optimizer, FALLING)
    used_rates(optimizer, scheduler, 2)
    torch._dynamo.utils.counters.clear()

    @torch.compile(backend="eager")
    def train() -> None:
        optimizer.step()
        scheduler.step()

    for step in range(2, 30):
        weight.data.zero_()
        weight.grad = torch.ones_like(weight)
        train()
        assert -weight.item() == pytest.approx(FALLING(step), abs=1e-15)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


def test_a_compiled_step_with_an_attached_scheduler_is_one_graph() -> None:
    torch._dynamo.reset()
    weight = parameter()
    optimizer = torch.optim.SGD([weight], lr=tensor(0.1))
    lrcore_torch.LRScheduler(optimizer, FALLING).attach()
    weight.grad = torch.ones_like(weight)
    optimizer.step()
    optimizer.step()
    torch._dynamo.utils.counters.clear()
    compiled = torch.compile(optimizer.step, backend="eager")
    for _ in range(2, 30):
        compiled()
    assert -weight.item() == pytest.approx(sum(FALLING(step) for step in range(30)), rel=1e-12)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("inside", [False, True])
def test_a_compiled_step_with_a_float_rate_uses_the_right_values(*, inside: bool) -> None:
    """Torch recompiles for each new float up to its limit, and then runs the function uncompiled."""
    torch._dynamo.reset()
    optimizer = sgd()
    scheduler = lrcore_torch.LRScheduler(optimizer, SCHEDULE)

    def train() -> None:
        optimizer.step()
        if inside:
            scheduler.step()

    compiled = torch.compile(train, backend="eager")
    weight = optimizer.param_groups[0]["params"][0]
    for step in range(20):
        weight.data.zero_()
        weight.grad = torch.ones_like(weight)
        compiled()
        if not inside:
            scheduler.step()
        assert 0.0 - weight.item() == SCHEDULE(step)
