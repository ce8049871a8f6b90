"""The training of `examples/` by hand: no framework, derivatives written out, float64 except for the learning rate."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import digits
import lrcore
from record import Record

loaded = lrcore.load(Path(digits.__file__).with_name("schedule.toml"))
assert isinstance(loaded, lrcore.Schedule)
SCHEDULE = loaded


def small_digits(epochs: int) -> digits.Digits:
    """An invented task in the form of the digits: mostly dark images, two batches an epoch, linearly separable classes."""
    random = np.random.default_rng(1)
    images = (random.uniform(size=(2 * digits.BATCH_SIZE, 64)) ** 4).astype(np.float32)
    labels = (images @ random.normal(size=(64, digits.CLASSES))).argmax(axis=1)
    return digits.make(images, labels, images[:50], labels[:50], epochs)


def train(data: digits.Digits, output: Path) -> None:
    """Train as the scripts do, and leave the same file behind."""
    record = Record("numpy", np.__version__, "cpu", data.updates)
    (hidden_weight, hidden_bias), (output_weight, output_bias) = (
        (weight.astype(float), bias.astype(float)) for weight, bias in data.layers
    )
    for step, (images, labels) in enumerate(data.training_batches()):
        rate = np.float32(SCHEDULE(step))
        hidden = np.tanh(images @ hidden_weight + hidden_bias)
        logits = hidden @ output_weight + output_bias
        right = np.eye(digits.CLASSES)[labels]
        exponentials = np.exp(logits)
        totals = exponentials.sum(axis=1, keepdims=True)
        loss = np.mean(np.log(totals[:, 0]) - logits[right == 1])
        logits_gradient = (exponentials / totals - right) / len(labels)
        hidden_gradient = logits_gradient @ output_weight.T * (1 - hidden**2)
        output_weight -= rate * (hidden.T @ logits_gradient)
        output_bias -= rate * logits_gradient.sum(axis=0)
        hidden_weight -= rate * (images.T @ hidden_gradient)
        hidden_bias -= rate * hidden_gradient.sum(axis=0)
        record.update(learning_rate=float(rate), adapter_learning_rate=SCHEDULE(step), loss=float(loss))
    read = (np.tanh(data.test_images @ hidden_weight + hidden_bias) @ output_weight + output_bias).argmax(axis=1)
    record.write(output, accuracy=float((read == data.test_labels).mean()))
