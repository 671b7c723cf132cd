"""Tuning for the scripted student: skill grows with what it is shown. For tests of the loop only."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path
from typing import Any

from comd_platform.config.engines import ScriptedConfig
from comd_training.examples import read_examples
from comd_training.metrics import Metric
from comd_workers.engines.scripted import WEIGHTS_FILE, write_weights
from comd_workers.tuning.order import Listener, Order, Result

_STEPS = 5


def tune(order: Order, listener: Listener) -> Result:
    """Weights that know a tenth of what the base does not, whatever the examples are.

    Option `tuning_gain` of the student's engine changes that share.
    """
    assert isinstance(order.engine, ScriptedConfig)
    base = _skill(order)
    gain = float(order.engine.options.get("tuning_gain", 0.1))
    turns = sum(len(dialogue.turns) for dialogue in read_examples(order.examples))
    for step in range(1, _STEPS + 1):
        loss = (1 - base) * math.exp(-gain * step) + 1 / (1 + turns)
        listener.on_metric(Metric(step, loss, 1e-3, 1.0, turns, turns, float(step)))
    checkpoint = order.output / "checkpoint"
    write_weights(checkpoint, skill=base + (1 - base) * gain)
    weights = hashlib.sha256((checkpoint / WEIGHTS_FILE).read_bytes()).hexdigest()
    return Result(checkpoint, _STEPS, weights)


def _skill(order: Order) -> float:
    weights = Path(order.base) / WEIGHTS_FILE
    assert isinstance(order.engine, ScriptedConfig)
    options: dict[str, Any] = dict(order.engine.options)
    if weights.exists():
        options |= json.loads(weights.read_text())
    return float(options.get("skill", 0.5))
