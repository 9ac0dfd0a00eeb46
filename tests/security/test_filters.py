"""Values are decoded by well-known filters only, and HDF5 loads no native code because a file asks for it."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support import nwb_builders as build
from tests.support.paths import ROOT
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory

UNLISTED, BLOSC = 32099, 32001


def filtered(path: Path, number: int) -> Path:
    """A recording whose spike times are said to be stored by a filter, which need not be here."""
    build.tiny(path)
    with build.edited(path) as h5:
        spikes = h5["units/spike_times"][()]
        del h5["units/spike_times"]
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_chunk(spikes.shape)
        created.set_filter(h5py.h5z.FILTER_DEFLATE, h5py.h5z.FLAG_OPTIONAL, (4,))
        space, kind = h5py.h5s.create_simple(spikes.shape), h5py.h5t.NATIVE_DOUBLE
        h5py.h5d.create(h5["units"].id, b"spike_times", kind, space, created).write(h5py.h5s.ALL, h5py.h5s.ALL, spikes)
    content = bytearray(path.read_bytes())
    # the message of the pipeline: the filter's number, ..., its name padded to eight bytes
    place = content.index(b"deflate\0") - 8
    assert content[place : place + 2] == b"\x01\0"
    content[place : place + 2] = number.to_bytes(2, "little")
    path.write_bytes(content)
    return path


def test_a_filter_that_is_not_read_is_named(tmp_path: Path) -> None:
    path = filtered(tmp_path / "x.nwb", UNLISTED)
    for source in (path, io.BytesIO(path.read_bytes())):
        with pytest.raises(Refusal, match=f"filter {UNLISTED}.*is not read") as caught:
            extract_session(source, validate({}), "one")
        assert caught.value.code is Code.UNKNOWN_CODEC and "gzip" in caught.value.remedy
    assert any(str(UNLISTED) in remark.what for remark in [*inventory(path).suspicious, *inventory(path).problems])


def test_a_filter_that_is_not_installed_is_a_failure_that_names_its_package(tmp_path: Path) -> None:
    path = filtered(tmp_path / "x.nwb", BLOSC)
    says = rf"filter {BLOSC} \(blosc\), which is not installed \(pip install hdf5plugin"
    with pytest.raises(Failure, match=says):
        extract_session(path, validate({}), "one")
    assert any(str(BLOSC) in remark.what for remark in [*inventory(path).suspicious, *inventory(path).problems])


@pytest.mark.parametrize("more", [{"compression": "gzip"}, {"compression": "lzf"}, {"scaleoffset": 3}])
def test_filters_of_hdf5_itself_are_read(more: dict[str, object], tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        spikes = h5["units/spike_times"][()]
        del h5["units/spike_times"]
        h5["units"].create_dataset("spike_times", data=spikes, chunks=True, **more)
    assert inventory(path).neural[0].events == len(spikes)


PLUGIN = """
#include <stdio.h>
#include <stdlib.h>
__attribute__((constructor)) static void loaded(void) { FILE *f = fopen(getenv("LOADED"), "w"); if (f) fclose(f); }
int H5PLget_plugin_type(void) { return 0; }
const void *H5PLget_plugin_info(void) { return 0; }
"""


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")
@pytest.mark.parametrize("number", [UNLISTED, BLOSC])
def test_no_plugin_of_a_folder_is_loaded(number: int, tmp_path: Path) -> None:
    folder = tmp_path / "plugins"
    folder.mkdir()
    (folder / "p.c").write_text(PLUGIN)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", folder / "libh5p.so", folder / "p.c"], check=True)
    path, loaded = filtered(tmp_path / "x.nwb", number), tmp_path / "loaded"
    variables = {"HDF5_PLUGIN_PATH": str(folder), "LOADED": str(loaded), "PATH": "/usr/bin:/bin"}
    plain = (
        "import h5py, sys, contextlib\n"
        "with contextlib.suppress(OSError):\n    h5py.File(sys.argv[1])['units/spike_times'][:]"
    )
    subprocess.run([sys.executable, "-c", plain, path], env=variables, check=True)
    assert loaded.exists()  # so HDF5 does look there
    loaded.unlink()
    ours = (
        "import sys\nfrom pathlib import Path\nfrom xcebra_nwb.nwb.inventory.inventory import inventory\n"
        "from xcebra_nwb.nwb.export.check import report\n"
        "p = Path(sys.argv[1])\nprint(inventory(p).file.path)\nreport(p)\n"
    )
    variables |= {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", ours, path], env=variables, capture_output=True)
    assert path.name.encode() in done.stdout, done.stderr
    assert not loaded.exists()


def test_the_largest_chunk_is_bounded(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        del h5["units/spike_times"]
        length = 400_000_000  # 3.2 GB decoded, for one value; a few MB on disk
        made = h5["units"].create_dataset("spike_times", (length,), "f8", chunks=(length,), compression="gzip")
        made.id.write_direct_chunk((0,), bytes(4_000_000))
    with pytest.raises(Refusal, match=r"a chunk of 3\.2e"):
        extract_session(path, validate({}), "one")
    assert np.any(["a chunk of" in remark.what for remark in inventory(path).suspicious])
