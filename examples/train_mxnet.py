"""Train the digits network with MXNet: lrcore_mxnet.LRScheduler is the lr_scheduler of a gluon.Trainer.

python examples/train_mxnet.py build/demo/mxnet.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import mxnet as mx
from mxnet import autograd, gluon

import digits
import lrcore
import lrcore_mxnet
from record import Record


def train(data: digits.Digits, schedule: lrcore.Schedule, device: mx.Context, record: Record) -> gluon.Block:
    """Make one update per batch, each with the learning rate of the schedule."""
    network = make_network(data, device)
    criterion = ProbedCrossEntropy(device)
    parameters = {**network.collect_params(), **criterion.collect_params()}
    trainer = gluon.Trainer(parameters, "sgd", {"lr_scheduler": lrcore_mxnet.LRScheduler(schedule)})

    for images, labels in data.training_batches():
        with autograd.record():
            loss = criterion(network(mx.nd.array(images, ctx=device)), mx.nd.array(labels, ctx=device))
        loss.backward()
        trainer.step(1)  # the loss is a mean already
        record.update(
            learning_rate=criterion.take_learning_rate(),
            adapter_learning_rate=trainer.learning_rate,
            loss=loss.asscalar().item(),
        )
    return network


def make_network(data: digits.Digits, device: mx.Context) -> gluon.nn.HybridSequential:
    """A network with the first weights that all frameworks share."""
    network = gluon.nn.HybridSequential()
    for (weight, bias), activation in zip(data.layers, ("tanh", None), strict=True):
        layer = gluon.nn.Dense(weight.shape[1], in_units=weight.shape[0], activation=activation)
        layer.initialize(ctx=device)
        layer.weight.set_data(mx.nd.array(weight.T))
        layer.bias.set_data(mx.nd.array(bias))
        network.add(layer)
    network.hybridize()
    return network


class ProbedCrossEntropy(gluon.loss.SoftmaxCrossEntropyLoss):
    """Cross entropy plus a parameter that is 0 before every update and has gradient 1: SGD moves it by -learning rate."""

    def __init__(self, device: mx.Context) -> None:
        super().__init__()
        self.probe = self.params.get("probe", shape=(1,), init="zeros")
        self.initialize(ctx=device)

    def hybrid_forward(self, F: Any, logits: Any, labels: Any, probe: Any) -> Any:  # noqa: N803 - MXNet passes F by name
        return super().hybrid_forward(F, logits, labels).mean() + probe

    def take_learning_rate(self) -> float:
        """The learning rate of the update just made; sets the probe back to 0 for the next."""
        moved = self.probe.data().asscalar().item()
        self.probe.set_data(mx.nd.zeros(1))
        return 0.0 - moved


def accuracy(network: gluon.Block, data: digits.Digits, device: mx.Context) -> float:
    """The share of the test images that are read correctly."""
    read = network(mx.nd.array(data.test_images, ctx=device)).argmax(axis=1).asnumpy()
    return float((read == data.test_labels).mean())


def main(output: Path) -> None:
    """Train, and write what was measured to `output`; the digits lie beside it."""
    data = digits.load(output.with_name("digits.npz"))
    schedule = lrcore.load(Path(__file__).with_name("schedule.toml"))
    assert isinstance(schedule, lrcore.Schedule)  # a file with a table `plateau` gives a lrcore.Plateau
    device = mx.gpu() if mx.context.num_gpus() else mx.cpu()
    record = Record("mxnet", mx.__version__, str(device), data.updates)
    network = train(data, schedule, device, record)
    record.write(output, accuracy(network, data, device))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
