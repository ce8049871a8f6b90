"""Train the digits network with MLX: lrcore_mlx.as_schedule is the learning rate of mlx.optimizers.SGD, compiled.

python examples/train_mlx.py build/demo/mlx.json
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.optimizers as optim
from mlx import nn

import digits
import lrcore
import lrcore_mlx
from record import Record


class Network(nn.Module):  # type: ignore[misc]
    """One hidden layer, and a probe: 0 before every update, with gradient 1, so SGD moves it by -learning rate."""

    def __init__(self, data: digits.Digits) -> None:
        super().__init__()
        (hidden_weight, hidden_bias), (output_weight, output_bias) = data.layers
        self.hidden = {"weight": mx.array(hidden_weight), "bias": mx.array(hidden_bias)}
        self.output = {"weight": mx.array(output_weight), "bias": mx.array(output_bias)}
        self.probe = mx.array(0.0)

    def __call__(self, images: mx.array) -> mx.array:
        """The logits of each image."""
        hidden = mx.tanh(images @ self.hidden["weight"] + self.hidden["bias"])
        return hidden @ self.output["weight"] + self.output["bias"]


def probed_loss(network: Network, images: mx.array, labels: mx.array) -> mx.array:
    """The loss that is minimised: the probe, which is 0, adds nothing to it but its own gradient."""
    return nn.losses.cross_entropy(network(images), labels, reduction="mean") + network.probe


def train(data: digits.Digits, schedule: lrcore.Schedule, record: Record) -> Network:
    """Make one update per batch, each with the learning rate of the schedule."""
    network = Network(data)
    optimizer = optim.SGD(lrcore_mlx.as_schedule(schedule))
    state: list[Any] = [network.state, optimizer.state]

    @partial(mx.compile, inputs=state, outputs=state)
    def update(images: mx.array, labels: mx.array) -> mx.array:
        loss, gradients = nn.value_and_grad(network, probed_loss)(network, images, labels)
        optimizer.update(network, gradients)
        return loss

    for images, labels in data.training_batches():
        loss = update(mx.array(images), mx.array(labels))
        record.update(
            learning_rate=0.0 - network.probe.item(),
            adapter_learning_rate=lrcore_mlx.current_lr(optimizer),
            loss=loss.item(),
        )
        network.probe = mx.array(0.0)
    return network


def accuracy(network: Network, data: digits.Digits) -> float:
    """The share of the test images that are read correctly."""
    read = network(mx.array(data.test_images)).argmax(axis=1)
    return float((read == mx.array(data.test_labels)).mean().item())


def main(output: Path) -> None:
    """Train, and write what was measured to `output`; the digits lie beside it."""
    data = digits.load(output.with_name("digits.npz"))
    schedule = lrcore.load(Path(__file__).with_name("schedule.toml"))
    assert isinstance(schedule, lrcore.Schedule)  # a file with a table `plateau` gives a lrcore.Plateau
    record = Record("mlx", mx.__version__, str(mx.default_device()), data.updates)
    network = train(data, schedule, record)
    record.write(output, accuracy(network, data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
