"""The trainers by name, and `from_trainer`, which takes the schedule of a trainer's configuration."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from lrcore.configs.facts import Facts
from lrcore.configs.options import Options
from lrcore.configs.source import read_source
from lrcore.configs.taken import Taken
from lrcore.errors import ScheduleError
from lrcore.hints import did_you_mean
from lrcore.records import short
from lrcore.runs.run import Run, layered

TRAINERS = {
    "hf": "Hugging Face Trainer, trl: TrainingArguments",
    "llama_factory": "LLaMA-Factory: its YAML",
    "axolotl": "axolotl: its YAML",
    "torchtune": "torchtune: the recipe's YAML",
    "deepspeed": "DeepSpeed: ds_config.json",
    "megatron": "Megatron-LM: the flags of its scripts",
    "gpt_neox": "gpt-neox: its YAML",
    "timm": "timm: args.yaml, or the arguments of create_scheduler_v2",
    "mmengine": "mmengine: param_scheduler",
    "mmcv": "mmcv 1.x: lr_config",
    "detectron2": "Detectron2: SOLVER",
    "composer": "composer, llm-foundry: the YAML's scheduler",
    "nemo": "NeMo: model.optim.sched",
    "torchtitan": "torchtitan: lr_scheduler",
    "olmo_core": "OLMo-core: the scheduler of the optimizer's or trainer's configuration",
    "olmo": "OLMo: the YAML's scheduler",
    "fairseq": "fairseq: lr_scheduler, as flags or YAML",
    "levanter": "levanter: the YAML's optimizer",
    "ultralytics": "Ultralytics YOLO: args.yaml",
    "paddledetection": "PaddleDetection: LearningRate",
    "paddleclas": "PaddleClas: Optimizer.lr",
    "paddlenlp": "PaddleNLP: TrainingArguments",
    "big_vision": "big_vision: config.schedule",
    "scenic": "scenic: lr_configs",
    "t5x": "t5x: create_learning_rate_scheduler",
    "tf_models": "TensorFlow Model Garden: optimizer_config",
    "espnet": "ESPnet 2: scheduler and scheduler_conf",
    "speechbrain": "SpeechBrain: lr_annealing of hparams",
    "wenet": "WeNet: scheduler and scheduler_conf",
    "icefall": "icefall: Eden",
    "thinc": "thinc, spaCy: training.optimizer.learn_rate",
    "swin": "Swin Transformer: TRAIN",
    "mae": "MAE: its flags",
    "dino": "DINO, BEiT, ConvNeXt: their flags",
    "torchvision": "torchvision's references: their flags",
    "nanogpt": "nanoGPT: its variables",
    "darknet": "darknet: the [net] of a .cfg",
    "caffe": "Caffe: solver.prototxt",
}
"""Each name is a module of this package: `read` makes a `Taken` of options and facts, `FACTS` says which facts it takes,
`FOLLOWS` which version it follows; `READERS` has readers of the trainer's own files, by suffix, and `LIST` is the option that a
bare list is.
"""

_UNMERGED = ("_BASE_", "_base_", "__base__", "BASE")


def from_trainer(trainer: str, source: Any, *, run: Run | Mapping[str, Any] | None = None, **facts: Any) -> Taken:
    """The schedule that a trainer's own configuration gives, exact at every update of the run, or refused.

    Args:
        trainer: its name: hf, deepspeed, megatron, timm, ...; `lrcore convert --list` has all.
        source: the configuration: the path of a file, a dict, a namespace, a dataclass, or flags as a list or one text. Python,
            gin and shell files are never executed: hand over the resolved dict or the flags.
        run: what is known of the run, as a `Run` or a dict of its arguments: the lengths that the configuration lacks.
        **facts: what it lacks besides: `lr`, the optimizer's rate, and what an error asks for by name.

    Returns:
        A `Taken`: `.schedule`, `.also`, `.groups` and `.notes`.

    Raises:
        ScheduleError: an unknown trainer or fact; a wrong or missing option; an option that has no equal.

    Example:
        >>> scheduler = {"type": "WarmupLR", "params": {"warmup_num_steps": 100, "warmup_type": "linear"}}
        >>> from_trainer("deepspeed", {"scheduler": scheduler}, lr=1e-3).schedule
        Shift(schedule=Constant(value=0.001).warmup(steps=100), steps=-1)
    """
    module = _module(trainer)
    lengths = Run() if run is None else layered(run, None)
    config, file = read_source(source, trainer, getattr(module, "READERS", None))
    if isinstance(config, list):
        config = {_list_name(module, trainer): config}
    for key in _UNMERGED:
        if config.get(key):
            raise ScheduleError(
                file, f"expected a merged configuration; got {key} = {short(config[key])}; merge it first"
            )
    for fact in facts:
        if fact not in module.FACTS:
            known = ", ".join(module.FACTS) or "none"
            near = did_you_mean(fact, module.FACTS)
            raise ScheduleError(trainer, f"expected facts out of: {known}; got {fact!r}{near}")
    options, given = Options(config, file), Facts(facts, lengths, trainer)
    taken: Taken = module.read(options, given)
    return _with_notes(taken, options, given.own())


def follows(trainer: str) -> str:
    """The version of the trainer that its importer follows."""
    return str(_module(trainer).FOLLOWS)


def _module(trainer: str) -> ModuleType:
    if trainer not in TRAINERS:
        near = did_you_mean(trainer, TRAINERS)
        raise ScheduleError("trainer", f"expected one of {', '.join(TRAINERS)}; got {short(trainer)}{near}")
    return import_module(f"lrcore.trainers.{trainer}")


def _list_name(module: ModuleType, trainer: str) -> str:
    if not hasattr(module, "LIST"):
        raise ScheduleError(trainer, "expected a table of options; got a list")
    return str(module.LIST)


def _with_notes(taken: Taken, options: Options, facts: Options) -> Taken:
    notes = list(taken.notes)
    if unused := options.unused():
        notes.append(f"Not used: {', '.join(unused)}.")
    if unused := facts.unused():
        notes.append(f"Not used, since the configuration says it: {', '.join(unused)}.")
    return Taken(taken.schedule, taken.also, taken.groups, tuple(notes))
