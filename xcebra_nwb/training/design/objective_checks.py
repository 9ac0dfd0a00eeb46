"""Check that the objectives of a session fit its labels: kinds, values and blocks of latents."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective, Rule
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import class_codes, label_axes, labels

KINDS: dict[Rule, tuple[str, ...]] = {  # kinds of label that a rule can read
    "time_delta": ("continuous", "circular"),
    "delta_normal": ("continuous",),
    "delta_vmf": ("circular", "continuous"),
    "discrete": ("discrete",),
    "mixed": ("continuous", "circular"),
}
UNIT_LENGTH = 0.1  # tolerance of a unit vector's length: the mean over a bin is a little shorter than 1
LEAST_VALUES = 3  # fewest distinct values of a continuous or circular label; a label of two values is discrete
LEAST_CLASS_BINS = 5  # fewest bins of a class that can be trained on


def check_rule(objective: Objective, session: xr.Dataset) -> None:
    """Raise :class:`UsageError` unless an objective's rule can read its labels.

    Also raised if the session lacks one of the labels.
    """
    by_name = labels(session)
    for name in objective.labels:
        if name not in by_name:
            raise UsageError(f"objective {objective.name}: no label {name}", f"labels: {', '.join(by_name)}")
    if objective.label is not None:
        label = by_name[objective.label]
        for rule in (objective.positive, objective.steps):
            _check_kind(objective, rule, str(label.attrs["kind"]))
        if objective.steps == "delta_vmf" and label.attrs["kind"] == "continuous":
            _check_directions(objective, label, session["valid"].values)
    if objective.within is not None and by_name[objective.within].attrs["kind"] != "discrete":
        raise UsageError(
            f"objective {objective.name}: `within` names classes, and {objective.within} is "
            f"{by_name[objective.within].attrs['kind']}",
            "within: a discrete label",
        )


def _check_kind(objective: Objective, rule: Rule, kind: str) -> None:
    if kind not in KINDS[rule]:
        able = [known for known, kinds in KINDS.items() if kind in kinds]
        key = "step" if rule != objective.positive else "positive"
        raise UsageError(
            f"objective {objective.name}: {rule} positives cannot read the {kind} label {objective.label}",
            f"{key}: {' or '.join(able if key == 'positive' else [r for r in able if r != 'mixed'])}",
        )


def _check_directions(objective: Objective, label: xr.DataArray, valid: NDArray[np.bool_]) -> None:
    if label.ndim < 2 or label.shape[1] < 2:
        raise UsageError(
            f"objective {objective.name}: delta_vmf positives read angles or unit vectors, and {objective.label} is "
            "one number a bin",
            f"labels: {{{objective.label}: {{kind: circular}}}} if it is an angle, else positive: delta_normal",
        )
    length = np.linalg.norm(label.values[valid], axis=1)
    if np.abs(length - 1).max() > UNIT_LENGTH:
        raise UsageError(
            f"objective {objective.name}: delta_vmf positives read directions, and the vectors of {objective.label} "
            f"have lengths from {length.min():.3g} to {length.max():.3g}",
            "positive: delta_normal",
        )


def check_cosine(objectives: list[Objective]) -> None:
    """Raise :class:`UsageError` for blocks that cosine similarity cannot train."""
    # A block of one latent at unit length is +-1 and has no gradient. Latents of two blocks cannot have both lengths.
    for number, objective in enumerate(objectives):
        first, last = objective.outputs
        if last - first < 2:
            raise UsageError(
                f"objective {objective.name}: one latent at unit length says nothing", "give it two or more"
            )
        for other in objectives[:number]:
            if first < other.outputs[1] and other.outputs[0] < last:
                raise UsageError(
                    f"objectives {other.name} and {objective.name} share latents, which the cosine cannot bring to "
                    "unit length for both",
                    "give each label latents of its own, or similarity: euclidean",
                )


def check_outputs(outputs: int, units: int) -> None:
    """Raise :class:`Refusal` for more latents than units."""
    if outputs > units:
        raise Refusal(
            Code.TOO_MANY_LATENTS,
            f"{outputs} latents of {units} units: a code of {units} units has at most {units} dimensions",
            "lower encoder.outputs and the blocks, name fewer labels, or keep more units (neural.min_spikes)",
        )


def too_few_values(label: xr.DataArray, bins: NDArray[np.int64]) -> str:
    """Return why a label has too few distinct values to train on; "" if it has enough.

    Args:
        label: label of every bin.
        bins: training bins, shape (bin,).

    >>> too_few_values(xr.DataArray([1.0, 1.0, 2.0], attrs={"kind": "continuous"}), np.arange(3))
    '2 distinct values in the 3 bins to train on'
    """
    values = label.values[bins]
    if label.attrs["kind"] != "discrete":
        distinct = len(np.unique(values, axis=0))
        if distinct >= LEAST_VALUES:
            return ""
        return f"{distinct} distinct value{'s' * (distinct != 1)} in the {len(bins)} bins to train on"
    classes = int((np.bincount(values) >= LEAST_CLASS_BINS).sum())
    if classes >= 2:
        return ""
    subject = "no class has" if not classes else "only one class has"
    return f"{subject} {LEAST_CLASS_BINS} or more of the {len(bins)} bins to train on"


def check_values(objective: Objective, session: xr.Dataset, bins: NDArray[np.int64]) -> None:
    """Raise :class:`Refusal` if a label of an objective has too few distinct values.

    Args:
        objective: objective that reads the label.
        session: session dataset.
        bins: training bins, shape (bin,).
    """
    for name in objective.labels:
        label = labels(session)[name]
        if reason := too_few_values(label, bins):
            classes = label.attrs["kind"] == "discrete"
            raise Refusal(
                Code.LABEL_TOO_FEW_VALUES,
                f"objective {objective.name}: label {name} has too few values: {reason}",
                f"leave it out, or {'widen time.within' if classes else 'kind: discrete if it stands for classes'}",
            )


def rare_classes(label: xr.DataArray, bins: NDArray[np.int64]) -> list[str]:
    """Return the rare classes of a discrete label, with their counts in ``bins``.

    A class is rare if it has fewer than ``LEAST_CLASS_BINS`` bins.

    >>> label = xr.DataArray([0, 0, 0, 0, 0, 1], attrs={"kind": "discrete", "classes": '["left", "right"]'})
    >>> rare_classes(label, np.arange(6))
    ['right (1)']
    """
    if label.attrs["kind"] != "discrete":
        return []
    names, counts = json.loads(label.attrs["classes"]), np.bincount(label.values[bins])
    return [f"{names[code]} ({counts[code]})" for code in np.flatnonzero((counts > 0) & (counts < LEAST_CLASS_BINS))]


def target_width(label: xr.DataArray) -> int:
    """Return the number of supervised targets of a label.

    A continuous label has one target per axis, an angle two (cosine and sine), a discrete label one per class.

    >>> target_width(xr.DataArray([0.0, 3.1], attrs={"kind": "circular"}))
    2
    """
    kind = label.attrs["kind"]
    return len(class_codes(label)) if kind == "discrete" else 2 if kind == "circular" else label_axes(label)


def check_supervised(objectives: list[Objective], session: xr.Dataset) -> None:
    """Raise :class:`UsageError` for objectives that cannot be trained supervised.

    Every objective must read a label, with a block as wide as the label's targets that shares no latent.
    """
    end = 0
    for objective in sorted(objectives, key=lambda objective: objective.outputs):
        if objective.label is None:
            raise UsageError(
                f"objective {objective.name}: time has no part in supervised training",
                "leave it out, or training.loss: contrastive",
            )
        (first, last), width = objective.outputs, target_width(labels(session)[objective.label])
        if last - first != width:
            raise UsageError(
                f"objective {objective.name}: {last - first} latents are to equal the {width} numbers of label "
                f"{objective.label} (training.loss: supervised)",
                f"outputs: [{first}, {first + width}]",
            )
        if first < end:
            raise UsageError(
                f"objective {objective.name}: shares latents with another, and a supervised latent equals one label",
                "give each label latents of its own",
            )
        end = last
