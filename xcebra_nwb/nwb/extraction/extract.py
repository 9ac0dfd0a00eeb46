"""Make the session dataset from an NWB file.

The file is read, brought onto one grid of bins, and masked.
"""

from __future__ import annotations

import json
from pathlib import Path

import xarray as xr

from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.provenance import software
from xcebra_nwb.nwb.extraction.on_bins import session_dataset
from xcebra_nwb.nwb.extraction.recording import read_recording
from xcebra_nwb.nwb.neural.ground_truth import true_types, with_true_types
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.source import Source, source_name


def extract_session(
    source: Source,
    config: Config,
    session: str,
    folder: Path | None = None,
    most: float | None = None,
    follow: Follow = Follow.FOLDER,
) -> xr.Dataset:
    """Return the session dataset of an NWB file.

    Its activity is computed when values of it are read.

    Args:
        source: Path, address or open binary file of the recording.
        config: The config.
        session: Name of the session.
        folder: Folder for a scratch file if sampled activity does not fit the memory; None for that of the system.
        most: Bytes of memory that sampled activity may take; None for half of the free memory.
        follow: Which links into other files are followed.

    Raises:
        UsageError: The config names an object that the file does not hold.
        Refusal: The file lacks something, such as neural data, behaviour, or a time at which both are valid.
    """
    with open_nwb(source, follow) as file:
        recording, types = read_recording(file, config), true_types(file)
    dataset = with_true_types(session_dataset(recording, config, folder, most), types)
    dataset.attrs |= {
        "session": session,
        "source": source.name if isinstance(source, Path) else source_name(source),  # not where a machine has it
        "asset_id": "",
        "software": json.dumps(software()),
        "sha256": sha256(source) if isinstance(source, Path) else "",
    }
    return dataset
