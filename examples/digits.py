"""The task that every training script shares: scikit-learn's handwritten digits and a small network to read them.

    python examples/digits.py build/demo/digits.npz

makes the file that all the scripts read. Images, first weights and the order of the batches are drawn once, here, so that
every framework starts from the same bits and sees the same batches, and only this step needs scikit-learn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

HIDDEN = 32
CLASSES = 10
TRAINING_IMAGES = 1440
BATCH_SIZE = 96
EPOCHS = 32
SEED = 20


@dataclass(frozen=True)
class Digits:
    """Images with 64 grey values in 0..1 each, their digits, and what training starts from.

    A weight matrix has one row per input and one column per output. Each row of `batches` holds the numbers of the
    training images that one update sees.
    """

    train_images: Floats
    train_labels: Integers
    test_images: Floats
    test_labels: Integers
    hidden_weight: Floats
    hidden_bias: Floats
    output_weight: Floats
    output_bias: Floats
    batches: Integers

    @property
    def updates(self) -> int:
        return len(self.batches)

    @property
    def layers(self) -> tuple[tuple[Floats, Floats], tuple[Floats, Floats]]:
        """First weight and bias of each layer."""
        return (self.hidden_weight, self.hidden_bias), (self.output_weight, self.output_bias)

    def training_batches(self) -> Iterator[tuple[Floats, Integers]]:
        """The images and labels of each update, in the order of the updates."""
        for batch in self.batches:
            yield self.train_images[batch], self.train_labels[batch]

    def save(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, **asdict(self))


def load(path: Path) -> Digits:
    """Read what `python examples/digits.py` wrote."""
    if not path.is_file():
        raise SystemExit(f"{path}: no such file; make it with: python examples/digits.py {path}")
    with np.load(path) as arrays:
        return Digits(**arrays)


def make(images: Floats, labels: Integers, test_images: Floats, test_labels: Integers, epochs: int = EPOCHS) -> Digits:
    """Draw the first weights and shuffle the batches of every epoch.

    The network's hidden layer is a tanh: near the kink of a ReLU a rounding error becomes a different gradient, and the
    frameworks' losses would drift apart for that reason alone.
    """
    random = np.random.default_rng(SEED)
    inputs = images.shape[1]
    batches_per_epoch = len(images) // BATCH_SIZE
    order = np.stack([random.permutation(len(images)) for _ in range(epochs)])
    return Digits(
        train_images=images,
        train_labels=labels,
        test_images=test_images,
        test_labels=test_labels,
        hidden_weight=_lecun_normal(random, inputs, HIDDEN),
        hidden_bias=np.zeros(HIDDEN, np.float32),
        output_weight=_lecun_normal(random, HIDDEN, CLASSES),
        output_bias=np.zeros(CLASSES, np.float32),
        batches=order[:, : batches_per_epoch * BATCH_SIZE].reshape(-1, BATCH_SIZE),
    )


def _lecun_normal(random: np.random.Generator, inputs: int, outputs: int) -> Floats:
    return random.normal(0.0, np.sqrt(1.0 / inputs), (inputs, outputs)).astype(np.float32)


def scans() -> tuple[Floats, Integers, Floats, Integers]:
    """Scikit-learn's 1797 scanned digits: images and labels to train with, images and labels to test with."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    split = train_test_split(images, labels, train_size=TRAINING_IMAGES, stratify=labels, random_state=SEED)
    train_images, test_images, train_labels, test_labels = split
    grey = np.float32(1 / 16)
    return (
        train_images.astype(np.float32) * grey,
        train_labels.astype(np.int64),
        test_images.astype(np.float32) * grey,
        test_labels.astype(np.int64),
    )


if __name__ == "__main__":
    make(*scans()).save(Path(sys.argv[1]))
