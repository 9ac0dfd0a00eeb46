"""Read from a file all data that the session dataset is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import XcebraError
from xcebra_nwb.nwb.bins.grid import Range
from xcebra_nwb.nwb.labels.choice import choose_labels
from xcebra_nwb.nwb.labels.label import Label
from xcebra_nwb.nwb.neural import choice
from xcebra_nwb.nwb.neural.population import Population
from xcebra_nwb.nwb.reading.file import NwbFile, with_lost_links
from xcebra_nwb.nwb.reading.intervals import INVALID, TRIALS, interval_tables, read_intervals
from xcebra_nwb.nwb.reading.times import without_outliers
from xcebra_nwb.nwb.reading.within import within_intervals


@dataclass(frozen=True)
class Recording:
    """The contents of a file that extraction uses.

    Attributes:
        populations: Units of each neural source.
        labels: The labels.
        within: Intervals that ``time.within`` allows, shape (interval, 2); None for all times.
        invalid: Intervals marked as invalid in the file, shape (interval, 2).
        borders: Times in s that windows do not cross.
        identity: Subject, species, identifier and start of the recording.
        choices: Lines that say what was picked and why.
    """

    populations: list[Population]
    labels: list[Label]
    within: np.ndarray | None
    invalid: np.ndarray
    borders: np.ndarray
    identity: dict[str, str]
    choices: list[str]


def read_recording(file: NwbFile, config: Config) -> Recording:
    """Return the data of a file that the config, or ``auto``, selects.

    Args:
        file: The open file.
        config: The config.

    Raises:
        UsageError: The config names an object that the file does not hold.
        Refusal: The file holds no neural data, no behaviour, or one that cannot be used.
    """
    try:
        sources, neural_choices = choice.choose(file, config.neural)
        populations = choice.read(file, sources, config.neural)
        taken = [path for source in sources for path in source.paths]
        labels, label_choices = choose_labels(file, config.labels, taken, shared_range(populations))
    except XcebraError as error:
        raise with_lost_links(file, error) from error
    return recording_of(file, config, populations, labels, neural_choices + label_choices)


def recording_of(
    file: NwbFile, config: Config, populations: list[Population], labels: list[Label], choices: list[str]
) -> Recording:
    """Return the data of a file of which the neural data and the labels are read.

    Args:
        file: The open file.
        config: The config.
        populations: Units of each neural source.
        labels: The labels.
        choices: Lines that say why these were picked.
    """
    tables = interval_tables(file)
    trials = [read_intervals(tables[TRIALS]).reshape(-1)] if TRIALS in tables else []
    notes = [note for population in populations for note in population.notes]
    notes += [note for label in labels for note in label.notes]
    notes += [f"followed: {lead}" for lead in file.leads]
    return Recording(
        populations=populations,
        labels=labels,
        within=within_intervals(file, config.time.within),
        invalid=read_intervals(tables[INVALID]) if INVALID in tables else np.empty((0, 2)),
        borders=np.concatenate([*trials, *(label.borders for label in labels), np.empty(0)]),
        identity=identity(file),
        choices=choices + notes,
    )


def shared_range(populations: list[Population]) -> Range | None:
    """Return the start and stop of the time that all populations cover in s, without absurd times.

    It is None if they share no time.
    """
    times = [without_outliers(population.times) for population in populations]
    covered = [(float(kept.min()), float(kept.max())) for kept in times if len(kept)]
    start, stop = max((r[0] for r in covered), default=0.0), min((r[1] for r in covered), default=0.0)
    return (start, stop) if stop > start else None


def identity(file: NwbFile) -> dict[str, str]:
    """Return subject, species, identifier and start time, "" where unknown."""
    return {
        "subject": file.scalar("/general/subject/subject_id"),
        "species": file.scalar("/general/subject/species"),
        "nwb_identifier": file.scalar("/identifier"),
        "session_start_time": file.scalar("/session_start_time"),
    }
