"""Confounding: is a label a function of another one? Then nothing in this recording tells their codes apart."""

from __future__ import annotations

import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.session import label_features, labels
from xcebra_nwb.xcebra.decoding import Decoder


def predicted_by_others(
    session: xr.Dataset, bins: NDArray, train: NDArray, test: NDArray
) -> dict[str, dict[str, float]]:
    """Return by label how well it follows from every other label: held-out score, 0 at chance, 1 perfect.

    Args:
        session: the session.
        bins: (sample,) the usable bins, ascending.
        train: numbers of the samples to learn from, ascending.
        test: numbers of samples in held-out stretches.
    """
    found = {name: (label.values[bins], str(label.attrs["kind"])) for name, label in labels(session).items()}
    decoders = {name: Decoder(label_features(*label), train, test) for name, label in found.items()}

    def scores(name: str) -> dict[str, float]:
        values, kind = found[name]
        targets = values if kind == "discrete" else values.reshape(len(bins), -1)
        return {other: decoder.score(targets, kind) for other, decoder in decoders.items() if other != name}

    return {name: scores(name) for name in found}
