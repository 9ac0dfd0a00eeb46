"""A whole analysis of a small recording: from the NWB file to the export, with 20 steps of training."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.commands.assess import assess
from xcebra_nwb.commands.attribute import attribute
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.train import train
from xcebra_nwb.commands.write import write
from xcebra_nwb.core.config.schema import validate

NAME = "sub-a_ses-1"
QUICK = {"training": {"steps": 20, "batch_size": 64, "seeds": 2, "nulls": 3}, "neural": {"min_spikes": 10}}


def analysed(source: Path, directory: Path) -> Path:
    """Analyse the recording at ``source`` into ``directory``, and return the export."""
    config = validate(QUICK)
    extract(source, directory, config, NAME)
    train(directory, config)
    attribute(directory, config)
    assess(directory)
    (result,) = write(source, directory, NAME)
    return result
