"""LLaMA-Factory's YAML: Hugging Face's TrainingArguments, with additions in llamafactory/train/trainer_utils.py.

warmup_stable_decay gets the lengths that lr_scheduler_kwargs lacks: a third of what the warmup leaves is stable.
"""

from __future__ import annotations

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.taken import Taken
from lrcore.trainers import hf

FOLLOWS = "LLaMA-Factory 0.9.5"
FACTS = hf.FACTS


def read(options: Options, facts: Facts) -> Taken:
    """Read the YAML, or the flags of llamafactory-cli."""
    arguments = hf.arguments(options)
    defaults = {}
    if hf.kind_of(arguments) == "warmup_stable_decay":
        total = hf.updates(arguments, facts)
        rest = total - hf.warmup_steps(arguments, facts, total)
        defaults = {"num_stable_steps": rest // 3, "num_decay_steps": rest - rest // 3}
    taken = hf.read_arguments(arguments, facts, defaults)
    groups = hf.lora_groups(arguments, hf.rate(arguments, facts))
    return Taken(taken.schedule, taken.also, {**taken.groups, **groups}, taken.notes)
