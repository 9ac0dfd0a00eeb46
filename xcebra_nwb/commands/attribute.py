"""attribute: session.nc, model.safetensors, training.nc, embedding.nc -> attribution.nc, units.nc."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from xcebra_nwb.attribution.block_information import block_information
from xcebra_nwb.attribution.information import information
from xcebra_nwb.attribution.session_maps import session_maps
from xcebra_nwb.attribution.units_dataset import units_dataset
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.members import blocks, recorded_config
from xcebra_nwb.core.netcdf import add_dataset, load_dataset, save_dataset
from xcebra_nwb.core.session import load
from xcebra_nwb.training.design.split import split_session
from xcebra_nwb.training.device import device
from xcebra_nwb.training.inputs import encoder_inputs


def attribute(directory: Path, config: Config, threads: int = 1) -> list[Path]:
    """Compute the maps and the tuning of a session; return attribution.nc and units.nc.

    Maps are computed for every member, over all usable bins. Beside them stands what each label tells about each unit,
    tested without the encoders, and what its block of latents tells. Tuning curves are of the recorded activity in the
    same bins.

    Args:
        directory: the session's results folder, which holds session.nc and what ``train`` wrote.
        config: methods to compute, and their settings.
        threads: CPU threads.

    Raises:
        UsageError: a file of an earlier command is missing or damaged.
        Failure: the recording fits neither memory nor disk.
    """
    path, units_path = directory / "attribution.nc", directory / "units.nc"
    session, training = load(directory / "session.nc"), load_dataset(directory / "training.nc")
    with atomic(path) as temporary:
        with device(config.training.device, threads) as target:
            inputs = encoder_inputs(session, target, directory)
            dataset = session_maps(directory, session, training, config, inputs, temporary)
        settings = recorded_config(training)
        split = split_session(session, settings)
        told = information(session, split, list(blocks(training)), settings)
        embedding = load_dataset(directory / "embedding.nc", ("embedding",))
        followed = block_information(session, split, training, embedding)
        add_dataset(xr.merge([dataset, told, followed], combine_attrs="no_conflicts"), temporary)
    save_dataset(units_dataset(session, split.bins, config), units_path)
    return [path, units_path]
