"""Train the digits network with PyTorch: lrcore_torch.LRScheduler is stepped once after every update.

python examples/train_torch.py build/demo/torch.json
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

import digits
import lrcore
import lrcore_torch
from record import Record


def train(data: digits.Digits, schedule: lrcore.Schedule, device: torch.device, record: Record) -> torch.nn.Module:
    """Make one update per batch, each with the learning rate of the schedule."""
    network = make_network(data).to(device)
    criterion = ProbedCrossEntropy().to(device)
    optimizer = torch.optim.SGD([*network.parameters(), *criterion.parameters()])
    scheduler = lrcore_torch.LRScheduler(optimizer, schedule)

    for images, labels in data.training_batches():
        optimizer.zero_grad()
        loss = criterion(network(torch.from_numpy(images).to(device)), torch.from_numpy(labels).to(device))
        loss.backward()
        optimizer.step()
        record.update(
            learning_rate=criterion.take_learning_rate(),
            adapter_learning_rate=float(scheduler.get_last_lr()[0]),
            loss=loss.item(),
        )
        scheduler.step()
    return network


def make_network(data: digits.Digits) -> torch.nn.Sequential:
    """A network with the first weights that all frameworks share."""
    network = torch.nn.Sequential(
        torch.nn.Linear(data.hidden_weight.shape[0], digits.HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(digits.HIDDEN, digits.CLASSES),
    )
    first = [array for weight, bias in data.layers for array in (weight.T, bias)]
    for parameter, array in zip(network.parameters(), first, strict=True):
        parameter.data = torch.tensor(array)
    return network


class ProbedCrossEntropy(torch.nn.CrossEntropyLoss):
    """Cross entropy plus a parameter that is 0 before every update and has gradient 1: SGD moves it by -learning rate."""

    def __init__(self) -> None:
        super().__init__()
        self.probe = torch.nn.Parameter(torch.zeros(()))

    def forward(self, logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return super().forward(logits, labels) + self.probe

    def take_learning_rate(self) -> float:
        """The learning rate of the update just made; sets the probe back to 0 for the next."""
        moved = self.probe.item()
        self.probe.data.zero_()
        return 0.0 - moved


@torch.no_grad()
def accuracy(network: torch.nn.Module, data: digits.Digits, device: torch.device) -> float:
    """The share of the test images that are read correctly."""
    read = network(torch.from_numpy(data.test_images).to(device)).argmax(dim=1).cpu().numpy()
    return float((read == data.test_labels).mean())


def main(output: Path) -> None:
    """Train, and write what was measured to `output`; the digits lie beside it."""
    data = digits.load(output.with_name("digits.npz"))
    schedule = lrcore.load(Path(__file__).with_name("schedule.toml"))
    assert isinstance(schedule, lrcore.Schedule)  # a file with a table `plateau` gives a lrcore.Plateau
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    record = Record("torch", torch.__version__, str(device), data.updates)
    network = train(data, schedule, device, record)
    record.write(output, accuracy(network, data, device))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
