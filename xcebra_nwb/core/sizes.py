"""Memory that a session takes, estimated from its sizes: the request of a workflow to a cluster.

The factors are rounded up from measurements. Too little memory costs a second attempt or smaller groups of members, too
much a longer queue. This module imports nothing heavy.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from xcebra_nwb.core.config.schema import WINDOWS, Config
from xcebra_nwb.core.files import read_json, write_json

FILE = "sizes.json"
PROGRAM_MEGABYTES = 1000.0  # MB of the program, its libraries, and chunks of work
MEGABYTE = 1e6
COPIES = 2.5  # of a recording in memory; over half of the free memory, it goes to disk
BYTES_PER_BIN = 300  # times, labels, segments and label bins
BYTES_PER_LATENT = 8  # of an encoder in a bin: the value, and the bin whose label the encoder was given
GENERATOR = "generator_support"
TYPICAL_LATENTS = 10  # assumed for encoder.outputs: auto


class Sizes(BaseModel):
    """Sizes of a session."""

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
    """Return the sizes of a session; None if it was refused or is not extracted yet."""
    path = directory / FILE
    return Sizes.model_validate(read_json(path)) if path.exists() else None


def session_megabytes(sizes: Sizes, config: Config) -> float:
    """Return the memory (MB) that any command after extraction takes for a session.

    It holds the recording and the latents of all encoders.

    >>> round(session_megabytes(Sizes(bins=36000, units=60, labels=2), Config()))
    96
    """
    latents = TYPICAL_LATENTS if config.encoder.outputs == "auto" else config.encoder.outputs
    bytes_per_unit = sizes.seen_bytes + (sizes.recorded_bytes if GENERATOR in config.attribution.methods else 0)
    recording = COPIES * bytes_per_unit * sizes.units
    embedding = BYTES_PER_LATENT * encoder_count(sizes, config) * (latents + 1)
    return sizes.bins * (BYTES_PER_BIN + recording + embedding) / MEGABYTE


def step_megabytes(sizes: Sizes, config: Config) -> float:
    """Return the memory (MB) of a training step of all encoders.

    It holds the layers of all windows and all pairs of a batch.

    >>> round(step_megabytes(Sizes(bins=36000, units=60, labels=2), Config()))
    318
    """
    batch, encoder = config.training.batch_size, config.encoder
    windows = (2 + sizes.labels + 1) * batch * WINDOWS[encoder.architecture]
    values = windows * (2 * sizes.units + 8 * encoder.hidden) + 3 * (sizes.labels + 1) * batch**2
    return encoder_count(sizes, config) * 4 * values / MEGABYTE


def encoder_count(sizes: Sizes, config: Config) -> int:
    """Return the number of encoders: the seeds, and the nulls of every label.

    >>> encoder_count(Sizes(bins=36000, units=60, labels=2), Config())
    20
    """
    return config.training.seeds + config.training.nulls * sizes.labels
