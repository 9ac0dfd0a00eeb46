"""Predict from the contents of a file that extraction would be refused.

Only refusals for the times of the objects that ``auto`` takes are predicted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from xcebra_nwb.core.config.schema import Time
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import DEFAULT_WIDTH, common_range
from xcebra_nwb.nwb.inventory.models import Inventory, LabelSeries, NeuralSource, Refused, TimeRange
from xcebra_nwb.nwb.reading.clock import NeuralClock, check_same_unit, slow_doubt
from xcebra_nwb.nwb.reading.times import lasting

SLACK = 1.0  # s, as in :func:`xcebra_nwb.nwb.bins.grid.check_outliers`


def predicted_refusal(
    contents: Inventory, clocks: Mapping[str, NeuralClock], label_times: Mapping[str, np.ndarray]
) -> Refused | None:
    """Return the refusal to expect under ``auto``, None if the times fit together.

    Args:
        contents: The contents of the file.
        clocks: What the times of each neural source that ``auto`` takes show, by its path.
        label_times: Times of each label that ``auto`` takes by its source, in s.
    """
    neural = [source for source in contents.neural if source.taken_by_auto]
    ranges = [source.time_range for source in neural if source.time_range]
    labels = [stretch for label in contents.automatic.labels for stretch in _range_of(contents, label.source)]
    if any(source.events == 0 for source in neural):
        return _refused(Code.NO_SPIKES, f"{neural[0].path} holds no spikes", "name another source in neural.source")
    if not labels or not ranges:
        return None
    try:
        check_same_unit(clocks, label_times)
        stretch = common_range(ranges, labels, None)
    except Refusal as refusal:
        return Refused(code=refusal.code, reason=refusal.message, remedy=refusal.remedy)
    picked = {label.source for label in contents.automatic.labels}
    sources: list[NeuralSource | LabelSeries] = [
        *neural,
        *(series for series in contents.series if series.path in picked),
    ]
    for source in sources:
        trusted = source.trusted_range
        if trusted and (stretch[0] < trusted[0] - SLACK or stretch[1] > trusted[1] + SLACK):
            reason = f"{source.path}: absurd times among others from {trusted[0]:.6g} to {trusted[1]:.6g} s"
            return _refused(Code.TIMES_NOT_TRUSTED, reason, "name the times to use in time.within: [start, stop]")
    lasts = max((lasting(clock.times) for clock in clocks.values()), default=0.0)
    return _too_slow(
        contents, max((1 / source.rate for source in neural if source.rate), default=0.0), lasts, label_times
    )


def _too_slow(
    contents: Inventory, neural_period: float, lasts: float, label_times: Mapping[str, np.ndarray]
) -> Refused | None:
    """Return a refusal if all labels are sampled more slowly than is bridged, or seem to be."""
    longest = bridged(neural_period)
    rates = {series.path: series.rate for series in contents.series}
    periods = {label.source: 1 / (rates.get(label.source) or np.inf) for label in contents.automatic.labels}
    if min(periods.values()) <= longest:
        return None
    sampling = ", ".join(f"{source} is sampled every {period:.3g} s" for source, period in periods.items())
    for source in periods:
        doubt = slow_doubt(label_times.get(source, np.empty(0)), lasts)
        if doubt is not None:
            what = f"{sampling}, a longer gap than is bridged; {doubt.what}"
            return _refused(Code.TIMES_NOT_TRUSTED, what, doubt.remedy)
    return _refused(
        Code.LABEL_TOO_SLOW, f"{sampling}, a longer gap than is bridged", "set time.max_gap or time.bin_width"
    )


def bridged(neural_period: float) -> float:
    """Return the largest distance between label samples that is bridged, in s.

    It is that of the default config.

    Args:
        neural_period: Sample period of the neural data in s; 0 for spike times.

    >>> bridged(0.0)
    0.5
    """
    return max(float(Time.model_fields["max_gap"].default), 2 * max(DEFAULT_WIDTH, neural_period))


def _range_of(contents: Inventory, source: str) -> Iterator[TimeRange]:
    """Yield the range of a label, with half a sample period at both ends."""
    for series in contents.series:
        if series.path == source and series.time_range:
            half = 0.5 / series.rate if series.rate else 0.0
            yield series.time_range[0] - half, series.time_range[1] + half
    for table in contents.intervals:
        if table.path == source.split("#")[0] and table.time_range:
            yield table.time_range


def _refused(code: Code, reason: str, remedy: str) -> Refused:
    return Refused(code=code, reason=reason, remedy=remedy)
