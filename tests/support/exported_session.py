"""An NWB file with much that an export leaves out, and the path of the export made from it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.behavior import Position, SpatialSeries
from pynwb.file import Subject

NAME = "sub-a_ses-1"
UNITS = 12


def make_source(path: Path, change: Callable[[NWBFile], Any] = lambda nwbfile: None) -> Path:
    """Twelve units on two electrodes, trials that refer to a cue, and what an export leaves out; then ``change``."""
    nwbfile = NWBFile(
        session_description="a rat in a box",
        identifier="made-up",
        session_start_time=datetime(2024, 1, 2, tzinfo=UTC),
        session_id="1",
        experimenter=["Doe, Jane"],
        institution="An institution",
        experiment_description="place cells",
        keywords=["place cells"],
    )
    nwbfile.subject = Subject(subject_id="a", species="Rattus norvegicus", sex="F", age="P90D", description="a rat")
    _add_units(nwbfile)
    _add_series(nwbfile)
    change(nwbfile)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)
    return path


def _add_units(nwbfile: NWBFile) -> None:
    rng = np.random.default_rng(0)
    device = nwbfile.create_device(name="probe", description="a probe")
    group = nwbfile.create_electrode_group(name="shank", description="a shank", location="CA1", device=device)
    for _ in range(2):
        nwbfile.add_electrode(location="CA1", group=group)
    nwbfile.add_unit_column(name="quality", description="how well it was isolated")
    for unit in range(UNITS):
        times = np.sort(rng.uniform(0, 30, 20))
        nwbfile.add_unit(spike_times=times, electrodes=[unit % 2], quality="good", electrode_group=group)


def _add_series(nwbfile: NWBFile) -> None:
    times = np.cumsum(np.random.default_rng(1).uniform(0.01, 0.02, 2000))
    series = {
        name: TimeSeries(name=name, description=name, data=np.sin(times), unit="V", timestamps=times)
        for name in ("cue", "lfp", "light")
    }
    nwbfile.add_acquisition(series["cue"])
    nwbfile.add_acquisition(series["lfp"])
    nwbfile.add_stimulus(series["light"])
    led = SpatialSeries(
        name="led", description="an LED", data=np.c_[times, times], reference_frame="corner", unit="m", timestamps=times
    )
    nwbfile.create_processing_module(name="behavior", description="video").add(Position(spatial_series=led))
    nwbfile.add_trial_column(name="choice", description="where it went")
    for trial in range(6):
        choice = ["left", "right", "none"][trial % 3]
        nwbfile.add_trial(5.0 * trial, 5.0 * trial + 4, choice=choice, timeseries=[series["cue"]])


def export_of(directory: Path) -> Path:
    return directory / f"{NAME}_desc-xcebra.nwb"
