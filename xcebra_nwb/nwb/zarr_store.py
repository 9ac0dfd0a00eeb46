"""Where a Zarr recording is kept: a folder, a zip file, or an address. Only the chunks that are asked for are read."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import BinaryIO

import fsspec
import zarr
from fsspec.implementations.zip import ZipFileSystem

from xcebra_nwb.errors import Refusal
from xcebra_nwb.nwb.zarr_tree import ZarrGroup
from xcebra_nwb.refusals import Code

METADATA = (".zmetadata", ".zgroup")
COLLECTED = {".zgroup", ".zarray", ".zattrs"}


def folder(place: Path | str) -> MutableMapping[str, bytes]:
    """Return the files of a local folder, or under an address."""
    return fsspec.get_mapper(str(place))


def zipped(stream: BinaryIO) -> MutableMapping[str, bytes]:
    """Return the files of a zip file, from the folder that holds the root's metadata."""
    files = ZipFileSystem(fo=stream)
    roots = [name for name in files.find("") if posixpath.basename(name) in METADATA]
    top = posixpath.dirname(min(roots, key=lambda name: name.count("/"))) if roots else ""
    return files.get_mapper(top)


def zarr_root(files: MutableMapping[str, bytes], place: str) -> ZarrGroup:
    """Return the root of the Zarr recording in ``files``.

    Raises:
        Refusal: it is none, or of a format that is not read.
    """
    if not any(name in files for name in METADATA):
        newer = "zarr.json" in files
        raise Refusal(
            Code.UNREADABLE_LAYOUT if newer else Code.NOT_NWB,
            f"{place}: Zarr format 3, which is not read yet" if newer else f"{place}: not an NWB file: no Zarr group",
            "convert it to HDF5 or to Zarr format 2 with hdmf-zarr" if newer else "give an .nwb file or an .nwb.zarr",
        )
    store = Whole(files)
    try:
        if ".zmetadata" in files:
            group = zarr.open_consolidated(store, mode="r")
        else:  # collected once: zarr would list the whole store for every group
            metadata = {key: files[key] for key in files if posixpath.basename(key) in COLLECTED}
            group = zarr.open_group(metadata, chunk_store=store, mode="r")
    except Exception as error:  # zarr fails on wrong metadata in many ways
        raise Refusal(
            Code.DAMAGED, f"{place}: damaged: its Zarr metadata cannot be read: {error}", "copy it again"
        ) from None
    return ZarrGroup(group)


class Whole(MutableMapping[str, bytes]):
    """Files of which no chunk may be missing: Zarr would take a chunk that was not downloaded for zeros."""

    def __init__(self, files: MutableMapping[str, bytes]) -> None:
        self._files = files

    def __getitem__(self, key: str) -> bytes:
        try:
            return self._files[key]
        except KeyError:
            if posixpath.basename(key).startswith("."):
                raise
            raise OSError(f"{key}: this chunk is missing") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._files)

    def __len__(self) -> int:
        return len(self._files)

    def __setitem__(self, key: str, value: bytes) -> None:
        raise OSError("a recording is only read")

    def __delitem__(self, key: str) -> None:
        raise OSError("a recording is only read")
