"""A simulated session as an ordinary NWB file, as a laboratory would write it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from pynwb import NWBFile, TimeSeries
from pynwb.behavior import BehavioralTimeSeries, CompassDirection, Position, SpatialSeries
from pynwb.file import Subject
from pynwb.misc import Units

from xcebra_nwb import __version__
from xcebra_nwb.benchmark.simulate.population import SAMPLE, Population
from xcebra_nwb.benchmark.simulate.trajectory import FRAME, Trajectory
from xcebra_nwb.core.ground_truth import COLUMN, DESCRIPTION, GENERATOR

REGIONS = {"place": "CA1", "grid": "MEC", "head_direction": "MEC", "speed": "MEC"}
MIXED_REGION = "MEC"  # of cells tuned to two labels
START = datetime(2026, 1, 1, 12, tzinfo=UTC)  # fixed, so that a seed gives the same session on any day


def nwb_file(trajectory: Trajectory, population: Population, subject: str, session: str, seed: int) -> NWBFile:
    """Return a simulated session in memory, as an NWB file.

    It holds the units with their true ``cell_type``, position, head direction and speed.

    Args:
        trajectory: of the animal.
        population: the cells and their spikes.
        subject: identifier of the subject.
        session: identifier of the session.
        seed: of the simulation.
    """
    file = NWBFile(
        session_description="Simulated: RatInABox cells on a real rat's walk in a box of 1 m by 1 m (Sargolini 2006)",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{subject} {session} {seed} {len(population.cell_type)}")),
        session_start_time=START,
        session_id=session,
        experiment_description="Spikes with known tuning, to test methods against the truth",
        experimenter=["Simulation, RatInABox"],
        institution="none (simulated)",
        lab="none (simulated)",
        keywords=["simulation", "place cells", "grid cells", "head direction cells", "speed cells"],
        was_generated_by=[[GENERATOR, __version__]],
        related_publications=["doi:10.1126/science.1125572", "doi:10.7554/eLife.85274"],
    )
    file.subject = Subject(
        subject_id=subject, species="Rattus norvegicus", sex="U", age="P90D", description="simulated"
    )
    _add_units(file, population, trajectory.duration)
    _add_behavior(file, trajectory)
    return file


def _add_units(file: NWBFile, population: Population, duration: float) -> None:
    file.units = Units(name="units", description="simulated cells", resolution=SAMPLE)
    file.add_unit_column("location", "brain region that such cells are found in")
    file.add_unit_column(COLUMN, DESCRIPTION)
    for cell_type, spike_times in zip(population.cell_type, population.spike_times, strict=True):
        file.add_unit(
            spike_times=spike_times,
            obs_intervals=[[0.0, duration]],
            location=REGIONS.get(cell_type, MIXED_REGION),
            **{COLUMN: cell_type},
        )


def _add_behavior(file: NWBFile, trajectory: Trajectory) -> None:
    clock = {"starting_time": FRAME / 2, "rate": 1 / FRAME}
    position = SpatialSeries(
        name="position",
        description="position in the box",
        data=trajectory.position,
        unit="meters",
        reference_frame="(0, 0) is a corner of the box",
        **clock,
    )
    head_direction = SpatialSeries(
        name="head_direction",
        description="direction of movement, smoothed, in [0, 2 pi)",
        data=trajectory.head_direction,
        unit="radians",
        reference_frame="anticlockwise from the x axis of the box",
        **clock,
    )
    speed = TimeSeries(name="speed", description="speed of movement", data=trajectory.speed, unit="m/s", **clock)
    module = file.create_processing_module("behavior", "what the animal did")
    module.add(Position(spatial_series=position))
    module.add(CompassDirection(spatial_series=head_direction))
    module.add(BehavioralTimeSeries(time_series=speed))
