"""extract: an NWB file -> session.nc, inventory.json and sizes.json."""

from __future__ import annotations

import json
import logging
from fnmatch import fnmatchcase
from pathlib import Path

import xarray as xr

from xcebra_nwb.archive import pinned
from xcebra_nwb.archive.pinned import Given
from xcebra_nwb.core import activity, sizes
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.files import write_json
from xcebra_nwb.core.netcdf import decode_list
from xcebra_nwb.core.session import labels, save
from xcebra_nwb.core.sizes import Sizes
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.extraction.on_bins import in_words
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.inventory.models import Inventory
from xcebra_nwb.nwb.reading.foreign import Follow, followed
from xcebra_nwb.nwb.reading.source import Source, is_zarr
from xcebra_nwb.training.design.split import trainable_split

logger = logging.getLogger("xcebra_nwb")


def extract(source: Given, directory: Path, config: Config, session: str, follow: Follow = Follow.FOLDER) -> list[Path]:
    """Write the session dataset, the inventory and the sizes of an NWB file.

    The attributes of the dataset name the source.

    Args:
        source: The recording: a file, an address, an asset or its source.json.
        directory: The session's results folder.
        config: The config.
        session: Name of the session.
        follow: Rule for links of a local file to other files.

    Returns:
        The files: session.nc, inventory.json and sizes.json.

    Raises:
        UsageError: There is no such file, or the config names an object that it does not have.
        Refusal: The file is not NWB 2, or its data do not suffice: no neural data, no behaviour, or too little of it.
    """
    lineage, allowed = pinned.lineage_of(source), pinned.followed(source, follow)
    with pinned.opened(source) as file:
        return _extract(file, Path(directory), config, session, lineage, allowed)


def _extract(
    source: Source, directory: Path, config: Config, session: str, lineage: dict[str, str], follow: Follow
) -> list[Path]:
    dataset, report = directory / "session.nc", directory / "inventory.json"
    content = inventory(source, follow, trainable_split)
    content.file.path = lineage.get("source", source.name if isinstance(source, Path) else content.file.path)
    write_json(report, content.model_dump(mode="json"))
    try:
        extracted = extract_session(source, config, session, directory, follow=follow)
        trainable_split(extracted, config)
        _check_writable(source, follow)
    except Refusal as refusal:
        refusal.files = [report]  # the contents of the file belong to the answer
        raise
    except BaseException:
        report.unlink()
        raise
    extracted.attrs |= lineage
    choices = decode_list(extracted.attrs["choices"])
    extracted.attrs["choices"] = json.dumps(choices + suspicions(content, extracted), ensure_ascii=False)
    save(extracted, dataset)
    masks, used = json.loads(extracted.attrs["masks"]), int(extracted["valid"].sum())
    for line in [
        *decode_list(extracted.attrs["choices"]),
        *in_words(extracted.sizes["unit"], used, extracted.sizes["time"], masks),
    ]:
        logger.info("%s", line)
    return [dataset, report, sizes.save(_sizes(extracted), directory)]


def suspicions(content: Inventory, session: xr.Dataset) -> list[str]:
    """Return what is suspicious about the objects that a session is made of, unless its choices say so already.

    Args:
        content: The inventory of its file.
        session: The session dataset.
    """
    used = session.attrs["neural_source"].split(", ")
    used += [path.split("#")[0] for name in labels(session) for path in session[name].attrs["source"].split(", ")]
    said = "\n".join(decode_list(session.attrs["choices"]))
    remarks = [remark for remark in content.suspicious if any(fnmatchcase(remark.path, path) for path in used)]
    return [f"suspicious: {remark.path}: {remark.what}" for remark in remarks if remark.what not in said]


def _sizes(session: xr.Dataset) -> Sizes:
    return Sizes(
        bins=session.sizes["time"],
        units=session.sizes["unit"],
        labels=len(labels(session)),
        seen_bytes=activity.input_type(session).itemsize,
        recorded_bytes=activity.recorded_type(session).itemsize,
    )


def _check_writable(source: Source, follow: Follow) -> None:
    """Refuse a source that could not be exported now, not after the training."""
    if is_zarr(source) or followed(source, follow):
        # Imported here: pynwb is slow to import, and most recordings are a single HDF5 file.
        from xcebra_nwb.nwb.reading.in_hdf5 import in_hdf5

        with in_hdf5(source, follow):
            pass
