"""The settings that tuning tries: numbers of latents and weights of the regulariser."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import xarray as xr

from xcebra_nwb.core.config import schema
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.training.design.objectives import resolve
from xcebra_nwb.training.design.split import split_session

FREE = (0, 1, 2, 4, 8)  # latents beside those that the labels need
WEIGHTS = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)  # the paper: 0 to 0.1; more washes the latents out, less than 0.01 is none


@dataclass(frozen=True)
class Grid:
    """The numbers of latents and the weights to try."""

    outputs: tuple[int, ...]
    weights: tuple[float, ...] = WEIGHTS

    def space(self) -> dict[str, Sequence[Any]]:
        """Return the values of each of the two settings."""
        return {"outputs": self.outputs, "weight": self.weights}

    def shuffled(self, seed: int) -> list[tuple[int, float]]:
        """Return all settings in a random order, in which they are tried.

        Any part of them then covers the whole range.

        >>> sorted(Grid((2, 3), (0.0, 0.1)).shuffled(seed=0))
        [(2, 0.0), (2, 0.1), (3, 0.0), (3, 0.1)]
        """
        settings = list(product(self.outputs, self.weights))
        return [settings[i] for i in np.random.default_rng(seed).permutation(len(settings))]


def grid(config: Config, sessions: Sequence[xr.Dataset]) -> Grid:
    """Return the settings to try.

    Objectives that the config lists fix the number of latents; automatic ones do not.

    Args:
        config: the config of the study.
        sessions: session.nc of every session.
    """
    if config.objectives != "auto":
        return Grid((_latents(config, sessions),))
    needed = _latents(tuned(config, 1, 0.0), sessions)
    return Grid(tuple(needed + free for free in FREE))


def _latents(config: Config, sessions: Sequence[xr.Dataset]) -> int:
    """The number of latents of the session that needs the most."""
    return max(resolve(config, session, split_session(session, config))[1] for session in sessions)


def tuned(config: Config, outputs: int, weight: float) -> Config:
    """Return a config with another number of latents and another weight.

    Args:
        config: the config of the study.
        outputs: number of latents; at least as many as the listed objectives need.
        weight: weight of the regulariser.
    """
    content = config.model_dump(mode="json")
    content["encoder"]["outputs"] = outputs
    content["training"]["regularizer"]["weight"] = weight
    return schema.validate(content)
