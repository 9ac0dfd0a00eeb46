"""What an objective asks of its label and of the session: a kind that its rule can read, and values that vary."""

from __future__ import annotations

import json

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.objectives import Objective, Rule
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session import class_codes, label_axes, labels

KINDS: dict[Rule, tuple[str, ...]] = {  # that a rule can read
    "time_delta": ("continuous", "circular"),
    "delta_normal": ("continuous",),
    "delta_vmf": ("circular", "continuous"),
    "discrete": ("discrete",),
    "mixed": ("continuous", "circular"),
}
UNIT_LENGTH = 0.1  # most that a direction's length may differ from 1: the mean over a bin is a little shorter
LEAST_VALUES = 3  # distinct values of a continuous or circular label; two are classes
LEAST_CLASS_BINS = 5  # of a class, to count as one


def check_rule(objective: Objective, session: xr.Dataset) -> None:
    """Raise :class:`UsageError` when the session lacks a label of ``objective``, or its rule cannot read that label."""
    found = labels(session)
    for name in objective.labels:
        if name not in found:
            raise UsageError(f"objective {objective.name}: no label {name}", f"labels: {', '.join(found)}")
    if objective.label is not None:
        label = found[objective.label]
        for rule in (objective.positive, objective.steps):
            _check_kind(objective, rule, str(label.attrs["kind"]))
        if objective.steps == "delta_vmf" and label.attrs["kind"] == "continuous":
            _check_directions(objective, label, session["valid"].values)
    if objective.within is not None and found[objective.within].attrs["kind"] != "discrete":
        raise UsageError(
            f"objective {objective.name}: `within` names classes, and {objective.within} is "
            f"{found[objective.within].attrs['kind']}",
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
    """Raise :class:`UsageError` for blocks of labels that cannot be brought to unit length.

    One latent would be +-1 and without a gradient, and shared latents have no one length.
    """
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
    """Raise :class:`Refusal` for more latents than units, which no function of the units can tell apart."""
    if outputs > units:
        raise Refusal(
            Code.TOO_MANY_LATENTS,
            f"{outputs} latents of {units} units: a code of {units} units has at most {units} dimensions",
            "lower encoder.outputs and the blocks, name fewer labels, or keep more units (neural.min_spikes)",
        )


def too_few_values(label: xr.DataArray, bins: NDArray[np.int64]) -> str:
    """Return why the label's values at ``bins``, those to train on, are too few for an objective, or ""."""
    values = label.values[bins]
    if label.attrs["kind"] != "discrete":
        distinct = len(np.unique(values, axis=0))
        few = distinct < LEAST_VALUES
        return f"{distinct} distinct value{'s' * (distinct != 1)} in the {len(bins)} bins to train on" if few else ""
    classes = int((np.bincount(values) >= LEAST_CLASS_BINS).sum())
    seen = "no class has" if not classes else "only one class has"
    return f"{seen} {LEAST_CLASS_BINS} or more of the {len(bins)} bins to train on" if classes < 2 else ""


def check_values(objective: Objective, session: xr.Dataset, bins: NDArray[np.int64]) -> None:
    """Raise :class:`Refusal` when a label of ``objective`` has too few distinct values at ``bins``."""
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
    """Return the classes of a discrete label that only a handful of ``bins`` have, in words."""
    if label.attrs["kind"] != "discrete":
        return []
    names, counts = json.loads(label.attrs["classes"]), np.bincount(label.values[bins])
    return [f"{names[code]} ({counts[code]})" for code in np.flatnonzero((counts > 0) & (counts < LEAST_CLASS_BINS))]


def target_width(label: xr.DataArray) -> int:
    """Return how many numbers a label is: its axes, 2 for an angle (cosine, sine), one for each class."""
    kind = label.attrs["kind"]
    return len(class_codes(label)) if kind == "discrete" else 2 if kind == "circular" else label_axes(label)


def check_supervised(objectives: list[Objective], session: xr.Dataset) -> None:
    """Raise :class:`UsageError` for an objective for time, a block of the wrong width, or blocks that share latents."""
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
