"""levanter's lr_scheduler, asked for each update as optax does inside its optimizer: in float32."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from tests.trainers.live.native import Native
from tests.trainers.live.sources import loaded, stub, unpacked
from tests.trainers.records import Given

RELEASE = "1.2.dev1644"
VERSION = f"levanter {RELEASE}"


def runs(random: Random) -> Iterator[Native]:
    import jax
    import numpy as np

    config = _module()
    while True:
        for kind in ("cosine", "linear", "constant", "inv", "inv_sqrt", "power"):
            total, options = random.randint(50, 600), _options(random)
            schedule = _table(random, kind)
            own = (
                schedule if isinstance(schedule, str) else config.LrSchedule.known[schedule["type"]](**_rest(schedule))
            )
            native = config.AdamConfig(lr_schedule=own, **options).lr_scheduler(total)
            values = np.asarray(jax.vmap(native)(np.arange(total, dtype=np.int32)), dtype=np.float64)
            source = {"optimizer": {"type": "adam", "lr_schedule": schedule, **options}, "num_train_steps": total}
            yield Native(kind, Given("levanter", source, float32=True), values.tolist())


def _rest(table: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in table.items() if name != "type"}


def _table(random: Random, kind: str) -> Any:
    """The name, or a table with its own options."""
    if kind == "power":
        sizes = {"batch_size": random.choice([8, 64]), "seq_length": random.choice([64, 1024])}
        # A steeper power magnifies what 32 bits leave of the tokens, to 2.9e-7 of the peak at -0.9.
        return {"type": kind, **sizes, "a": random.choice([4.6, 0.5]), "b": random.choice([-0.51, -0.3])}
    own = {"cosine": {"exponent": 2.0}, "inv_sqrt": {"timescale": random.choice([10, 33.5, 200])}}.get(kind, {})
    return {"type": kind, **own} if random.random() < 0.5 or kind == "inv_sqrt" else kind


def _options(random: Random) -> dict[str, Any]:
    options: dict[str, Any] = {
        "learning_rate": random.choice([1e-3, 0.1]),
        "min_lr_ratio": random.choice([0.1, 0.5]),
        "warmup": random.choice([0.0, 0.01, 0.1, 5]),
        "rewarmup": random.choice([0.0, 0.1, 3]),
        "decay": random.choice([None, 0.2, 0.5, 7]),
        "cooldown": random.choice([None, None, 0.1]),
    }
    cycles = random.choice(["none", "count", "list", "length", "lengths"])
    lengths: dict[str, dict[str, Any]] = {
        "none": {},
        "count": {"cycles": random.choice([2, 3])},
        "list": {"cycles": [15, 40]},
        "length": {"cycle_length": random.choice([17, 0.4])},
        "lengths": {"cycle_length": [12, 20]},
    }
    return options | lengths[cycles]


def _module() -> Any:
    folder = unpacked(f"levanter=={RELEASE}")
    [path] = folder.glob("**/levanter/optim/config.py")

    class Registry:
        known: dict[str, Any]

        def __init_subclass__(cls) -> None:
            cls.known = getattr(cls, "known", {})

        @classmethod
        def register_subclass(cls, name: str) -> Any:
            return lambda found: cls.known.setdefault(name, found)

    stub("draccus", ChoiceRegistry=Registry)
    stub("equinox")
    stub("haliax")
    for name in ("levanter", "levanter.optim", "levanter.utils", "levanter.tracker"):
        stub(name)
    stub("levanter.optim.clip_update_norm", ClipUpdateNormConfig=None)
    stub("levanter.optim.skipstep", SkipStepConfig=int)
    stub("levanter.optim.mup", scale_by_mup_lr=None)
    stub("levanter.optim.util", log_norm_passthrough=None, scan_aware_clip_by_block_rms=None)
    stub("levanter.utils.jax_utils", leaf_key_paths=None)
    return loaded(path, "levanter_config")
