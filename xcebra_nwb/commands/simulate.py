"""simulate: write an NWB file of units with known tuning."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO

from xcebra_nwb.benchmark.simulate.nwb_file import nwb_file
from xcebra_nwb.benchmark.simulate.population import population
from xcebra_nwb.benchmark.simulate.trajectory import contained, walk, walking_agent
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic

SHORTEST = 1.0  # s


def simulate(
    path: Path, seed: int, duration: float = 600.0, cells: int = 20, rates: float = 1.0, mixed: bool = False
) -> Path:
    """Write a simulated recording to ``path`` and return the path.

    Place, grid, head-direction and speed cells from RatInABox fire Poisson spikes along a real rat's walk. The true
    cell type is a column of the units table. The same arguments give the same spikes and positions.

    Args:
        path: File to write, ``sub-<subject>_ses-<session>.nwb``; both names go into the file.
        seed: Random seed of the cells and of the stretch of the walk.
        duration: Duration of the recording, s.
        cells: Number of units of each of the four types.
        rates: Factor on the firing rate of every unit.
        mixed: Whether to simulate three other types, each tuned to two of position, head direction and speed.

    Raises:
        UsageError: The name has another form, the session is shorter than a second, or there are no cells or spikes.
    """
    name = re.fullmatch(r"sub-([A-Za-z0-9]+)_ses-([A-Za-z0-9]+)\.nwb", path.name)
    if name is None:
        raise UsageError(f"{path}: not a name for a simulated session", "call it sub-<subject>_ses-<session>.nwb")
    if duration < SHORTEST or cells < 1 or seed < 0 or not rates > 0:
        raise UsageError(
            f"duration {duration:g} s, {cells} cells, seed {seed}, rates times {rates:g}: nothing to simulate",
            f"give at least {SHORTEST:g} s, one cell of each type, a seed of 0 or more and rates above 0",
        )
    generator = np.random.default_rng(seed)
    with contained(generator):
        agent = walking_agent()
        trajectory = walk(agent, duration, generator)
        units = population(agent, trajectory, cells, generator, rates, mixed)
    with atomic(path) as temporary, NWBHDF5IO(temporary, "w") as io:
        io.write(nwb_file(trajectory, units, subject=name[1], session=name[2], seed=seed))
    return path
