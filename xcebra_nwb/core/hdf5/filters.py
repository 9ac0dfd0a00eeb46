"""Check the filters by which the values of an HDF5 file are stored.

HDF5's own filters and the registered ones of hdf5plugin are allowed. HDF5 would look for others in plugin folders,
which hold native code that a file selects by number; it is kept from doing so.
"""

from __future__ import annotations

import contextlib
import importlib.util
import math

import h5py
from h5py import h5d, h5pl, h5z

from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.core.refusals import Code

OWN = {1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 32000: "lzf"}
PLUGINS = {
    307: "bzip2", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32017: "sz",
    32018: "fcidecomp", 32024: "sz3", 32026: "blosc2", 32028: "sperr",
}  # fmt: skip
PACKAGE = "hdf5plugin"
IN_PLACE = frozenset({2, 3})  # filters that do not change the size
PACKING = frozenset({5, 6})  # filters that state their expanded size: number of values (2) and bytes per value (4)


def forget_plugin_folders() -> None:
    """Keep HDF5 from loading filters that no package registered."""
    for _ in range(h5pl.size()):
        h5pl.remove(0)


def check_filters(data: h5py.Dataset) -> None:
    """Check that the filters of a dataset can be used.

    Raises:
        Refusal: A filter is one that is never used.
        Failure: A filter is not installed.
    """
    created = data.id.get_create_plist()
    for number, _, _, name in (created.get_filter(index) for index in range(created.get_nfilters())):
        called = f"{data.name}: stored by filter {number} ({OWN.get(number) or PLUGINS.get(number) or _shown(name)})"
        if number not in OWN and number not in PLUGINS:
            remedy = "only HDF5's own filters and those of hdf5plugin are read: store it by gzip (h5repack)"
            raise Refusal(Code.UNKNOWN_CODEC, f"{called}, which is not read", remedy)
        if not _is_here(number):
            helps = (
                f"pip install {PACKAGE} helps" if number in PLUGINS else f"{PACKAGE} does not help, another h5py does"
            )
            raise Failure(f"{called}, which is not installed", helps)


def is_bomb(data: h5d.DatasetID) -> bool:
    """Return whether filters could expand a chunk to any size.

    That is so if it is compressed several times, or states a false size.
    """
    created = data.get_create_plist()
    stored_by = [created.get_filter(index) for index in range(created.get_nfilters())]
    smaller = [number for number, *_ in stored_by if number not in IN_PLACE]
    if not set(smaller[:-1]) <= PACKING:  # the filter applied last in writing is the first in reading
        return True
    size = math.prod(created.get_chunk()) * data.get_type().get_size() if stored_by else 0
    packed = [settings for number, _, settings, _ in stored_by if number in PACKING]
    return any(len(settings) < 5 or settings[2] * settings[4] > size for settings in packed)


def _is_here(number: int) -> bool:
    if not h5z.filter_avail(number) and number in PLUGINS and importlib.util.find_spec(PACKAGE):
        with contextlib.suppress(ImportError):
            importlib.import_module(PACKAGE)
    return bool(h5z.filter_avail(number))


def _shown(name: bytes) -> str:
    return name[:40].decode("ascii", "replace") or "without a name"
