"""The pieces of work of the speed benchmark, and their data."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import Literal, get_args

import numpy as np

from xcebra_nwb.attribution.map_bins import AUTO
from xcebra_nwb.benchmark.arrays import session_of
from xcebra_nwb.benchmark.case import Task
from xcebra_nwb.benchmark.simulate.two_populations import truncated_walk
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.schema import Method

LATENTS, STEP, NOISE = 6, 0.1, 0.1  # of the walk that the units see, and of what they add
LABEL = "position"  # one axis of the walk


@dataclass(frozen=True)
class Work:
    """A training or an attribution, by default the standard one."""

    kind: Literal["training", "attribution"] = "training"
    bins: int = 20_000
    units: int = 50
    outputs: int = 6
    batch: int = 512
    members: int = 1
    architecture: Literal["mlp", "conv10"] = "mlp"
    hidden: int = 64
    method: str = "inverted_neuron_gradient"
    sampled: int = 0  # number of bins that a map is of; 0: of all
    peer: bool = True  # whether CEBRA does the same

    @property
    def name(self) -> str:
        """The work in a few words."""
        encoder = f"{self.architecture} {self.hidden}"
        if self.kind == "attribution":
            sample = f", {self.sampled:,} sampled bins" if self.sampled else ""
            return f"{self.method.replace('_', ' ')}, {encoder}{sample}"
        return f"training, {encoder}, batch {self.batch}, members {self.members}"

    @property
    def share(self) -> float:
        """The share of the bins that a map is computed of.

        >>> ATTRIBUTION.share, replace(ATTRIBUTION, sampled=AUTO).share
        (1.0, 0.2)
        """
        return min(1.0, self.sampled / self.bins) if self.sampled else 1.0

    @cached_property
    def task(self) -> Task:
        """The session and how to train on it.

        Time is on all latents, a label on three, and the regulariser is always on.
        """
        generator = np.random.default_rng([self.bins, self.units])
        walk = truncated_walk(self.bins, np.full(LATENTS, STEP), generator)
        activity = np.tanh(walk @ generator.normal(size=(LATENTS, self.units)))
        activity += NOISE * generator.standard_normal(activity.shape)
        time = {"name": "time", "outputs": [0, self.outputs], "positive": "time"}
        label = {"name": LABEL, "outputs": [0, 3], "positive": "time_delta", "label": LABEL}
        training = {
            "optimizer": "adam",
            "batch_size": self.batch,
            "seeds": self.members,
            "nulls": 0,
            "held_out": 0.01,
            "held_out_blocks": 1,
        }
        encoder = {"architecture": self.architecture, "hidden": self.hidden, "outputs": self.outputs}
        config = schema.validate({"encoder": encoder, "objectives": [time, label], "training": training})
        return Task(session_of(activity, {LABEL: walk[:, :1]}), config, {})


TRAINING, ATTRIBUTION = Work(), Work(kind="attribution")
OF_CONV10 = replace(ATTRIBUTION, architecture="conv10")
CONV10 = replace(TRAINING, architecture="conv10", units=64)
SAMPLES = (AUTO, 1000)  # the default, and a map to 1 %
LIKE_THE_PEER = 180  # width of the peer's mlp on 50 units (with 52,986 weights; ours has then 75,000)


def works(size: str, device: str = "cpu") -> list[Work]:
    """Return the pieces of work of a benchmark; one axis changes at a time.

    Args:
        size: quick, reduced or full.
        device: cpu or cuda.

    >>> works("quick")[0].name
    'training, mlp 64, batch 64, members 1'
    """
    if size == "quick":
        small = Work(bins=2_000, units=10, batch=64)
        return [small, *(replace(small, kind="attribution", method=m, peer=m in OF_PEER) for m in get_args(Method))]
    most = 1_000_000 if size == "full" else 200_000
    training = [
        TRAINING,
        *(replace(TRAINING, bins=n, peer=n <= 200_000) for n in (200_000, 1_000_000) if n <= most),
        replace(TRAINING, hidden=LIKE_THE_PEER),
        replace(TRAINING, units=300),
        replace(TRAINING, outputs=14),
        replace(TRAINING, batch=2048),
        replace(TRAINING, members=8),
        replace(TRAINING, architecture="conv10"),
        *([replace(TRAINING, members=32), CONV10, replace(CONV10, members=32)] if device == "cuda" else []),
    ]
    attribution = [
        ATTRIBUTION,
        OF_CONV10,
        *(replace(work, sampled=sampled) for work, sampled in product((ATTRIBUTION, OF_CONV10), SAMPLES)),
        *(replace(ATTRIBUTION, units=units) for units in (20, 200, 2000)),
        *(replace(ATTRIBUTION, bins=n, peer=False) for n in (200_000, 1_000_000) if n <= most),
        replace(ATTRIBUTION, outputs=14, units=400, architecture="conv10"),
    ]
    others = [method for method in get_args(Method) if method != ATTRIBUTION.method]
    return [*training, *attribution, *(replace(ATTRIBUTION, method=m, peer=m in OF_PEER) for m in others)]


OF_PEER = ("inverted_neuron_gradient", "inverted_neuron_gradient_plain", "neuron_gradient")  # it makes all at once
