"""Which nulls a label gets: the kind that suits it, and only such as are unlike the label itself.

A shift at which a label is still a function of itself (laps at a steady pace, a drift) breaks nothing. Every null is
therefore predicted from the true label, in held-out stretches, and dropped where that succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session import label_features, labels, trial_numbers
from xcebra_nwb.training.design.split import Split
from xcebra_nwb.xcebra.decoding import decoding_score

MOST_ALIKE = 0.25  # held-out score of a null predicted from the true label, above which it is no null
TRIES = 4  # draws for every null wanted, before there are fewer
LEAST_TRIALS = 8  # to deal out anew
STEP = 0.5  # s, over which the label's own movement is told to the predictor
MOST_SAMPLES = 4000  # on which nulls are predicted
STRETCHES = 20  # every other one is held out


NullKind = Literal["shift", "reverse", "permute"]
Integers = NDArray[np.int64]
LEAST_SHIFT = 0.1  # share of the recording


@dataclass(frozen=True, eq=False)
class NullLabel:
    """A label as a null sees it: usable bin ``i`` has the value of usable bin ``order[i]``."""

    label: str
    kind: NullKind
    shift: int  # usable bins, or trials where whole trials move; 0 for a permutation
    order: NDArray[np.int64]


@dataclass(frozen=True)
class NullDesign:
    """The nulls of one label, and why they are as they are, in words."""

    label: str
    nulls: list[NullLabel]
    reason: str


def null_design(
    session: xr.Dataset, split: Split, label: str, config: Config, generator: np.random.Generator
) -> NullDesign:
    """Return the nulls of ``label``, at most ``training.nulls``.

    Raises:
        UsageError: ``training.null_kind`` asks for a permutation where there are too few trials.
    """
    wanted = config.training.nulls
    if not wanted:
        return NullDesign(label, [], "none were asked for")
    found: list[NullLabel] = []
    kinds, reason = _kinds(session, split, label, config)
    rejected = 0
    for kind in kinds:
        for broken in _candidates(session, split, label, kind, wanted - len(found), generator):
            if len(found) == wanted:
                break
            if predictability(session, split, label, broken.order) > MOST_ALIKE:
                rejected += 1
            else:
                found.append(broken)
    return NullDesign(label, found, reason + _shortage(label, wanted, len(found), rejected))


def _shortage(label: str, wanted: int, found: int, rejected: int) -> str:
    if found < wanted:
        left = "none is left" if not found else f"{found} of {wanted} are left"
        return f"; {label} repeats itself in time or drifts: {rejected} tries were still a function of it, {left}"
    return f"; {rejected} tries that were still a function of it were dropped" if rejected else ""


def _kinds(session: xr.Dataset, split: Split, label: str, config: Config) -> tuple[list[NullKind], str]:
    """The kinds to try, in order, and why."""
    asked = config.training.null_kind
    kind = asked.get(label, "auto") if isinstance(asked, dict) else asked
    trial = trial_numbers(session, label)
    if kind != "auto":
        if kind == "permute":
            _check_trials(label, len(np.unique(_trials(session, split, label))))
        return [kind], f"{kind}: the config says so"
    if trial is None:
        return ["shift", "reverse"], "shift: it moves in time"
    numbers = _trials(session, split, label)
    if len(np.unique(numbers)) < LEAST_TRIALS:
        return ["shift"], "shift: too few trials to deal out anew"
    if _neighbours_alike(_features(session, split, label), numbers):
        return ["shift"], "shift by whole trials: neighbouring trials are alike"
    return ["permute"], "permute: it belongs to trials, and neighbouring trials are not alike"


def _check_trials(label: str, trials: int) -> None:
    if trials < LEAST_TRIALS:
        raise UsageError(
            f"training.null_kind: {label} has {trials} trials to permute, at least {LEAST_TRIALS} are needed",
            "null_kind: shift",
        )


def _trials(session: xr.Dataset, split: Split, label: str) -> NDArray[np.int64]:
    """The trial of every usable bin (sample,), from 0 on; a segment where the label has no trials of its own."""
    trial = trial_numbers(session, label)
    numbers = (split.segment if trial is None else trial)[split.bins]
    return np.unique(numbers, return_inverse=True)[1].reshape(-1)


def _neighbours_alike(features: NDArray[np.float64], trial: NDArray[np.int64]) -> bool:
    """Whether the correlation of successive trials' labels is beyond two standard errors of none."""
    first = np.unique(trial, return_index=True)[1]
    values = features[first] - features[first].mean(axis=0)
    correlation = (values[1:] * values[:-1]).sum() / max((values**2).sum(), 1e-30)
    return bool(correlation > 2 / np.sqrt(len(values)))


def _candidates(
    session: xr.Dataset, split: Split, label: str, kind: NullKind, wanted: int, generator: np.random.Generator
) -> Iterator[NullLabel]:
    """Up to ``TRIES`` draws for every null wanted."""
    samples = len(split.bins)
    if kind == "permute" or trial_numbers(session, label) is not None:
        trial = _trials(session, split, label)
        for source, shift in _dealt(int(trial.max()) + 1, kind, wanted, generator):
            yield NullLabel(label, kind, shift, trial_order(trial, source))
        return
    order = shifted_order if kind == "shift" else reversed_order
    for _ in range(TRIES):
        for shift in draw_shifts(samples, wanted, generator):
            yield NullLabel(label, kind, int(shift), order(samples, int(shift)))


def _dealt(
    trials: int, kind: NullKind, wanted: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Permutations of trials, or the trials shifted in a circle or turned round, and by how many."""
    for _ in range(TRIES):
        if kind == "permute":
            yield from ((generator.permutation(trials), 0) for _ in range(wanted))
            continue
        order = shifted_order if kind == "shift" else reversed_order
        yield from ((order(trials, int(shift)), int(shift)) for shift in draw_shifts(trials, wanted, generator))


def predictability(session: xr.Dataset, split: Split, label: str, order: NDArray[np.int64]) -> float:
    """Return how well a broken label follows from the true one and its movement: held-out score, 0 at chance."""
    features = _features(session, split, label)
    lag = max(1, round(STEP / float(session.attrs["bin_width"])))
    moved = features - features[np.maximum(np.arange(len(features)) - lag, 0)]
    moved /= np.maximum(moved.std(axis=0), 1e-12)
    values = labels(session)[label].values[split.bins][order]
    kind = str(labels(session)[label].attrs["kind"])
    thin = max(1, len(split.bins) // MOST_SAMPLES)
    samples = np.arange(0, len(values), thin)
    train, test = samples[_stretch(samples) % 2 == 0], samples[_stretch(samples) % 2 == 1]
    targets = values if kind == "discrete" else values.reshape(len(values), -1)
    score = decoding_score(np.hstack([features, moved]), targets, train, test, kind)
    return float(np.nan_to_num(score))


def _stretch(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of each sample's stretch; they are short, so that a drift's wrap falls into one of them only."""
    return np.arange(len(samples)) * STRETCHES // len(samples)


def _features(session: xr.Dataset, split: Split, label: str) -> NDArray[np.float64]:
    variable = labels(session)[label]
    return label_features(variable.values[split.bins], str(variable.attrs["kind"]))


def draw_shifts(samples: int, count: int, generator: np.random.Generator) -> Integers:
    """Return ``count`` shifts, in samples, none nearer to no shift than a tenth of the recording either way round.

    One shift is drawn from each of ``count`` equal parts of the range, in random order: no two nulls are nearly the
    same.
    """
    least = int(np.ceil(LEAST_SHIFT * samples))
    width = (samples - 2 * least) / max(count, 1)
    drawn = least + width * (np.arange(count) + generator.random(count))
    return generator.permutation(drawn.astype(np.int64))


def shifted_order(samples: int, shift: int) -> Integers:
    """Return the order (sample,) in which every sample gets the value ``shift`` samples earlier, in a circle."""
    return np.roll(np.arange(samples), shift)


def reversed_order(samples: int, shift: int) -> Integers:
    """Return the order (sample,) that runs backwards, shifted in a circle."""
    return np.roll(np.arange(samples)[::-1], shift)


def trial_order(trial: Integers, source: Integers) -> Integers:
    """Return the order (sample,) in which trial ``t`` gets the course of trial ``source[t]``, stretched to its length.

    Args:
        trial: (sample,) number of each sample's trial, 0 to the number of trials less one, each at least once.
        source: (trial,) a permutation of the trials.
    """
    samples = np.argsort(trial, kind="stable")
    length = np.bincount(trial)
    first = np.r_[0, np.cumsum(length)[:-1]]
    place = np.arange(len(trial)) - np.repeat(first, length)  # within the trial, from 0
    given = np.repeat(source, length)
    order = np.empty(len(trial), dtype=np.int64)
    order[samples] = samples[first[given] + place * length[given] // np.repeat(length, length)]
    return order
