"""Train the digits network with JAX and optax: lrcore_optax.as_schedule is the learning rate of optax.sgd, jitted.

python examples/train_optax.py build/demo/optax.json
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax

import digits
import lrcore
import lrcore_optax
from record import Record

Parameters = dict[str, Any]


def train(data: digits.Digits, schedule: lrcore.Schedule, record: Record) -> Parameters:
    """Make one update per batch, each with the learning rate of the schedule."""
    learning_rate = lrcore_optax.as_schedule(schedule)
    optimizer = optax.sgd(learning_rate)
    parameters = with_probe(first_parameters(data))
    state = optimizer.init(parameters)

    @jax.jit
    def update(
        parameters: Parameters, state: Any, images: jax.Array, labels: jax.Array
    ) -> tuple[Parameters, Any, jax.Array]:
        loss, gradients = jax.value_and_grad(probed_loss)(parameters, images, labels)
        changes, state = optimizer.update(gradients, state, parameters)
        return optax.apply_updates(parameters, changes), state, loss

    for step, (images, labels) in enumerate(data.training_batches()):
        parameters, state, loss = update(parameters, state, images, labels)
        record.update(
            learning_rate=measured_learning_rate(parameters),
            adapter_learning_rate=float(learning_rate(step)),
            loss=float(loss),
        )
        parameters = with_probe(parameters)
    return parameters


def first_parameters(data: digits.Digits) -> Parameters:
    """The first weights that all frameworks share."""
    (hidden_weight, hidden_bias), (output_weight, output_bias) = data.layers
    return {
        "hidden": {"weight": jnp.asarray(hidden_weight), "bias": jnp.asarray(hidden_bias)},
        "output": {"weight": jnp.asarray(output_weight), "bias": jnp.asarray(output_bias)},
    }


def network(parameters: Parameters, images: jax.Array) -> jax.Array:
    """The logits of each image."""
    hidden = jnp.tanh(images @ parameters["hidden"]["weight"] + parameters["hidden"]["bias"])
    return hidden @ parameters["output"]["weight"] + parameters["output"]["bias"]


def cross_entropy(parameters: Parameters, images: jax.Array, labels: jax.Array) -> jax.Array:
    """The mean loss of a batch."""
    return optax.softmax_cross_entropy_with_integer_labels(network(parameters, images), labels).mean()


def with_probe(parameters: Parameters) -> Parameters:
    """Add, or set back to 0, a parameter that measures: 0 before every update, gradient 1, so SGD moves it by -learning rate."""
    return parameters | {"probe": jnp.float32(0.0)}


def probed_loss(parameters: Parameters, images: jax.Array, labels: jax.Array) -> jax.Array:
    """The loss that is minimised: the probe, which is 0, adds nothing to it but its own gradient."""
    return cross_entropy(parameters, images, labels) + parameters["probe"]


def measured_learning_rate(parameters: Parameters) -> float:
    """The learning rate of the update just made."""
    return 0.0 - float(parameters["probe"])


def accuracy(parameters: Parameters, data: digits.Digits) -> float:
    """The share of the test images that are read correctly."""
    read = jax.device_get(network(parameters, jnp.asarray(data.test_images)).argmax(axis=1))
    return float((read == data.test_labels).mean())


def main(output: Path) -> None:
    """Train, and write what was measured to `output`; the digits lie beside it."""
    data = digits.load(output.with_name("digits.npz"))
    schedule = lrcore.load(Path(__file__).with_name("schedule.toml"))
    assert isinstance(schedule, lrcore.Schedule)  # a file with a table `plateau` gives a lrcore.Plateau
    version = f"{optax.__version__} on jax {jax.__version__}"
    record = Record("optax", version, jax.devices()[0].device_kind, data.updates)
    parameters = train(data, schedule, record)
    record.write(output, accuracy(parameters, data))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
