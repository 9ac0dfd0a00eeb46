"""Draw the null labels of a label: shifted, reversed or permuted copies that the true label does not predict.

A shift does not break the link with the activity if the label repeats itself (laps at a steady pace) or drifts. So
every null label is predicted from the true label, scored on held-out stretches, and discarded if the score is high.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

MOST_ALIKE = 0.25  # largest held-out score at which the true label may predict a null
TRIES = 4  # draws for every null that is asked for
LEAST_TRIALS = 8  # fewest trials that can be permuted
STEP = 0.5  # s, over which the change of the label is given to the predictor
MOST_SAMPLES = 4000  # samples on which nulls are predicted
STRETCHES = 20  # of the recording; every other stretch is held out

NullKind = Literal["shift", "reverse", "permute"]
Integers = NDArray[np.int64]
LEAST_SHIFT = 0.1  # as a fraction of the recording


@dataclass(frozen=True, eq=False)
class NullLabel:
    """A shuffled label: usable bin ``i`` has the value of usable bin ``order[i]``."""

    label: str
    kind: NullKind
    shift: int  # in usable bins, or in trials if whole trials are shifted; 0 for a permutation
    order: NDArray[np.int64]


@dataclass(frozen=True)
class NullDesign:
    """The null labels of one label, and the reason for their kind and number."""

    label: str
    nulls: list[NullLabel]
    reason: str


def null_design(
    session: xr.Dataset, split: Split, label: str, config: Config, generator: np.random.Generator
) -> NullDesign:
    """Return the null labels of ``label``, at most ``training.nulls``.

    Args:
        session: session dataset.
        split: usable bins, whose label values are shuffled.
        label: name of the label.
        config: ``training.nulls`` and ``training.null_kind``.
        generator: random generator that draws shifts and permutations.

    Raises:
        UsageError: ``training.null_kind`` asks for a permutation, and the label has too few trials.
    """
    wanted = config.training.nulls
    if not wanted:
        return NullDesign(label, [], "none were asked for")
    nulls: list[NullLabel] = []
    kinds, reason = _kinds(session, split, label, config)
    rejected = 0
    for kind in kinds:
        for candidate in _candidates(session, split, label, kind, wanted - len(nulls), generator):
            if len(nulls) == wanted:
                break
            if predictability(session, split, label, candidate.order) > MOST_ALIKE:
                rejected += 1
            else:
                nulls.append(candidate)
    return NullDesign(label, nulls, reason + _shortage(label, wanted, len(nulls), rejected))


def _shortage(label: str, wanted: int, kept: int, rejected: int) -> str:
    """Return how many candidates were rejected, as the end of a sentence; "" if none was."""
    if kept < wanted:
        left = "none is left" if not kept else f"{kept} of {wanted} are left"
        return f"; {label} repeats itself in time or drifts: it still predicted {rejected} of the nulls drawn, {left}"
    return f"; {rejected} nulls were discarded, because the label still predicted them" if rejected else ""


def _kinds(session: xr.Dataset, split: Split, label: str, config: Config) -> tuple[list[NullKind], str]:
    """Return the kinds of null to try, in order, and the reason."""
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
        return ["shift"], "shift: too few trials to permute"
    if _neighbours_alike(_features(session, split, label), numbers):
        return ["shift"], "shift by whole trials: neighbouring trials are alike"
    return ["permute"], "permute: its values belong to trials, and neighbouring trials are not alike"


def _check_trials(label: str, trials: int) -> None:
    if trials < LEAST_TRIALS:
        raise UsageError(
            f"training.null_kind: {label} has {trials} trials to permute, at least {LEAST_TRIALS} are needed",
            "null_kind: shift",
        )


def _trials(session: xr.Dataset, split: Split, label: str) -> NDArray[np.int64]:
    """Return the trial of every usable bin (sample,), from 0; the segment if the label has no trials."""
    trial = trial_numbers(session, label)
    numbers = (split.segment if trial is None else trial)[split.bins]
    return np.unique(numbers, return_inverse=True)[1].reshape(-1)


def _neighbours_alike(features: NDArray[np.float64], trial: NDArray[np.int64]) -> bool:
    """Return whether the labels of successive trials correlate by more than two standard errors."""
    first = np.unique(trial, return_index=True)[1]
    values = features[first] - features[first].mean(axis=0)
    correlation = (values[1:] * values[:-1]).sum() / max((values**2).sum(), 1e-30)
    return bool(correlation > 2 / np.sqrt(len(values)))


def _candidates(
    session: xr.Dataset, split: Split, label: str, kind: NullKind, wanted: int, generator: np.random.Generator
) -> Iterator[NullLabel]:
    """Yield up to ``TRIES`` candidates for every null that is wanted."""
    samples = len(split.bins)
    if kind == "permute" or trial_numbers(session, label) is not None:
        trial = _trials(session, split, label)
        for source, shift in _trial_sources(int(trial.max()) + 1, kind, wanted, generator):
            yield NullLabel(label, kind, shift, trial_order(trial, source))
        return
    order = shifted_order if kind == "shift" else reversed_order
    for _ in range(TRIES):
        for shift in draw_shifts(samples, wanted, generator):
            yield NullLabel(label, kind, int(shift), order(samples, int(shift)))


def shuffled_orders(
    session: xr.Dataset,
    split: Split,
    label: str,
    config: Config,
    samples: Integers,
    generator: np.random.Generator,
) -> Iterator[Integers]:
    """Yield the orders of as many shuffled labels as there are, in random order.

    Shifts are drawn from the whole circle. For a test without training they need not be distant: a shift that leaves
    much of the link only makes the test more careful.

    Args:
        session: session dataset.
        split: usable bins of the session.
        label: name of the label.
        config: ``training.null_kind``.
        samples: indices of some usable bins, ascending, at least one in every trial, shape (sample,).
        generator: random generator that draws the orders.

    Yields:
        Source sample of each sample, shape (sample,).

    Raises:
        UsageError: ``training.null_kind`` asks for a permutation, and the label has too few trials.
    """
    kinds, trial, count = _shuffled(session, split, label, config, samples)
    for order in _all_orders(kinds, count, generator):
        yield order if trial is None else trial_order(trial, order)


def number_of_orders(session: xr.Dataset, split: Split, label: str, config: Config, samples: Integers) -> float:
    """Return how many shuffled labels :func:`shuffled_orders` yields; infinity for permutations.

    Args:
        session: session dataset.
        split: usable bins of the session.
        label: name of the label.
        config: ``training.null_kind``.
        samples: indices of some usable bins, ascending, at least one in every trial, shape (sample,).

    Raises:
        UsageError: ``training.null_kind`` asks for a permutation, and the label has too few trials.
    """
    kinds, _, count = _shuffled(session, split, label, config, samples)
    return np.inf if "permute" in kinds else len(kinds) * (count - 1)


def _shuffled(
    session: xr.Dataset, split: Split, label: str, config: Config, samples: Integers
) -> tuple[list[NullKind], Integers | None, int]:
    """Return the kinds of shuffle, the trial of each sample where whole trials move, and how many move."""
    kinds, _ = _kinds(session, split, label, config)
    if "permute" not in kinds and trial_numbers(session, label) is None:
        return kinds, None, len(samples)
    trial = np.unique(_trials(session, split, label)[samples], return_inverse=True)[1].reshape(-1)
    return kinds, trial, int(trial.max()) + 1


def _all_orders(kinds: Sequence[NullKind], count: int, generator: np.random.Generator) -> Iterator[Integers]:
    """Yield orders of ``count`` samples or trials: permutations without end, or every shift once, by kind."""
    for kind in kinds:
        while kind == "permute":
            yield generator.permutation(count)
        order = shifted_order if kind == "shift" else reversed_order
        for shift in 1 + generator.permutation(count - 1):
            yield order(count, int(shift))


def _trial_sources(
    trials: int, kind: NullKind, wanted: int, generator: np.random.Generator
) -> Iterator[tuple[NDArray[np.int64], int]]:
    """Yield the source trial of every trial (permuted, shifted in a circle, or reversed), and the shift in trials."""
    for _ in range(TRIES):
        if kind == "permute":
            yield from ((generator.permutation(trials), 0) for _ in range(wanted))
            continue
        order = shifted_order if kind == "shift" else reversed_order
        yield from ((order(trials, int(shift)), int(shift)) for shift in draw_shifts(trials, wanted, generator))


def predictability(session: xr.Dataset, split: Split, label: str, order: NDArray[np.int64]) -> float:
    """Return how well the true label predicts a shuffled copy of it.

    A nearest-neighbour decoder reads the true label and its change over ``STEP``. It is trained on every other stretch
    of the recording and scored on the stretches between. A score near 0 means that the shuffle broke the link.

    Args:
        session: session dataset.
        split: usable bins of the session.
        label: name of the label.
        order: source bin of each usable bin, shape (usable bin,).

    Returns:
        Held-out score; 0 is chance.
    """
    features = _features(session, split, label)
    lag = max(1, round(STEP / float(session.attrs["bin_width"])))
    change = features - features[np.maximum(np.arange(len(features)) - lag, 0)]
    change /= np.maximum(change.std(axis=0), 1e-12)
    values = labels(session)[label].values[split.bins][order]
    kind = str(labels(session)[label].attrs["kind"])
    thin = max(1, len(split.bins) // MOST_SAMPLES)
    samples = np.arange(0, len(values), thin)
    train, test = samples[_stretch(samples) % 2 == 0], samples[_stretch(samples) % 2 == 1]
    targets = values if kind == "discrete" else values.reshape(len(values), -1)
    score = decoding_score(np.hstack([features, change]), targets, train, test, kind)
    return float(np.nan_to_num(score))


def _stretch(samples: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the number of the stretch that each sample lies in, shape (sample,)."""
    # Stretches are short, so the jump of a shifted drift, where its end meets its start, falls into one of them only.
    return np.arange(len(samples)) * STRETCHES // len(samples)


def _features(session: xr.Dataset, split: Split, label: str) -> NDArray[np.float64]:
    variable = labels(session)[label]
    return label_features(variable.values[split.bins], str(variable.attrs["kind"]))


def draw_shifts(samples: int, count: int, generator: np.random.Generator) -> Integers:
    """Return random shifts of at least a tenth of the recording in both directions.

    The range of shifts is divided into ``count`` equal parts, and one shift is drawn from each part. So no two nulls
    are nearly the same.

    Args:
        samples: length of the recording in samples.
        count: number of shifts.
        generator: random generator that draws them.

    Returns:
        Shifts in samples, shape (count,), in random order.

    >>> sorted(draw_shifts(1000, 4, np.random.default_rng(0)).tolist())
    [227, 353, 508, 703]
    """
    least = int(np.ceil(LEAST_SHIFT * samples))
    width = (samples - 2 * least) / max(count, 1)
    drawn = least + width * (np.arange(count) + generator.random(count))
    return generator.permutation(drawn.astype(np.int64))


def shifted_order(samples: int, shift: int) -> Integers:
    """Return the order of a circular shift, shape (sample,).

    Every sample gets the value ``shift`` samples before it.

    >>> shifted_order(5, 2).tolist()
    [3, 4, 0, 1, 2]
    """
    return np.roll(np.arange(samples), shift)


def reversed_order(samples: int, shift: int) -> Integers:
    """Return the order of a reversal and a circular shift, shape (sample,).

    >>> reversed_order(5, 2).tolist()
    [1, 0, 4, 3, 2]
    """
    return np.roll(np.arange(samples)[::-1], shift)


def trial_order(trial: Integers, source: Integers) -> Integers:
    """Return the order in which trial ``t`` gets the values of trial ``source[t]``.

    The values are repeated or left out evenly, so that they fill the length of trial ``t``.

    Args:
        trial: trial of each sample, shape (sample,); 0 to the number of trials less one, each at least once.
        source: permutation of the trials, shape (trial,).

    Returns:
        Source sample of each sample, shape (sample,).

    >>> trial_order(np.array([0, 0, 1, 1, 1, 1]), np.array([1, 0])).tolist()
    [2, 4, 0, 0, 1, 1]
    """
    samples = np.argsort(trial, kind="stable")
    length = np.bincount(trial)
    first = np.r_[0, np.cumsum(length)[:-1]]
    position = np.arange(len(trial)) - np.repeat(first, length)  # within the trial, from 0
    source_trial = np.repeat(source, length)
    order = np.empty(len(trial), dtype=np.int64)
    order[samples] = samples[first[source_trial] + position * length[source_trial] // np.repeat(length, length)]
    return order
