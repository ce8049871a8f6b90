"""Several processes that train together."""

from __future__ import annotations

import os
import time
import warnings
from pathlib import Path

import paddle

from lrcore_paddle import LRScheduler, _processes
from tests.adapters.paddle_runs import (
    LOSSES,
    PLATEAU,
    Network,
    float32,
)
from tests.processes import free_port, run_together


def train_in_parallel(folder: Path) -> None:
    """Train in one of two processes, which average their gradients, and report a metric of its own after each second update."""
    paddle.distributed.init_parallel_env()
    rank = paddle.distributed.get_rank()
    network, scheduler = Network(), LRScheduler(PLATEAU)
    parallel = paddle.DataParallel(network)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=parallel.parameters())
    found = []
    for update in range(16):
        network.weight.set_value(paddle.zeros([]))
        parallel(paddle.full([1], 2.0 * rank)).backward()  # the gradient is 0 in process 0 and 2 in process 1
        optimizer.step()
        optimizer.clear_grad()
        scheduler.step()
        found.append(0.0 - network.weight.item())
        if update % 2:  # the mean of what the two report is the loss
            scheduler.report(LOSSES[update // 2] + (0.5 if rank else -0.5))
    state, right = PLATEAU.initial(), []
    for update in range(16):
        right.append(float32(PLATEAU.value(update, state)))
        if update % 2:
            state = PLATEAU.update(state, LOSSES[update // 2])
    assert state.scale < 1
    assert found == right, found
    _processes.PATIENCE = 0.2
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if rank:
            time.sleep(1.0)
        scheduler.report(0.5)
    assert [str(one.message).rpartition("; ")[2] for one in caught] == (
        [] if rank else ["each process has to report one"]
    )
    # A process that exits first breaks the other's connection, so wait for both. A normal exit may abort in Paddle's threads.
    Path(folder, f"done {rank}").touch()
    while len(list(folder.glob("done *"))) < paddle.distributed.get_world_size():
        time.sleep(0.01)
    os._exit(0)


def test_two_processes_have_the_same_rates(tmp_path: Path) -> None:
    addresses = [f"127.0.0.1:{free_port()}" for _ in range(2)]
    code = "from tests.adapters import test_paddle_processes as t; t.train_in_parallel(t.Path(sys.argv[1]))"
    environments = [
        {
            "PADDLE_DISTRI_BACKEND": "gloo",
            "PADDLE_TRAINER_ID": str(rank),
            "PADDLE_TRAINERS_NUM": "2",
            "PADDLE_TRAINER_ENDPOINTS": ",".join(addresses),
            "PADDLE_CURRENT_ENDPOINT": address,
            "PADDLE_MASTER": addresses[0],
        }
        for rank, address in enumerate(addresses)
    ]
    run_together(code, environments, str(tmp_path))
