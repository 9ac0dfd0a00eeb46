"""Confounding: is a label a function of another one? Then nothing in this recording tells their codes apart."""

from __future__ import annotations

import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.decoding import decoding_score, label_features
from xcebra_nwb.session import labels


def predicted_by_others(
    session: xr.Dataset, name: str, bins: NDArray, train: NDArray, test: NDArray
) -> dict[str, float]:
    """Return how well the label ``name`` follows from every other label: held-out score, 0 at chance, 1 perfect.

    Args:
        session: the session.
        name: the label that is predicted.
        bins: (sample,) the usable bins, ascending.
        train: numbers of the samples to learn from, ascending.
        test: numbers of samples in held-out stretches.
    """
    found = labels(session)
    kind, values = str(found[name].attrs["kind"]), found[name].values[bins]
    targets = values if kind == "discrete" else values.reshape(len(bins), -1)
    features = {other: label_features(v.values[bins], str(v.attrs["kind"])) for other, v in found.items()}
    return {o: decoding_score(f, targets, train, test, kind) for o, f in features.items() if o != name}
