"""What an estimator keeps of a training: the encoders, the latents and the labels, as plain arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.api.labels import UserLabel
from xcebra_nwb.core import members
from xcebra_nwb.core.activity import Moments, fill_standardized, input_type
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.core.session import labels as labels_of
from xcebra_nwb.xcebra.decoding import decoding_score
from xcebra_nwb.xcebra.sampling.windows import usable_bins

Layers = list[tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True)
class Fitted:
    """The encoders of the seeds, and what they were trained on.

    Attributes:
        architecture: The architecture of the encoders.
        layers: Weights and biases of all seeds.
        units: Columns of the activity that are used, (unit,).
        treatment: Attributes of the activity: smoothing in s, and whether it is standardised.
        bin_width: Width of a bin in s.
        moments: Mean and deviation of each unit, by which new activity is standardised.
        blocks: First latent of each label, and the one after its last.
        kinds: Kind of each label.
        classes: Names of the classes of the discrete labels.
        embedding: Latents of each seed, (seed, time, latent).
        labels: Values of each label, (time, axis), or codes (time,).
    """

    architecture: Any
    layers: Layers
    units: NDArray[np.int64]
    treatment: Mapping[str, Any]
    bin_width: float
    moments: Moments
    blocks: Mapping[str, tuple[int, int]]
    kinds: Mapping[str, str]
    classes: Mapping[str, tuple[str, ...]]
    embedding: NDArray[np.float32]
    labels: Mapping[str, NDArray[Any]]

    @classmethod
    def of(cls, session: xr.Dataset, directory: Path) -> Fitted:
        """Return what to keep of a training.

        Args:
            session: The session dataset.
            directory: Its results folder.
        """
        import torch

        from xcebra_nwb.training.files import load_model

        training = load_dataset(directory / "training.nc")
        embedding = load_dataset(directory / "embedding.nc")
        seeds = members.seeds(training)
        shape, layers = load_model(directory / "model.safetensors", torch.device("cpu"))
        values = np.empty(session["activity"].shape, dtype=input_type(session))
        return cls(
            architecture=shape,
            layers=[(weight[seeds].numpy(), bias[seeds].numpy()) for weight, bias in layers],
            units=session["row"].values.astype(np.int64),
            treatment=dict(session["activity"].attrs),
            bin_width=float(session.attrs["bin_width"]),
            moments=fill_standardized(session, values),
            blocks=members.blocks(training),
            kinds={name: str(label.attrs["kind"]) for name, label in labels_of(session).items()},
            classes=classes_of(session),
            embedding=embedding["embedding"].values[seeds],
            labels={name: _columns(label.values) for name, label in labels_of(session).items()},
        )

    def latents(self, activity: NDArray[Any], segments: Any, threads: int) -> NDArray[np.float32]:
        """Return the latents of new activity, (seed, time, latent); NaN where no window fits.

        Args:
            activity: Activity (time, unit) of all units of the fit.
            segments: Number of the segment of each bin, shape (time,); None: one segment.
            threads: CPU threads.
        """
        import torch

        from xcebra_nwb.xcebra.encoder import embed

        session = self._session(activity, segments)
        values = np.empty(session["activity"].shape, dtype=input_type(session))
        fill_standardized(session, values, self.moments)
        usable = np.flatnonzero(usable_bins(session["segment"].values, self.architecture.window))
        layers = [(torch.from_numpy(weight), torch.from_numpy(bias)) for weight, bias in self.layers]
        found = np.full((len(self.embedding), len(values), self.architecture.outputs), np.nan, dtype=np.float32)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            found[:, usable] = embed(self.architecture, layers, _Rows(values), usable)
        finally:
            torch.set_num_threads(before)
        return found

    def _session(self, activity: NDArray[Any], segments: Any) -> xr.Dataset:
        """Return a session dataset of new activity, as far as the encoder input needs one."""
        values = activity[:, self.units].astype(np.float32)
        numbers = np.zeros(len(values), dtype=np.int64) if segments is None else np.asarray(segments, dtype=np.int64)
        return xr.Dataset(
            {
                "activity": (("time", "unit"), values, dict(self.treatment)),
                "valid": ("time", numbers >= 0),
                "segment": ("time", numbers),
            },
            attrs={"bin_width": self.bin_width},
        )

    def score(self, name: str, values: NDArray[Any], latents: NDArray[np.float32]) -> float:
        """Return how well a label of new bins is decoded, by the bins of the fit; the mean over seeds.

        Args:
            name: Name of the label.
            values: Its values in the new bins, (time, axis), or codes (time,).
            latents: Latents of the new bins, (seed, time, latent).
        """
        kind, (first, last), own = self.kinds[name], self.blocks[name], self.labels[name]
        scores = []
        for fitted, new in zip(self.embedding, latents, strict=True):
            both = np.concatenate([fitted[:, first:last], new[:, first:last]])
            target = np.concatenate([own, values.astype(own.dtype)])
            known = np.isfinite(both).all(axis=1) & (
                target >= 0 if kind == "discrete" else np.isfinite(target).all(axis=1)
            )
            train, test = np.flatnonzero(known[: len(fitted)]), np.flatnonzero(known[len(fitted) :]) + len(fitted)
            scores.append(decoding_score(both, target, train, test, kind))
        return float(np.mean(scores))


class _Rows:
    """An encoder input in memory."""

    def __init__(self, values: NDArray[Any]) -> None:
        import torch

        self._values = torch.from_numpy(values)
        self.device, self.shape = self._values.device, self._values.shape

    def index_select(self, dim: int, index: Any) -> Any:
        return self._values.index_select(dim, index).float()


def classes_of(session: xr.Dataset) -> dict[str, tuple[str, ...]]:
    """Return the names of the classes of every discrete label of a session."""
    discrete = {name: label for name, label in labels_of(session).items() if label.attrs["kind"] == "discrete"}
    return {name: tuple(json.loads(label.attrs["classes"])) for name, label in discrete.items()}


def values_of(label: UserLabel, fitted: Fitted, bins: int) -> NDArray[Any]:
    """Return the values of a label of new bins in the form of the fitted ones: (time, axis), or codes (time,).

    Args:
        label: The label.
        fitted: What was fitted.
        bins: Number of new bins.

    Raises:
        UsageError: It was not fitted, is of another kind, or has not a value for each bin.
    """
    if label.name not in fitted.kinds:
        raise UsageError(f"label {label.name}: it was not fitted", f"one of: {', '.join(fitted.kinds)}")
    kind = fitted.kinds[label.name]
    values = label.values
    if values is None or len(values) != bins or (kind == "discrete") != (label.kind == "discrete"):
        raise UsageError(f"label {label.name}: not {bins:,} values of the kind {kind}", "give it as at fit")
    if kind != "discrete":
        return _columns(values)
    place = {name: code for code, name in enumerate(fitted.classes[label.name])}
    codes = np.array([*(place.get(name, -1) for name in label.classes), -1])
    return np.asarray(codes[values])


def _columns(values: NDArray[Any]) -> NDArray[Any]:
    return values.astype(np.int64) if values.dtype.kind in "iu" else values.astype(np.float64).reshape(len(values), -1)
