"""Train the digits network with Paddle: lrcore_paddle.LRScheduler is the optimizer's learning rate, stepped after every update.

python examples/train_paddle.py build/demo/paddle.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import paddle

import digits
import lrcore
import lrcore_paddle
from record import Record


def train(data: digits.Digits, schedule: lrcore.Schedule, record: Record) -> paddle.nn.Layer:
    """Make one update per batch, each with the learning rate of the schedule."""
    network = make_network(data)
    criterion = ProbedCrossEntropy()
    scheduler = lrcore_paddle.LRScheduler(schedule)
    optimizer = paddle.optimizer.SGD(scheduler, parameters=[*network.parameters(), *criterion.parameters()])

    for images, labels in data.training_batches():
        loss = criterion(network(paddle.to_tensor(images)), paddle.to_tensor(labels))
        loss.backward()
        optimizer.step()
        record.update(
            learning_rate=criterion.take_learning_rate(),
            adapter_learning_rate=optimizer.get_lr(),
            loss=loss.item(),
        )
        optimizer.clear_grad()
        scheduler.step()
    return network


def make_network(data: digits.Digits) -> paddle.nn.Sequential:
    """A network with the first weights that all frameworks share."""
    network = paddle.nn.Sequential(
        paddle.nn.Linear(data.hidden_weight.shape[0], digits.HIDDEN),
        paddle.nn.Tanh(),
        paddle.nn.Linear(digits.HIDDEN, digits.CLASSES),
    )
    first = [array for layer in data.layers for array in layer]
    for parameter, array in zip(network.parameters(), first, strict=True):
        parameter.set_value(array)
    return network


class ProbedCrossEntropy(paddle.nn.CrossEntropyLoss):
    """Cross entropy plus a parameter that is 0 before every update and has gradient 1: SGD moves it by -learning rate."""

    def __init__(self) -> None:
        super().__init__()
        self.probe = self.create_parameter([], default_initializer=paddle.nn.initializer.Constant(0.0))

    def forward(self, logits: paddle.Tensor, labels: paddle.Tensor) -> paddle.Tensor:
        return super().forward(logits, labels) + self.probe

    def take_learning_rate(self) -> float:
        """The learning rate of the update just made; sets the probe back to 0 for the next."""
        moved = float(self.probe)
        self.probe.set_value(paddle.zeros([]))
        return 0.0 - moved


@paddle.no_grad()
def accuracy(network: paddle.nn.Layer, data: digits.Digits) -> float:
    """The share of the test images that are read correctly."""
    read = network(paddle.to_tensor(data.test_images)).argmax(axis=1).numpy()
    return float((read == data.test_labels).mean())


def main(output: Path) -> None:
    """Train, and write what was measured to `output`; the digits lie beside it."""
    data = digits.load(output.with_name("digits.npz"))
    schedule = lrcore.load(Path(__file__).with_name("schedule.toml"))
    assert isinstance(schedule, lrcore.Schedule)  # a file with a table `plateau` gives a lrcore.Plateau
    record = Record("paddle", paddle.version.full_version, paddle.device.get_device(), data.updates)
    network = train(data, schedule, record)
    record.write(output, accuracy(network, data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
