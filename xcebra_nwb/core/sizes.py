"""What a session takes of memory, from its sizes: what a workflow asks a cluster for. Imports nothing heavy.

The factors are rounded up from measurements; too little costs a second attempt, or smaller groups of members, too much
a longer queue.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.core.config.schema import WINDOWS, Config
from xcebra_nwb.core.files import read_json, write_json

FILE = "sizes.json"
PROGRAM_MEGABYTES = 1000.0  # MB: the program, its libraries, and what is done in chunks
MEGABYTE = 1e6
COPIES = 2.5  # of a recording in memory; one over half of the free memory goes to disk
BYTES_PER_BIN = 300  # times, labels, segments and label bins
BYTES_PER_LATENT = 8  # of an encoder in a bin: the value, and the bin whose label the encoder was given
GENERATOR = "generator_support"
TYPICAL_LATENTS = 10  # assumed for encoder.outputs: auto


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
    write_json(directory / FILE, sizes.model_dump())
    return directory / FILE


def load(directory: Path) -> Sizes | None:
    """Return the sizes of a session; None before it was extracted, and if it was refused."""
    path = directory / FILE
    return Sizes.model_validate(read_json(path)) if path.exists() else None


def session_megabytes(sizes: Sizes, config: Config) -> float:
    """Return MB of what every command after extraction holds at most: the recording and all members' latents."""
    latents = TYPICAL_LATENTS if config.encoder.outputs == "auto" else config.encoder.outputs
    bytes_per_unit = sizes.seen_bytes + (sizes.recorded_bytes if GENERATOR in config.attribution.methods else 0)
    recording = COPIES * bytes_per_unit * sizes.units
    embedding = BYTES_PER_LATENT * encoder_count(sizes, config) * (latents + 1)
    return sizes.bins * (BYTES_PER_BIN + recording + embedding) / MEGABYTE


def step_megabytes(sizes: Sizes, config: Config) -> float:
    """Return MB of a step of training of all members: layers of every window, and every pair of a batch."""
    batch, encoder = config.training.batch_size, config.encoder
    windows = (2 + sizes.labels + 1) * batch * WINDOWS[encoder.architecture]
    values = windows * (2 * sizes.units + 8 * encoder.hidden) + 3 * (sizes.labels + 1) * batch**2
    return encoder_count(sizes, config) * 4 * values / MEGABYTE


def encoder_count(sizes: Sizes, config: Config) -> int:
    """Return how many encoders are trained: the seeds, and the nulls of every label."""
    return config.training.seeds + config.training.nulls * sizes.labels
