"""Bring a recording onto bins: the grid, the masks, the labels and the units.

Extraction and ``inspect`` call the same functions, so that one foresees what the other does.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from xcebra_nwb.core.config.schema import Config, Time
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import Grid, bin_width, check_outliers, common_range, make_grid
from xcebra_nwb.nwb.bins.masks import Masks, inside, touching
from xcebra_nwb.nwb.bins.resample import longest_bridge
from xcebra_nwb.nwb.extraction.assemble import assemble
from xcebra_nwb.nwb.extraction.recording import Recording
from xcebra_nwb.nwb.labels.label import Label, check_axes_vary
from xcebra_nwb.nwb.neural.activity import Activity, binned
from xcebra_nwb.nwb.neural.unit_selection import select_units
from xcebra_nwb.nwb.reading.clock import NeuralClock, check_same_unit, outlasting, slow_doubt
from xcebra_nwb.nwb.reading.times import lasting
from xcebra_nwb.nwb.reading.trains import long_pauses

SECTIONS = {"neural", "time", "labels"}  # sections of the config that extraction reads


@dataclass(frozen=True)
class Binned:
    """The labels of a recording on one grid of bins.

    Attributes:
        recording: The recording, without labels that are sampled too slowly.
        grid: The bins.
        used: The bins in use, as far as labels and tables decide.
        columns: The values of each label in the bins, in the order of the recording's labels.
    """

    recording: Recording
    grid: Grid
    used: Masks
    columns: list[np.ndarray]


def labels_on_bins(recording: Recording, config: Config) -> Binned:
    """Return the labels of a recording on bins, before its activity is.

    Args:
        recording: The contents that were read from the file.
        config: The config.

    Raises:
        Refusal: Times do not fit together, a label is sampled too slowly, or no bin is left.
    """
    grid = _grid(recording, config.time)
    recording = _without_slow_labels(recording, grid, config)
    used, columns = _label_columns(recording, grid, config.time)
    _check_anything_left(used, recording.labels, columns)
    return Binned(recording, grid, used, columns)


def session_dataset(
    recording: Recording, config: Config, folder: Path | None = None, most: float | None = None
) -> xr.Dataset:
    """Return the session dataset of a recording, except for the attrs that name its source.

    Its activity is computed when values of it are read.

    Args:
        recording: The contents that were read from the file.
        config: The config.
        folder: Folder for a scratch file if sampled activity does not fit the memory; None for that of the system.
        most: Bytes of memory that sampled activity may take; None for half of the free memory.

    Raises:
        Refusal: The recording lacks something, such as a time at which activity and labels are valid.
    """
    labels = labels_on_bins(recording, config)
    recording, grid, used, columns = labels.recording, labels.grid, labels.used, labels.columns
    activity, left_out = select_units(
        binned(recording.populations, grid, config.time, folder, most), config.neural, used
    )
    activity.take_out_unobserved(used)
    _check_anything_left(used, recording.labels, columns)
    dataset = assemble(recording, grid, activity, columns, used.valid, config)
    dataset["masked_by"] = ("time", used.masked_by)
    dataset["observed"] = ("time", _observed(recording, grid, activity))
    dataset.attrs["bin_width"] = grid.width
    dataset.attrs |= {
        **recording.identity,
        "neural_source": ", ".join(population.path for population in recording.populations),
        "config": json.dumps(config.model_dump(mode="json", include=SECTIONS)),
        "choices": json.dumps(recording.choices + left_out + _automatic_choices(dataset, config), ensure_ascii=False),
        "masks": json.dumps(used.reasons, ensure_ascii=False),
    }
    return dataset


def _observed(recording: Recording, grid: Grid, activity: Activity) -> np.ndarray:
    """Return the bins in which the activity of every unit is known, whatever the labels are, shape (time,)."""
    known = Masks(grid.count)
    known.take_out("inside invalid_times", touching(grid, recording.invalid))
    activity.take_out_unobserved(known)
    return known.valid


def in_words(units: int, used: int, bins: int, masks: Mapping[str, int]) -> list[str]:
    """Return lines that say which bins are masked and how much is left.

    Args:
        units: Number of units that are kept.
        used: Number of bins in use.
        bins: Number of all bins.
        masks: Number of bins taken out, by reason.

    >>> in_words(5, 90, 100, {"speed missing": 10})
    ['masked: speed missing (10 of 100 bins)', '5 units, 90 of 100 bins in use']
    """
    lines = [f"masked: {reason} ({masked} of {bins} bins)" for reason, masked in masks.items()]
    return [*lines, f"{units} units, {used} of {bins} bins in use"]


def _automatic_choices(dataset: xr.Dataset, config: Config) -> list[str]:
    """Return lines on smoothing and bin width if ``auto`` chose them."""
    smoothing = dataset["activity"].attrs["smoothing"]
    lines = [f"smoothing: {smoothing:g} s (standard deviation)"] if config.neural.smoothing == "auto" else []
    return lines + ([f"bin width: {dataset.attrs['bin_width']:g} s"] if config.time.bin_width == "auto" else [])


def _grid(recording: Recording, time: Time) -> Grid:
    ranges = [population.range for population in recording.populations]
    covered = [known for known in ranges if known is not None]
    if not covered:
        raise Refusal(
            Code.NO_SPIKES, f"{recording.populations[0].path} holds no spikes", "name another source in neural.source"
        )
    neural = {population.path: population.times for population in recording.populations}
    labels = {label.source: label.times for label in recording.labels}
    clocks = {p.path: NeuralClock(p.times, long_pauses(p.spikes or [])) for p in recording.populations}
    check_same_unit(clocks, labels, trusted=recording.within is not None)
    recording.choices.extend(outlasting(clocks, labels))
    stretch = common_range(covered, [label.range for label in recording.labels], recording.within)
    for source, times in (neural | labels).items():
        check_outliers(source, times, stretch)
    sampled = [population.samples for population in recording.populations if population.samples is not None]
    width = bin_width(time.bin_width, [samples.period for samples in sampled])
    first = sampled[0] if sampled else None
    return make_grid(stretch, width, first.times if first else None, first.period if first else None)


def _without_slow_labels(recording: Recording, grid: Grid, config: Config) -> Recording:
    """Return the recording without labels that are sampled too slowly.

    A slow label that the config names is refused. If its times cannot be right, that is the reason.
    """
    longest = longest_bridge(grid, config.time.max_gap)
    neural = max(lasting(population.times) for population in recording.populations)
    slow = [label for label in recording.labels if label.period is not None and label.period > longest]
    for label in slow:
        problem = (
            f"label {label.name} ({label.source}) is sampled every {label.period:.3g} s, a longer gap than is bridged"
        )
        doubt = slow_doubt(label.times, neural)
        problem = problem if doubt is None else f"{problem}; {doubt.what}"
        if config.labels != "auto" or len(slow) == len(recording.labels):
            if doubt is not None:
                raise Refusal(Code.TIMES_NOT_TRUSTED, problem, doubt.remedy)
            raise Refusal(
                Code.LABEL_TOO_SLOW, problem, f"set time.max_gap or time.bin_width to {label.period:.3g} s or more"
            )
        recording.choices.append(f"label not taken: {problem}")
    return replace(recording, labels=[kept for kept in recording.labels if not any(kept is label for label in slow)])


def _label_columns(recording: Recording, grid: Grid, time: Time) -> tuple[Masks, list[np.ndarray]]:
    """Return the masks, and the values of every label in the bins.

    Bins without a label, outside ``time.within`` or inside invalid_times are taken out.
    """
    used, columns = Masks(grid.count), []
    if recording.within is not None:
        used.take_out("outside time.within", ~inside(grid, recording.within))
    used.take_out("inside invalid_times", touching(grid, recording.invalid))
    for label in recording.labels:
        values, lost = label.binned(grid, time)
        used.take_out(f"{label.name}: tracking lost (stands exactly still)", lost)
        used.take_out(f"{label.name} missing", ~_present(label, values))
        columns.append(values)
    return used, columns


def _present(label: Label, values: np.ndarray) -> np.ndarray:
    if label.kind == "discrete":
        return values >= 0
    finite = np.isfinite(values)
    return finite.all(axis=1) if values.ndim == 2 else finite


def _check_anything_left(used: Masks, labels: list[Label], columns: list[np.ndarray]) -> None:
    if not used.valid.any():
        why = ", ".join(f"{reason} ({bins} bins)" for reason, bins in used.reasons.items())
        raise Refusal(
            Code.NO_USABLE_BIN,
            f"no usable bin: {why}",
            "choose other labels, raise time.max_gap, or lower neural.min_coverage",
        )
    for label, values in zip(labels, columns, strict=True):
        check_axes_vary(label, values[used.valid].reshape(int(used.valid.sum()), -1))
