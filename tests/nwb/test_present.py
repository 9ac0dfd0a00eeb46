"""Values that a file declares and does not hold are missing, not zero."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.support.nwb_builders import add_behaviour, add_rates, add_units, edited, new, save, steady_spikes
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.present import absent
from xcebra_nwb.nwb.reading.values import numbers, values

TIMES = np.arange(600) / 10  # s
SPEED = 1 + np.abs(np.sin(TIMES))
SERIES = "/processing/behavior/BehavioralTimeSeries/speed"


@pytest.fixture
def session(tmp_path: Path) -> Path:
    nwb = new()
    add_units(nwb, steady_spikes())
    add_behaviour(nwb, "speed", TIMES, SPEED)
    return save(nwb, tmp_path / "session.nwb")


def rewritten(h5: h5py.File, path: str, written: int, chunk: int = 100) -> None:
    """Replace a dataset by a copy of which only the first values were written."""
    held, attributes = h5[path][()], dict(h5[path].attrs)
    del h5[path]
    data = h5.create_dataset(path, shape=held.shape, dtype=held.dtype, chunks=(chunk, *held.shape[1:]))
    data[:written] = held[:written]
    data.attrs.update(attributes)


def replaced_by_parts(h5: h5py.File, path: str, parts: list[tuple[str, slice]]) -> None:
    """Replace a dataset by a virtual one, whose parts come from files."""
    held, attributes = h5[path][()], dict(h5[path].attrs)
    del h5[path]
    layout = h5py.VirtualLayout(shape=held.shape, dtype=held.dtype)
    for file, rows in parts:
        layout[rows] = h5py.VirtualSource(file, "part", shape=held[rows].shape)
    h5.create_virtual_dataset(path, layout).attrs.update(attributes)


def part(path: Path, held: np.ndarray) -> None:
    with h5py.File(path, "w") as h5:
        h5["part"] = held


def test_samples_that_were_never_written_are_masked_and_counted(session: Path) -> None:
    with edited(session) as h5:
        rewritten(h5, f"{SERIES}/data", written=400)
    dataset = extract_session(session, validate({}), "session")
    late = dataset["time"].values > 40.0
    assert not dataset["valid"].values[late].any()
    assert dataset["valid"].values[dataset["time"].values < 39.0].all()
    words = "of 600 samples 200 were never written"
    assert f"{SERIES}: {words} and count as missing" in json.loads(dataset.attrs["choices"])
    assert words in [remark.what for remark in inventory(session).suspicious if remark.path == SERIES]


def test_sampled_activity_that_was_never_written_is_masked(tmp_path: Path) -> None:
    nwb = new()
    add_rates(nwb, TIMES, np.random.default_rng(0).random((600, 4)))
    add_behaviour(nwb, "speed", TIMES, SPEED)
    session = save(nwb, tmp_path / "session.nwb")
    with edited(session) as h5:
        rewritten(h5, "/processing/ecephys/firing_rates/data", written=300)
    dataset = extract_session(session, validate({}), "session")
    assert np.array_equal(dataset["valid"].values, dataset["time"].values < 30.0 - 0.05)


def test_spike_times_that_were_never_written_are_refused(session: Path) -> None:
    with edited(session) as h5:
        total = len(h5["/units/spike_times"])
        rewritten(h5, "/units/spike_times", written=total // 2, chunk=100)
        never = total - -(-(total // 2) // 100) * 100
    with pytest.raises(Refusal, match=f"/units/spike_times: of {total} values {never} were never written") as refused:
        extract_session(session, validate({}), "session")
    assert refused.value.code is Code.DAMAGED
    assert any(f"{never} were never written" in remark.what for remark in inventory(session).suspicious)


def test_a_series_of_which_no_sample_was_written_is_refused(session: Path) -> None:
    config = validate({"labels": {"speed": {"source": SERIES}}})
    with edited(session) as h5:
        rewritten(h5, f"{SERIES}/data", written=0)
    with pytest.raises(Refusal, match="of 600 values 600 were never written"):
        extract_session(session, config, "session")


def test_a_part_in_a_file_that_is_not_there_is_masked_and_the_file_named(session: Path) -> None:
    part(session.with_name("first.h5"), SPEED[:300])
    with edited(session) as h5:
        replaced_by_parts(h5, f"{SERIES}/data", [("first.h5", slice(0, 300)), ("second.h5", slice(300, 600))])
    dataset = extract_session(session, validate({}), "session")
    assert not dataset["valid"].values[dataset["time"].values > 30.0].any()
    said = f"{SERIES}: of 600 samples 300 are stored in second.h5, which is not there and count as missing"
    assert said in json.loads(dataset.attrs["choices"])


def test_spike_times_in_a_file_that_is_not_there_are_refused(session: Path) -> None:
    with edited(session) as h5:
        total = len(h5["/units/spike_times"])
        replaced_by_parts(h5, "/units/spike_times", [("lost.h5", slice(0, total))])
    with pytest.raises(Refusal, match=r"stored in lost\.h5, which is not there") as refused:
        extract_session(session, validate({}), "session")
    assert refused.value.code is Code.LEADS_ELSEWHERE


def test_parts_that_are_interleaved_are_told_apart(tmp_path: Path) -> None:
    part(tmp_path / "even.h5", np.arange(0.0, 10.0, 2))
    with h5py.File(tmp_path / "whole.h5", "w") as h5:
        h5["data"] = np.arange(10.0)
        replaced_by_parts(h5, "/data", [("even.h5", slice(0, 10, 2)), ("odd.h5", slice(1, 10, 2))])
    with h5py.File(tmp_path / "whole.h5") as h5:
        gone = absent(h5["data"], slice(3, 7))
        assert gone is not None
        assert gone.where.tolist() == [True, False, True, False]
        assert np.array_equal(values(h5["data"]), np.where(np.arange(10) % 2, np.nan, np.arange(10)), equal_nan=True)


def test_a_numbered_file_that_is_not_there_is_missing(tmp_path: Path) -> None:
    for number in (0, 2):
        part(tmp_path / f"part{number}.h5", np.full(3, float(number + 1)))
    with h5py.File(tmp_path / "whole.h5", "w") as h5:
        space = h5py.h5s.create_simple((9,), (h5py.h5s.UNLIMITED,))
        space.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (3,), (3,))
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        created.set_virtual(space, b"part%b.h5", b"part", h5py.h5s.create_simple((3,)))
        whole = h5py.h5s.create_simple((9,), (h5py.h5s.UNLIMITED,))
        h5py.h5d.create(h5.id, b"data", h5py.h5t.NATIVE_DOUBLE, whole, created)
    with h5py.File(tmp_path / "whole.h5") as h5:
        held = values(h5["data"])
        assert held[:3].tolist() == [1.0] * 3
        assert np.isnan(held[3:6]).all()


def test_values_behind_the_end_of_their_file_are_missing(tmp_path: Path) -> None:
    np.arange(6.0).tofile(tmp_path / "raw.bin")
    with h5py.File(tmp_path / "file.h5", "w") as h5:
        data = h5.create_dataset("data", (5, 2), "f8", external=[(tmp_path / "raw.bin", 0, 80)])
        assert np.isnan(values(data)).tolist() == [[False] * 2] * 3 + [[True] * 2] * 2
        assert absent(data, slice(0, 3)) is None
        with pytest.raises(Refusal, match=r"of 10 values 4 lie behind the end of .*raw.bin"):
            numbers(data)


def test_data_without_any_storage_are_missing(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as h5:
        numbers_only = h5.create_dataset("floats", (5,), "f4")
        texts = h5.create_dataset("texts", (2,), h5py.string_dtype())
        assert np.isnan(values(numbers_only)).all()
        assert values(texts).tolist() == ["", ""]
        with pytest.raises(Refusal, match="/whole: of 5 values 5 were never written; they would read as 0"):
            values(h5.create_dataset("whole", (5,), "i4"))
        with pytest.raises(Refusal, match="/floats: of 5 values 5 were never written"):
            numbers(h5["floats"])


def test_data_that_were_written_are_whole(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as h5:
        h5["plain"], h5["scalar"], h5["empty"] = np.zeros(5), 0.0, np.empty(0)
        h5.create_dataset("chunked", data=np.zeros((7, 3)), chunks=(2, 2), compression="gzip")
        h5.create_dataset("early", shape=(3,), dtype="f8", data=np.zeros(3), chunks=(2,), maxshape=(None,))
        assert [absent(h5[name]) for name in h5] == [None] * 5


def test_only_the_selected_values_count(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "file.h5", "w") as h5:
        data = h5.create_dataset("data", (6, 4), "f8", chunks=(2, 2))
        data[:4, :2] = 1.0
        assert absent(data, (slice(0, 4), 1)) is None
        gone = absent(data, (slice(2, 6), 0))
        assert gone is not None
        assert gone.words() == "of 4 values 2 were never written"
        assert np.isnan(values(data, (5, 3)))
