"""A file takes no more than it is worth: every bound of hdf5/bounds.py, and a line that says so, in a short time."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import h5py
import numpy as np
import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.archive import given, newer
from xcebra_nwb.archive.publication import CONTACT
from xcebra_nwb.commands.inspect import render
from xcebra_nwb.core import safe_text
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.hdf5 import bounds, scan
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.export import check
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.labels import angles, from_series, stand_ins
from xcebra_nwb.nwb.labels.auto.measured import unit_quantity
from xcebra_nwb.nwb.labels.auto.names import clean_name
from xcebra_nwb.nwb.labels.auto.words import words
from xcebra_nwb.nwb.neural import electrodes, quality, regions, signals
from xcebra_nwb.nwb.neural.readers import series_per_unit
from xcebra_nwb.report import status

SECONDS = 20.0  # far more than any of these takes on a busy machine, far less than what they took


def hostile(path: Path, change: Callable[[h5py.File], object]) -> Path:
    build.tiny(path)
    with h5py.File(path, "r+", libver="latest") as h5:
        change(h5)
    return path


def nested(h5: h5py.File) -> None:
    group = h5["acquisition"]
    for _ in range(3_000):
        group = group.create_group("g")


def cycle(h5: h5py.File) -> None:
    h5["acquisition/a/b/c"] = np.arange(3)
    h5["acquisition/a/b/round"] = h5["acquisition/a"]


def many_attributes(h5: h5py.File) -> None:
    group = h5["acquisition"].create_group("many", track_order=True)
    for number in range(bounds.MOST_ATTRIBUTES + 1):
        group.attrs.create(str(number), 0, dtype="i1")


def huge_attribute(h5: h5py.File) -> None:
    h5.create_group("acquisition/huge").attrs["huge"] = np.zeros(10_000_000, "i1")


def many_columns(h5: h5py.File) -> None:
    h5.create_group("intervals/many").attrs["colnames"] = np.full(1_000_000, b"spikes", "S8")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("change", "says"),
    [
        (nested, f"more than {bounds.MOST_DEPTH} groups inside one another"),
        (cycle, "/acquisition/a/b/round is a group that holds itself"),
        (many_attributes, f"/acquisition/many has {bounds.MOST_ATTRIBUTES + 1} attributes"),
        (huge_attribute, "/acquisition/huge has an attribute of 10000000 bytes"),
        (many_columns, "/intervals/many has an attribute of 8000000 bytes"),
    ],
)
def test_what_no_recording_holds_is_refused_at_once(
    change: Callable[[h5py.File], None], says: str, tmp_path: Path
) -> None:
    path = hostile(tmp_path / "x.nwb", change)
    start = time.monotonic()
    with pytest.raises(Refusal, match=says) as caught:
        inventory(path)
    assert caught.value.code is Code.OUT_OF_BOUNDS and caught.value.remedy
    assert time.monotonic() - start < SECONDS / 4


@pytest.mark.slow
def test_the_number_of_objects_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = hostile(tmp_path / "x.nwb", lambda h5: [h5.create_group(f"scratch/{n}") for n in range(2_000)])
    assert inventory(path).refusal is None
    monkeypatch.setattr(scan, "MOST_OBJECTS", 1_000)
    with pytest.raises(Refusal, match="more than 1000 objects"):
        inventory(path)


def test_groups_that_are_linked_again_and_again_are_seen_once(tmp_path: Path) -> None:
    def bomb(h5: h5py.File) -> None:
        group = h5["acquisition"]
        for level in range(40):  # 2^40 ways to the last one
            below = group.create_group("a")
            group["b"] = below
            group = below
            group.attrs["level"] = level

    start = time.monotonic()
    inventory(hostile(tmp_path / "x.nwb", bomb))
    assert time.monotonic() - start < SECONDS


@pytest.mark.parametrize("name", ["units/id", "units/spike_times", "processing/behavior/speed/speed/data"])
def test_what_is_declared_and_not_stored_is_not_made(name: str, tmp_path: Path) -> None:
    def declare(h5: h5py.File) -> None:
        name_here = name if name in h5 else "processing/behavior/BehavioralTimeSeries/speed/data"
        holder, _, own = name_here.rpartition("/")
        del h5[name_here]
        h5[holder].create_dataset(own, shape=(10**12,), dtype="f8" if own != "id" else "i8", chunks=(1000,))
        if own == "spike_times":
            del h5["units/spike_times_index"]
            h5["units/spike_times_index"] = np.linspace(1, 10**12, 6).astype(int)

    path = hostile(tmp_path / "x.nwb", declare)
    start = time.monotonic()
    inventory(path)
    if name.startswith("units"):
        with pytest.raises(Refusal, match="declares 8e"):
            extract_session(path, validate({}), "a")
    assert time.monotonic() - start < SECONDS


def test_what_takes_more_memory_than_there_is_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def large(h5: h5py.File) -> None:
        del h5["units/spike_times"]
        made = h5["units"].create_dataset("spike_times", (40_000_000,), "f8", chunks=(40_000_000,), compression="gzip")
        made.id.write_direct_chunk((0,), bytes(1_000_000))
        del h5["units/spike_times_index"]
        h5["units/spike_times_index"] = [0, 0, 0, 0, 0, 40_000_000]

    monkeypatch.setattr("xcebra_nwb.core.host_memory.free_bytes", lambda: 2**28)
    with pytest.raises(Refusal, match="bytes of memory are free"):
        extract_session(hostile(tmp_path / "x.nwb", large), validate({}), "one")


def test_texts_and_names_are_cut_and_said(tmp_path: Path) -> None:
    long = "n" * 60_000

    def named(h5: h5py.File) -> None:
        del h5["session_description"]
        h5["session_description"] = "d" * 3_000_000
        h5["units"].create_dataset(long, data=np.arange(6))
        h5["acquisition"].create_group(long)
        h5["units/location"][...] = "r" * 50_000

    path = hostile(tmp_path / "x.nwb", named)
    told = inventory(path)
    assert len(told.file.description) == bounds.MOST_TEXT
    assert any("its name has 60000 characters" in remark.what for remark in told.problems)
    assert max(map(len, render(told).splitlines())) < 2_000 and long not in told.model_dump_json()
    session = extract_session(path, validate({}), "one")
    assert max(len(region) for region in session["region"].values) == bounds.MOST_LABEL


HOSTILE = [
    "a",
    "(",
    " ",
    "[",
    "/",
    "0",
    "1",
    "-",
    "?",
    "<",
    ",",
    ":",
    "df",
    "d_",
    "\x1b[",
    "1;",
    "<a",
    "/x.nw",
    "/.nwb",
    "://",
    "a/",
    " (",
]
WORK: dict[str, Callable[[str], object]] = {
    "unit of angles": angles.radians_per,
    "name of an angle": angles.named_angle,
    "name of a direction": angles.named_direction,
    "name of a place": from_series.PLACE.search,
    "change of a place": from_series.CHANGING.search,
    "unit of a length": from_series.LENGTHS.fullmatch,
    "name of a positive quantity": stand_ins.measured_positive,
    "text": stand_ins.plain_text,
    "finding": lambda text: check._normal(text, PurePosixPath("x.nwb")),
    "label": clean_name,
    "words": words,
    "unit of a movement": unit_quantity,
    "signal": lambda text: signals.signal_of(text, text, "", text, text, text),
    "region": regions.region_text,
    "name of a region": regions._names_regions,
    "channel": lambda text: electrodes.CHANNEL.fullmatch(electrodes.plain(text)),
    "quality": quality._is_flag,
    "meaning of codes": quality._legend,
    "numbered": lambda text: series_per_unit.numbered([text]),
    "neuron": series_per_unit.NEURON.search,
    "colours": lambda text: status.COLOR_CODE.sub("", text),
    "identifier": given.LIKE_IDENTIFIER.fullmatch,
    "address": given.DANDI.fullmatch,
    "place in an archive": given.DANDISET.search,
    "secrets of an address": safe_text.without_secrets,
    "dandiset": newer.OTHER.fullmatch,
}


@pytest.mark.slow
@pytest.mark.parametrize("what", WORK)
def test_no_expression_takes_more_than_a_step_a_character(what: str) -> None:
    slowest = 0.0
    for length in (4_000, 30_000):  # a step for each pair of characters would take many seconds
        for piece in HOSTILE:
            for around in ("{}!", "/{}!", "https://{}!", "\x1b[{}!", "{}x"):
                text, start = around.format(piece * (length // len(piece))), time.process_time()
                WORK[what](text)
                slowest = max(slowest, time.process_time() - start)
                assert slowest < 1.0, (length, piece, around)


def test_paths_of_files_are_still_left_out_of_findings() -> None:
    said = check._normal("see /a/b/c.nwb at 0x1f, '/x/y.py' and d/e.nwb: no", PurePosixPath("z.nwb"))
    assert said == "see a file at 0x, 'a file' and da file: no"
    assert CONTACT.fullmatch("Doe, Jane <a@b>")


def test_numbers_at_the_end_of_a_name_make_sets() -> None:
    paths = [f"/a/cell1_{number}" for number in range(12)]
    assert series_per_unit.numbered(paths) == {"/a/cell1_*": sorted(paths)}
