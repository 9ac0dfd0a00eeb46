"""What a session takes of memory, from its sizes: what a workflow asks a cluster for. Imports nothing heavy.

The factors are rounded up from measurements; too little costs a second attempt, or smaller groups of members, too much
a longer queue.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.core.config.schema import WINDOWS, Config
from xcebra_nwb.core.files import read_json, write_json

NAME = "sizes.json"
PACKAGE = 1000.0  # MB: the program, its libraries, and what is done in chunks
MEGABYTE = 1e6
OF_A_BYTE = 2.5  # bytes: of a recording; one that takes over half of what is free goes to disk (inputs.py)
OF_A_BIN = 300  # bytes: times, labels, segments and places
OF_A_LATENT = 8  # bytes: of a member in a bin, as it is written or judged, and the bin whose label it saw
GENERATOR = "generator_support"
LATENTS = 10  # where their number is not said


class Sizes(BaseModel):
    """How large a session is."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bins: int
    units: int
    labels: int
    seen_bytes: int = 4  # of a unit in a bin, as encoders see it
    recorded_bytes: int = 4  # the same as it was recorded, which generators are fitted to


def save(sizes: Sizes, directory: Path) -> Path:
    """Write the sizes of a session into its results folder and return the file."""
    write_json(directory / NAME, sizes.model_dump())
    return directory / NAME


def load(directory: Path) -> Sizes | None:
    """Return the sizes of a session; None before it was extracted, and if it was refused."""
    path = directory / NAME
    return Sizes.model_validate(read_json(path)) if path.exists() else None


def held(sizes: Sizes, config: Config) -> float:
    """Return MB of what every command after extraction holds at most: the recording and all members' latents."""
    latents = LATENTS if config.encoder.outputs == "auto" else config.encoder.outputs
    of_a_unit = sizes.seen_bytes + (sizes.recorded_bytes if GENERATOR in config.attribution.methods else 0)
    a_bin = OF_A_BIN + OF_A_BYTE * of_a_unit * sizes.units + OF_A_LATENT * members(sizes, config) * (latents + 1)
    return sizes.bins * a_bin / MEGABYTE


def step(sizes: Sizes, config: Config) -> float:
    """Return MB of a step of training of all members: layers of every window, and every pair of a batch."""
    batch, encoder = config.training.batch_size, config.encoder
    windows = (2 + sizes.labels + 1) * batch * WINDOWS[encoder.architecture]
    values = windows * (2 * sizes.units + 8 * encoder.hidden) + 3 * (sizes.labels + 1) * batch**2
    return members(sizes, config) * 4 * values / MEGABYTE


def members(sizes: Sizes, config: Config) -> int:
    """Return how many encoders are trained: the seeds, and the nulls of every label."""
    return config.training.seeds + config.training.nulls * sizes.labels
