"""What a file says of each unit is kept for its card, and nothing else reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.session import UNIT_FACT
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.neural.unit_facts import interval_variability


def facts(path: Path) -> dict[str, list]:
    session = extract_session(path, Config(), "a")
    return {
        str(v.attrs["name"]): v.values.tolist() for v in session.data_vars.values() if v.attrs.get("role") == UNIT_FACT
    }


def test_quality_electrode_and_position_reach_the_session(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "a.nwb", units=3)
    with build.edited(path) as h5:
        units, electrodes = h5["units"], h5.require_group("general/extracellular_ephys/electrodes")
        units["snr"] = [2.0, 3.5, np.nan]
        units["quality"] = np.array(["good", "mua", "good"], dtype="S")
        units["empty"] = [np.nan] * 3
        units["peak_channel_id"] = [11, 10, 12]
        electrodes["id"], electrodes["rel_y"] = [10, 11, 12], [100.0, 120.0, np.nan]
        electrodes["group_name"] = np.array(["shank0", "shank0", "shank1"], dtype="S")
    said = facts(path)
    assert said["snr"][:2] == [2.0, 3.5]
    assert said["quality"] == ["good", "mua", "good"]
    assert said["electrode"] == ["11", "10", "12"]
    assert said["electrode group"] == ["shank0", "shank0", "shank1"]
    assert said["electrode rel_y"][:2] == [120.0, 100.0] and np.isnan(said["electrode rel_y"][2])
    assert "empty" not in said


def test_a_damaged_column_is_left_out_and_costs_nothing_else(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "a.nwb", units=3)
    with build.edited(path) as h5:
        h5["units"]["snr"] = [2.0, 3.5, 4.0]
        damaged = h5["units"].create_dataset("damaged", data=[1.0, 2.0, 3.0], chunks=(3,), compression="gzip")
        stored = damaged.id.get_chunk_info(0)
    with path.open("r+b") as file:
        file.seek(stored.byte_offset)
        file.write(b"\xff" * stored.size)
    said = facts(path)
    assert said["snr"] == [2.0, 3.5, 4.0]
    assert "damaged" not in said


def test_intervals_are_judged_from_the_spike_times(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "a.nwb", units=3)
    with build.edited(path) as h5:
        times = h5["units/spike_times"][()]
        first = int(h5["units/spike_times_index"][0])
        times[:first:2] = times[1 : first + first % 2 : 2] - 0.001  # pairs of spikes 1 ms apart
        h5["units/spike_times"][...] = times
    said = facts(path)
    assert said["ISI under 1.5 ms"][0] == pytest.approx(0.5, abs=0.03)
    assert said["ISI under 1.5 ms"][1] < 0.05
    assert said["CV2 of ISI"][0] > 1.5


def test_cv2_is_one_for_poisson_and_does_not_heed_slow_changes() -> None:
    rng = np.random.default_rng(0)
    intervals = rng.exponential(1, 20000)
    assert interval_variability(np.cumsum(intervals)) == pytest.approx(1, abs=0.02)
    slow = np.cumsum(intervals * np.linspace(1, 20, 20000))
    assert interval_variability(slow) == pytest.approx(1, abs=0.02)
