"""A recording of 8 units and a position, small enough that an encoder learns it within a second.

The encoder has four latents: all of them are trained by time, and the first two by the position too.
"""

from __future__ import annotations

import numpy as np
import torch

from xcebra_nwb.xcebra.architecture import architecture
from xcebra_nwb.xcebra.sampling.label_increments import RecordedIncrements, label_increments
from xcebra_nwb.xcebra.sampling.pairs import NearPairs, TimePairs
from xcebra_nwb.xcebra.sampling.samples import Block, Samples
from xcebra_nwb.xcebra.sampling.windows import successors
from xcebra_nwb.xcebra.trainers import contrastive
from xcebra_nwb.xcebra.trainers.loss import Contrast
from xcebra_nwb.xcebra.trainers.optimize import Options

BINS, UNITS, OUTPUTS = 300, 8, 4
BLOCKS = [Block("time", 0, OUTPUTS), Block("position", 0, 2)]


def recording() -> tuple[torch.Tensor, np.ndarray]:
    """Return the activity (time, unit) of units that follow a walk, and the positions (time, 2)."""
    rng = np.random.default_rng(0)
    position = np.cumsum(rng.normal(size=(BINS, 2)), axis=0)
    activity = np.tanh(position @ rng.normal(size=(2, UNITS)) / 5) + 0.1 * rng.normal(size=(BINS, UNITS))
    return torch.as_tensor(activity, dtype=torch.float32), position


def samples(position: np.ndarray, shifts: list[int], window: int = 1) -> list[Samples]:
    """Return the samples of one member for each of ``shifts``, by which its positions are shifted, in bins."""
    bins = np.arange(window, BINS - window)
    run = np.zeros(len(bins), dtype=np.int64)
    following = successors(run, 1)
    rules = []
    for shift in shifts:
        values = np.roll(position[bins], shift, axis=0)
        steps = label_increments(values, run, 1, circular=False)
        rules.append([TimePairs(following), NearPairs.of(values, RecordedIncrements(steps))])
    return [Samples(bins, np.flatnonzero(following >= 0), rule) for rule in rules]


def options(steps: int, **changes: object) -> Options:
    """Return options of a short training, some of them changed."""
    defaults = {
        "batch_size": 32,
        "learning_rate": 1e-2,
        "contrast": Contrast(),
        "regularizer_weight": 0.1,
        "regularizer_ramp": (0.0, 0.5),
    }
    return Options(steps=steps, **(defaults | changes))


def generators(*seeds: int) -> list[np.random.Generator]:
    """Return a generator of random numbers for each seed."""
    return [np.random.default_rng(seed) for seed in seeds]


def trained(shifts: list[int], seeds: list[int], steps: int = 20, name: str = "mlp", **changes: object):
    """Train one member for each of ``shifts`` and ``seeds`` on the recording."""
    activity, position = recording()
    shape = architecture(name, UNITS, hidden=16, outputs=OUTPUTS)
    generators = [np.random.default_rng(seed) for seed in seeds]
    data = samples(position, shifts, shape.window)
    return contrastive.train(activity, shape, BLOCKS, data, generators, options(steps, **changes))
