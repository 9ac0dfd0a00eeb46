"""A recording with everything that Zarr stores in its own way, in HDF5, and as hdmf-zarr writes it.

``python -m tests.support.zarr_recordings`` writes the recording in format 3 that the tests read. It needs hdmf-zarr
0.14 or newer, which needs Python 3.12 and cannot be installed beside the version that writes format 2.
"""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBFile, TimeSeries
from pynwb.behavior import SpatialSeries
from pynwb.ecephys import ElectricalSeries

from tests.support import nwb_builders as build

FORMAT_3 = Path(__file__).parent / "data" / "hdmf_zarr_format_3.nwb.zarr.zip"
ROOM = "/processing/behavior/Position/room"  # stored in shards, where there are any


def rich(samples: int, epochs: bool, sharded: Callable[[np.ndarray], Any] = np.asarray) -> NWBFile:
    """Return regions by reference, texts, a link, trials, epochs with records of references, series that share
    timestamps, and raw voltage.

    Args:
        samples: of raw voltage.
        epochs: whether there are epochs, whose records of references hdmf-zarr 0.13 cannot write.
        sharded: makes of values what is written in shards.
    """
    nwb = build.new()
    device = nwb.create_device("probe")
    groups = [nwb.create_electrode_group(where, "shank", where, device) for where in ("V1", "LP")]
    for group in groups:
        nwb.add_electrode(group=group, location=group.location)
    nwb.add_unit_column("quality", "good or not")
    for unit, times in enumerate(build.steady_spikes(4)):
        nwb.add_unit(spike_times=times, electrodes=[unit % 2], quality="good", electrode_group=groups[unit % 2])
    times, values = build.circling()
    build.add_position(nwb, times, values)
    position = nwb.processing["behavior"]["Position"]["position"]
    room = SpatialSeries(name="room", data=sharded(values * 2), timestamps=position, reference_frame="the room")
    nwb.processing["behavior"]["Position"].add_spatial_series(room)
    nwb.add_acquisition(TimeSeries(name="speed", data=np.sin(times) + 2, unit="m/s", timestamps=position))
    raw = np.random.default_rng(0).integers(-999, 999, (samples, 2), dtype=np.int16)
    electrodes = nwb.create_electrode_table_region([0, 1], "both")
    nwb.add_acquisition(ElectricalSeries(name="raw", data=raw, electrodes=electrodes, rate=30_000.0))
    build.add_intervals(nwb, "trials", [[0, 20], [25, 50]], choice=["left", "right"], correct=[True, False])
    if epochs:
        nwb.add_epoch(0.0, 30.0, tags=["first"], timeseries=[position])
    return nwb


def in_hdf5(path: Path, samples: int = 500_000, epochs: bool = False) -> Path:
    """Write the recording in HDF5 and return its path."""
    return build.save(rich(samples, epochs), path)


def _in_format_3(folder: Path) -> None:
    """Write the recording with hdmf-zarr, with some values in shards of 256 samples, in chunks of 64."""
    from hdmf_zarr import NWBZarrIO, ZarrDataIO

    recording = rich(50, True, lambda values: ZarrDataIO(values, chunks=(64, 1), shards=(256, 2)))
    with NWBZarrIO(folder.as_posix(), mode="w") as target:
        target.write(recording)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # hdmf-zarr's own
    with tempfile.TemporaryDirectory() as place:
        made = Path(place) / "rich.nwb.zarr"
        _in_format_3(made)
        shutil.rmtree(made / "specifications")  # the schema, most of the bytes, which is not read
        shutil.make_archive(str(FORMAT_3.with_suffix("")), "zip", made)
