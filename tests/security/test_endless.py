"""A small HDF5 file makes nobody read for ever: virtual datasets of virtual ones, and what is compressed repeatedly."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from tests.support import nwb_builders as build
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.nwb.inventory.inventory import inventory

SPIKES = "/units/spike_times"
Change = Callable[[h5py.File], object]


def virtual(h5: h5py.File, path: str, count: int, *sources: str) -> None:
    """Put a dataset together from all of ``sources``, each in the place of the others."""
    h5.require_group("/scratch")
    created, space = h5p.create(h5p.DATASET_CREATE), h5s.create_simple((count,))
    for source in sources:
        created.set_virtual(space, b".", source.encode(), space)
    h5d.create(h5.id, path.encode(), h5t.IEEE_F64LE, space, created)


def of_itself(h5: h5py.File) -> None:
    del h5["session_description"]
    virtual(h5, "/session_description", 4, "/session_description")


def of_one_another(h5: h5py.File) -> None:
    count = h5[SPIKES].shape[0]
    del h5[SPIKES]
    virtual(h5, SPIKES, count, "/scratch/b")
    virtual(h5, "/scratch/b", count, SPIKES)


def over_a_soft_link(h5: h5py.File) -> None:
    of_one_another(h5)
    h5.move("/scratch/b", "/scratch/c")
    h5["/scratch/b"] = h5py.SoftLink("/scratch/c")


def doubled(h5: h5py.File) -> None:
    """Of which 26 more, each of the one before, would take years."""
    count = h5[SPIKES].shape[0]
    h5.move(SPIKES, "/scratch/v0")
    virtual(h5, SPIKES, count, "/scratch/v0", "/scratch/v0")


def compressed(*filters: int) -> Change:
    """A chunk whose bytes are zeros, compressed by ``filters``."""

    def change(h5: h5py.File) -> None:
        raw = bytes(2**20)
        for number in filters:
            raw = zlib.compress(raw) if number == 1 else raw
        del h5[SPIKES]
        created = h5p.create(h5p.DATASET_CREATE)
        created.set_chunk((2**17,))
        for number in filters:
            created.set_filter(number, 0, (9,) if number == 1 else ())
        made = h5d.create(h5.id, SPIKES.encode(), h5t.IEEE_F64LE, h5s.create_simple((2**17,)), created)
        made.write_direct_chunk((0,), raw)

    return change


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (of_itself, "virtual dataset of objects that do not hold"),
        (of_one_another, "virtual dataset of objects that do not hold"),
        (over_a_soft_link, "virtual dataset of objects that do not hold"),
        (doubled, "reads values several times"),
        (compressed(1, 1), "compressed more than once"),
        (compressed(1, 2, 1), "compressed more than once"),
        (compressed(1, 32000), "compressed more than once"),
    ],
)
def test_what_has_no_end_is_refused(change: Change, said: str, tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        change(h5)
    with pytest.raises(Refusal, match=said):
        inventory(path)


def test_what_is_packed_into_a_chunk_expands_to_a_chunk(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        h5.create_dataset("/scratch/packed", data=np.arange(12345), chunks=(12345,), scaleoffset=0)
    assert inventory(path)
    stored, honest, lie = path.read_bytes(), struct.pack("<I", 12345), struct.pack("<I", 2**31)
    place = stored.index(honest, stored.index(b"scaleoffset\0"))  # the third of the filter's settings
    path.write_bytes(stored[:place] + lie + stored[place + 4 :])
    with pytest.raises(Refusal, match="compressed more than once"):
        inventory(path)


def test_ordinary_filters_are_read(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        values = np.arange(1000)
        h5.create_dataset("/scratch/a", data=values, compression="gzip", shuffle=True, fletcher32=True)
        h5.create_dataset("/scratch/b", data=values, scaleoffset=0, compression="gzip")
        h5.create_dataset("/scratch/c", data=values, compression="lzf")
    assert inventory(path)


def test_files_whose_virtual_datasets_lead_into_each_other_are_refused(tmp_path: Path) -> None:
    path, other = build.tiny(tmp_path / "x.nwb"), tmp_path / "other.h5"
    for here, there, name in ((path, other, SPIKES), (other, path, "/v")):
        with h5py.File(here, "a") as h5:
            if name in h5:
                del h5[name]
            layout = h5py.VirtualLayout((10,), "f8")
            layout[:] = h5py.VirtualSource(str(there), "/v" if here == path else SPIKES, (10,))
            h5.create_virtual_dataset(name, layout)
    with pytest.raises(Refusal, match="a virtual dataset itself"):
        inventory(path)
