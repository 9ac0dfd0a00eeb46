"""Foresee what extraction makes of a file under ``auto``: it calls the same functions.

The units and bins that are left, the masks and a refusal are then those of extraction, in the same words. Activity of
more than :data:`LOOKED_AT` values is not read; then the times and the labels decide alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from xcebra_nwb.core.config.schema import Config, Time, validate
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.bins.grid import DEFAULT_WIDTH
from xcebra_nwb.nwb.extraction.on_bins import labels_on_bins, session_dataset
from xcebra_nwb.nwb.extraction.recording import Recording, recording_of, shared_range
from xcebra_nwb.nwb.inventory.models import Automatic, OfferedLabel, PickedLabel, RecordingPart, Refused
from xcebra_nwb.nwb.labels.auto.choose import choose
from xcebra_nwb.nwb.labels.auto.offers import offers
from xcebra_nwb.nwb.labels.choice import labels_of
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.labels.parts import parts
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.choice import Source
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.neural.readers.matrix import activity_kind
from xcebra_nwb.nwb.reading.file import NwbFile, dataset, with_lost_links
from xcebra_nwb.nwb.reading.series import read_samples, unit_of
from xcebra_nwb.nwb.reading.spikes import read_observed, read_spikes

LOOKED_AT = 5_000_000  # spikes or values; of larger tables not every unit is read, of larger series only times
REMEDY = "name neural.source and labels in the config"

Check = Callable[[xr.Dataset, Config], object]
"""A check of the session dataset, which raises a refusal; extraction makes it after the dataset."""


@dataclass
class Foresight:
    """What ``auto`` would do.

    Attributes:
        automatic: Its selection, and what would be left.
        refusal: The refusal to expect; None if there is none.
        spikes: Spike times of each unit of the sources that were read as a whole, by path, and the notes on them.
    """

    automatic: Automatic = field(default_factory=Automatic)
    refusal: Refused | None = None
    spikes: dict[str, Population] = field(default_factory=dict)


def foresee(file: NwbFile, check: Check | None = None) -> Foresight:
    """Return what extraction with the default config would take, leave out and refuse.

    Args:
        file: The open file.
        check: A check of the session dataset, such as whether it is long enough to train on.
    """
    config, seen = validate({}), Foresight()
    sources = _sources(file, config, seen)
    large = sum(_values(file, source) for source in sources)
    populations = _populations(file, config, sources, large > LOOKED_AT, seen)
    labels = _labels(file, sources, populations, seen)
    if seen.refusal is not None:
        seen.automatic.choices += [note for label in labels for note in label.notes]
        return seen
    try:
        recording = recording_of(file, config, populations, labels, seen.automatic.choices)
        seen.automatic.choices = recording.choices  # lines that are added before a refusal are kept
        if large > LOOKED_AT:
            _times_only(recording, config, seen.automatic)
            seen.automatic.not_looked_at = (
                f"large: the {large} values of the neural data were not looked at; extraction can still leave out "
                "units, mask bins, or refuse the file for them"
            )
        else:
            _whole(recording, config, seen.automatic, check)
    except Exception as error:  # reported like any other reason, so that an inventory is always complete
        seen.refusal = refused(with_lost_links(file, error))
    return seen


def _sources(file: NwbFile, config: Config, seen: Foresight) -> list[Source]:
    """Return the neural sources of ``auto``; a refusal is kept."""
    try:
        sources, notes = choice.choose(file, config.neural)
    except Exception as error:  # reported like any other reason
        seen.refusal = refused(with_lost_links(file, error))
        return []
    seen.automatic.neural, seen.automatic.choices = [source.path for source in sources], notes
    return sources


def _populations(
    file: NwbFile, config: Config, sources: list[Source], large: bool, seen: Foresight
) -> list[Population]:
    """Return the units of each source, without values if they are large; a refusal is kept."""
    try:
        if large:
            return [population for source in sources for population in _without_values(file, source)]
        populations = choice.read(file, sources, config.neural)
    except Exception as error:  # reported like any other reason
        seen.refusal = seen.refusal or refused(with_lost_links(file, error))
        return []
    seen.spikes = {population.path: population for population in populations if population.spikes is not None}
    return populations


def _labels(file: NwbFile, sources: list[Source], populations: list[Population], seen: Foresight) -> list[Label]:
    """Return the labels of ``auto``; the first refusal is kept, and the offers are made nevertheless."""
    neural = [path for source in sources for path in source.paths]
    try:
        picked = choose(file, neural, shared_range(populations))
        seen.automatic.parts = [RecordingPart(name=p.name, within=p.within, seconds=p.seconds) for p in parts(file)]
        seen.automatic.offers = [OfferedLabel(name=o.name, config=o.config) for o in offers(file, picked, neural)]
        seen.automatic.labels = [
            PickedLabel(name=label.name, source=label.source, kind=label.kind, config=candidate.config)
            for label, candidate in zip(picked.labels, picked.candidates, strict=True)
        ]
        labels, notes = labels_of(file, picked)
    except Exception as error:  # reported like any other reason
        seen.refusal = seen.refusal or refused(with_lost_links(file, error))
        return []
    seen.automatic.choices = seen.automatic.choices + notes
    return labels


def _whole(recording: Recording, config: Config, automatic: Automatic, check: Check | None) -> None:
    """Make the session dataset, and keep what it says of itself."""
    session = session_dataset(recording, config)
    valid = session["valid"].values
    automatic.labels = [label for label in automatic.labels if label.name in session]
    automatic.choices = decode_list(session.attrs["choices"])
    automatic.masks, automatic.bin_width = json.loads(session.attrs["masks"]), session.attrs["bin_width"]
    automatic.units, automatic.bins, automatic.bins_in_use = session.sizes["unit"], len(valid), int(valid.sum())
    if check is not None:
        check(session, config)


def _times_only(recording: Recording, config: Config, automatic: Automatic) -> None:
    """Bring the labels onto the bins that the times of large neural data give."""
    if recording.populations:
        binned = labels_on_bins(recording, config)
        kept = {label.name for label in binned.recording.labels}
        automatic.labels = [label for label in automatic.labels if label.name in kept]
        automatic.masks, automatic.bin_width = dict(binned.used.reasons), binned.grid.width


def _values(file: NwbFile, source: Source) -> int:
    """Return how many spikes or values a source has, by the shapes in the file."""
    names = ("spike_times", "data", "timestamps", "times")
    stored = [next((d for n in names if (d := dataset(file.groups[p], n)) is not None), None) for p in source.paths]
    return sum(int(np.prod(data.shape, dtype=np.float64)) for data in stored if data is not None)


def _without_values(file: NwbFile, source: Source) -> list[Population]:
    """Return a large source as a population without values, or of some units of a table; nothing if that is large."""
    group, nothing = file.groups[source.paths[0]], pd.DataFrame({"unit_id": []})
    if source.layout == "units":
        spikes, _ = read_spikes(group, 1 + int(group["spike_times"].shape[0]) // LOOKED_AT)
        observed = read_observed(group)
        return [Population(source.path, "spikes", "count", nothing, spikes=spikes, observed=observed)]
    if dataset(group, "data") is None or max(group["data"].shape) > LOOKED_AT:
        return []
    samples, unit = read_samples(group, source.paths[0], []), unit_of(group)
    kind = activity_kind(source.path, unit)
    return [Population(source.path, kind, unit, nothing, samples=samples, notes=samples.notes)]


def refused(error: Exception) -> Refused:
    """Return an error as the reason why ``auto`` cannot use a file."""
    if isinstance(error, XcebraError):
        return Refused(code=getattr(error, "code", None), reason=error.message, remedy=error.remedy)
    return Refused(code=Code.UNREADABLE_LAYOUT, reason=f"unreadable: {problem_text(error)}", remedy=REMEDY)


def problem_text(error: Exception) -> str:
    """Return what an error says, in one line."""
    return error.message if isinstance(error, XcebraError) else f"{type(error).__name__}: {error}"


def bridged(neural_period: float) -> float:
    """Return the largest distance between label samples that is bridged, in s.

    It is that of the default config.

    Args:
        neural_period: Sample period of the neural data in s; 0 for spike times.

    >>> bridged(0.0)
    0.5
    """
    return max(float(Time.model_fields["max_gap"].default), 2 * max(DEFAULT_WIDTH, neural_period))
