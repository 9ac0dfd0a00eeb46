"""The embedding at the usable bins, beside the labels as each encoder saw them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core import members
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN


class Latents:
    """The embedding at the usable bins, and its split.

    Attributes:
        bins: (sample,) the usable bins, ascending.
        values: (member, sample, latent).
        train: numbers of the samples that trained the encoders, ascending.
        test: numbers of the samples held out from training, ascending.
        seeds: numbers of the members trained on the true labels.
    """

    def __init__(self, session: xr.Dataset, training: xr.Dataset, embedding: xr.Dataset) -> None:
        latents = embedding["embedding"]
        self.bins = np.flatnonzero(np.isfinite(latents[0].values).all(axis=1))
        self.values = np.empty((len(latents), len(self.bins), latents.shape[2]), latents.dtype)
        for member, rows in enumerate(self.values):  # one at a time: the file may be larger than memory
            rows[:] = latents[member].values[self.bins]
        split = training["split"].values[self.bins]
        self.train, self.test = np.flatnonzero(split == TRAIN), np.flatnonzero(split == HELD_OUT)
        self.seeds = members.seeds(training)
        self._session, self._training = session, training

    def nulls(self, name: str) -> list[int]:
        """Return the numbers of the members that are nulls of the label."""
        return members.nulls(self._training, name)

    def label(self, name: str, member: int) -> NDArray:
        """Return the label as the member saw it: (sample, axis), or codes (sample,)."""
        values = members.seen_label(self._session, self._training, name, member)[self.bins]
        return values if values.dtype.kind in "iu" else values.reshape(len(values), -1)
