"""One schedule of every kind, each of which changes within sixty updates."""

from __future__ import annotations

import lrcore

UPDATES = 60

KINDS: dict[str, lrcore.Schedule] = {
    "constant": lrcore.Constant(0.1),
    "linear": lrcore.Linear(init_value=0.1, end_value=0.003, decay_steps=50),
    "polynomial": lrcore.Polynomial(init_value=0.1, end_value=0.001, decay_steps=47, power=2.5),
    "cosine": lrcore.Cosine(init_value=0.3, end_value=0.01, decay_steps=40).warmup(7),
    "exponential": lrcore.Exponential(init_value=0.1, decay_rate=0.9, decay_steps=3.5),
    "staircase": lrcore.Exponential(init_value=0.1, decay_rate=0.5, decay_steps=10, staircase=True),
    "inverse_time": lrcore.InverseTime(init_value=0.1, power=0.5).warmup(5, shape="cosine"),
    "logistic": lrcore.Logistic(init_value=0.1, end_value=0.002, midpoint=25, decay_steps=4.5),
    "piecewise_constant": lrcore.PiecewiseConstant(boundaries=[10, 11, 50], values=[0.1, 0.05, 0.01, 0.002]),
    "interpolate": lrcore.Interpolate(boundaries=[0, 14.5, 55], values=[0.01, 0.1, 1e-5], shape="cosine"),
    "function": lrcore.Function(lambda step: 0.1 / (step + 3)),
    "join": lrcore.Join([lrcore.Linear(init_value=0.0, end_value=0.1, decay_steps=9), lrcore.Constant(0.07)]),
    "sum": lrcore.Constant(0.01) + lrcore.Linear(init_value=0.1, decay_steps=20),
    "product": lrcore.Linear(init_value=1.0, decay_steps=60) * lrcore.Exponential(init_value=0.1, decay_rate=0.99),
    "clip": lrcore.Clip(lrcore.Exponential(init_value=0.1, decay_rate=0.8), min_value=1e-3),
    "shift": lrcore.Shift(lrcore.Linear(init_value=0.1, decay_steps=70), steps=13),
    "repeat": lrcore.Repeat(lrcore.Cosine(init_value=0.1, end_value=0.001, decay_steps=8), length_factor=2),
    "mirror": lrcore.Repeat(lrcore.Cosine(init_value=0.1, decay_steps=15), mirror=True),
    "every": lrcore.Every(lrcore.Exponential(init_value=0.1, decay_rate=0.7), steps=12),
    "cooldown": lrcore.Constant(0.1).warmup(5).cooldown(steps=20, start=30, end_value=1e-4, shape="1-sqrt"),
}
