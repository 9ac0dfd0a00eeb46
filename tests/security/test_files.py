"""A file reads itself only: what of it leads to other files, where that is followed, and that it is never exported."""

from __future__ import annotations

import io
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from tests.support import nwb_builders as build
from tests.support.make_results import make_results, make_session
from xcebra_nwb.archive import cache, pinned
from xcebra_nwb.archive.pinned import Pinned
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.extract import extract
from xcebra_nwb.commands.inspect import inspect, render
from xcebra_nwb.commands.write import write
from xcebra_nwb.core import folders
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.export.check import report
from xcebra_nwb.nwb.export.writer import nwb_reader
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.foreign import Follow
from xcebra_nwb.nwb.reading.in_hdf5 import in_hdf5
from xcebra_nwb.nwb.reading.source import Source

SECRET = b"root:x:0:0:the secret of this machine"
NAME = "sub-a_ses-1"
ASSET = "00000000-0000-4000-8000-000000000000"
Hostile = Callable[[h5py.File, str], None]


def text_in_storage(h5: h5py.File, target: str) -> None:
    del h5["session_description"]
    stored = [(target, 0, len(SECRET))]
    h5.create_dataset("session_description", shape=(1,), dtype=f"S{len(SECRET)}", external=stored)


def identifier_in_storage(h5: h5py.File, target: str) -> None:
    del h5["identifier"]
    h5.create_dataset("identifier", shape=(1,), dtype=f"S{len(SECRET)}", external=[(target, 0, len(SECRET))])


def column_in_storage(h5: h5py.File, target: str) -> None:
    rows = h5["units/id"].shape[0]
    h5.create_dataset("units/location_2", shape=(rows,), dtype="S6", external=[(target, 0, 6 * rows)])


def hidden_in_general(h5: h5py.File, target: str) -> None:
    h5.create_dataset("general/notes", shape=(1,), dtype=f"S{len(SECRET)}", external=[(target, 0, len(SECRET))])


def hidden_in_specifications(h5: h5py.File, target: str) -> None:
    h5.create_dataset("specifications/x", shape=(1,), dtype=f"S{len(SECRET)}", external=[(target, 0, len(SECRET))])


def virtual_spikes(h5: h5py.File, target: str) -> None:
    count = h5["units/spike_times"].shape[0]
    layout = h5py.VirtualLayout(shape=(count,), dtype="f8")
    layout[:] = h5py.VirtualSource(target, "units/spike_times", shape=(count,))
    del h5["units/spike_times"]
    h5["units"].create_virtual_dataset("spike_times", layout)


def linked_units(h5: h5py.File, target: str) -> None:
    del h5["units"]
    h5["units"] = h5py.ExternalLink(target, "/units")


def linked_spikes(h5: h5py.File, target: str) -> None:
    del h5["units/spike_times"]
    h5["units/spike_times"] = h5py.ExternalLink(target, "/units/spike_times")


def linked_series(h5: h5py.File, target: str) -> None:
    h5["acquisition/away"] = h5py.ExternalLink(target, "/processing/behavior")


def deep_link(h5: h5py.File, target: str) -> None:
    h5.create_group("general/a/b/c")["d"] = h5py.ExternalLink(target, "/")


STORED = (text_in_storage, identifier_in_storage, column_in_storage, hidden_in_general, hidden_in_specifications)
LINKED = (virtual_spikes, linked_units, linked_spikes, linked_series, deep_link)
every = pytest.mark.parametrize("change", [*STORED, *LINKED], ids=lambda change: change.__name__)


def hostile(path: Path, change: Hostile, target: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    build.tiny(path)
    with build.edited(path) as h5:
        change(h5, target)
    return path


def other(path: Path) -> Path:
    """A file that holds both a recording and the secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    build.tiny(path, seed=0)
    with path.open("ab") as stream:
        stream.write(SECRET)
    with build.edited(path) as h5:
        h5["units"].attrs["description"] = SECRET.decode()
    return path


def secret(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SECRET * 10)
    return path


def lead_target(change: Hostile, folder: Path) -> Path:
    return secret(folder / "secret.txt") if change in STORED else other(folder / "other.nwb")


def in_hdf5_of(source: Source) -> None:
    """What the checker and the writer give to pynwb."""
    with in_hdf5(source):
        pass


def refused(work: Callable[[], Any], target: Path | str) -> None:
    with pytest.raises(Refusal) as caught:
        work()
    assert caught.value.code is Code.LEADS_ELSEWHERE
    said = str(caught.value)
    assert str(target) in said and "/" in said and "\n" not in said and caught.value.remedy


@every
def test_nothing_is_followed_out_of_a_stream(change: Hostile, tmp_path: Path) -> None:
    target = lead_target(change, tmp_path)
    content = hostile(tmp_path / "x.nwb", change, str(target)).read_bytes()
    for work in (inventory, in_hdf5_of, lambda one: extract_session(one, validate({}), "one")):
        refused(lambda work=work: work(io.BytesIO(content)), target)
    with pytest.raises(Refusal), nwb_reader(io.BytesIO(content)):
        pass


@every
def test_nothing_is_followed_out_of_an_asset_whatever_the_user_says(
    change: Hostile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(folders.CACHE_VARIABLE, str(tmp_path / "cache"))
    address = f"https://x.org/api/assets/{ASSET}/"
    row = Session(session=NAME, include=True, source=address, path=f"{NAME}.nwb", asset_id=ASSET, etag="0-1")
    path = hostile(cache.asset_path(row), change, str(lead_target(change, cache.asset_path(row).parent)))
    monkeypatch.setattr(pinned, "downloaded", lambda session: path)
    source = pinned.save(Pinned(access="download", session=row), tmp_path)
    assert pinned.followed(source, Follow.ANYWHERE) is pinned.followed(path, Follow.ANYWHERE) is Follow.NOWHERE
    for work in (
        lambda: extract(source, tmp_path / NAME, validate({}), NAME, Follow.ANYWHERE),
        lambda: inspect(path, Follow.ANYWHERE),
    ):
        with pytest.raises(Refusal) as caught:
            work()
        assert caught.value.code is Code.LEADS_ELSEWHERE
    assert "refused" in discover([path], tmp_path / "t.tsv", follow=Follow.ANYWHERE)[0].found


@every
def test_a_local_file_does_not_lead_out_of_its_folder(change: Hostile, tmp_path: Path) -> None:
    target = lead_target(change, tmp_path / "private")
    link = tmp_path / "data" / "inside"
    link.parent.mkdir()
    link.symlink_to(target)
    names = [str(target), str(link), f"{tmp_path}/data/../private/{target.name}"]
    names += [] if change in STORED else [f"../private/{target.name}", "inside"]
    for number, name in enumerate(names):
        path = hostile(tmp_path / "data" / f"{number}.nwb", change, name)
        refused(lambda path=path: inventory(path), name)
        refused(lambda path=path: in_hdf5_of(path), name)


@every
def test_a_local_file_leads_into_its_folder_and_says_so(change: Hostile, tmp_path: Path) -> None:
    target = lead_target(change, tmp_path)
    told = inventory(hostile(tmp_path / "x.nwb", change, str(target)))
    assert any(target.name in remark.what for remark in told.suspicious)
    assert str(target) in render(told).partition("Suspicious")[2]


@every
def test_what_is_followed_is_never_exported(change: Hostile, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "xcebra_nwb")
    target = lead_target(change, tmp_path / "private")
    source = hostile(tmp_path / "data" / f"{NAME}.nwb", change, str(target))
    extract(source, tmp_path / "out" / NAME, validate({}), NAME, Follow.ANYWHERE)
    assert "followed: /" in caplog.text and str(target) in caplog.text
    directory = tmp_path / "results" / NAME
    session = make_session(np.random.default_rng(0), units=6)
    make_results(directory, session=session, source=source)
    with pytest.raises(Refusal):
        write(source, directory, NAME)
    (export,) = write(source, directory, NAME, Follow.ANYWHERE)
    assert b"secret of this" not in export.read_bytes() and target.name.encode() not in export.read_bytes()
    with h5py.File(export) as h5:
        assert "xcebra_attribution" in h5["processing/misc"]
        if change in (virtual_spikes, linked_units, linked_spikes, column_in_storage):
            assert "units" not in h5 and "xcebra_units" in h5["processing/misc"]


def test_a_followed_file_leads_no_further_than_the_file_itself(tmp_path: Path) -> None:
    folder, far = tmp_path / "data", other(tmp_path / "far.nwb")
    for change, target in ((linked_series, far), (text_in_storage, secret(tmp_path / "secret.txt"))):
        hostile(folder / "middle.nwb", change, str(target))
        hostile(folder / "near.nwb", linked_series, "middle.nwb")
        refused(lambda: inventory(hostile(folder / "x.nwb", linked_units, "near.nwb")), target)
        refused(lambda: inventory(hostile(folder / "y.nwb", virtual_spikes, "near.nwb")), target)


@pytest.mark.parametrize("variable", ["HDF5_EXT_PREFIX", "HDF5_VDS_PREFIX", "HDF5_EXTFILE_PREFIX"])
def test_a_prefix_of_the_environment_leads_nowhere(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other(tmp_path / "private" / "other.nwb")
    other(tmp_path / "data" / "other.nwb")
    changes = {"HDF5_EXT_PREFIX": linked_units, "HDF5_VDS_PREFIX": virtual_spikes}
    path = hostile(tmp_path / "data" / "x.nwb", changes.get(variable, text_in_storage), "other.nwb")
    monkeypatch.setenv(variable, str(tmp_path / "private"))
    refused(lambda: inventory(path), "other.nwb")


def test_a_pattern_of_files_is_not_followed(tmp_path: Path) -> None:
    def pattern(h5: h5py.File, target: str) -> None:
        created = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        whole = h5py.h5s.create_simple((4,), (h5py.h5s.UNLIMITED,))
        whole.select_hyperslab((0,), (h5py.h5s.UNLIMITED,), (1,), (1,))
        part = h5py.h5s.create_simple((1,), (1,))
        created.set_virtual(whole, target.encode(), b"data", part)
        space = h5py.h5s.create_simple((4,), (h5py.h5s.UNLIMITED,))
        h5py.h5d.create(h5.id, b"virtual", h5py.h5t.NATIVE_DOUBLE, space, created)

    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        pattern(h5, "part%b.h5")
    refused(lambda: inventory(path), "part%b.h5")


def test_a_virtual_dataset_and_soft_links_of_the_file_itself_are_read(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        h5["spikes"] = h5["units/spike_times"]
        count = h5["spikes"].shape[0]
        layout = h5py.VirtualLayout(shape=(count,), dtype="f8")
        layout[:] = h5py.VirtualSource(h5["spikes"])
        del h5["units/spike_times"]
        h5["units"].create_virtual_dataset("spike_times", layout)
        h5["acquisition/again"] = h5py.SoftLink("/processing")
    for source in (path, io.BytesIO(path.read_bytes())):
        told = inventory(source)
        assert not told.suspicious and told.neural[0].events == count


def test_a_link_of_an_unknown_type_is_refused(tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with build.edited(path) as h5:
        h5.create_group("scratch/links")["needle"] = h5py.ExternalLink("needle.nwb", "/")
    content = path.read_bytes()
    before = content.index(b"needle")  # the message: version, flags, the link's type, ..., length of its name, its name
    start = content.rindex(b"\x01", 0, before - 2)
    kinds = [place for place in range(start, before) if content[place] == h5py.h5l.TYPE_EXTERNAL]
    if not kinds:
        pytest.skip("this HDF5 writes links another way")
    path.write_bytes(content[: kinds[0]] + bytes([200]) + content[kinds[0] + 1 :])
    refused(lambda: inventory(path), "type 200")


def test_nothing_opens_the_external_file_of_a_series(tmp_path: Path) -> None:
    path, movie = build.tiny(tmp_path / "x.nwb"), secret(tmp_path / "movie.avi")
    with build.edited(path) as h5:
        series = h5.create_group("acquisition/movie")
        series.attrs.update({"neurodata_type": "ImageSeries", "namespace": "core", "object_id": "0"})
        series["external_file"] = [str(movie).encode()]
        series["external_file"].attrs["starting_frame"] = [0]
        series.create_dataset("data", shape=(0, 0, 0), dtype="u1")
        series["starting_time"] = 0.0
        series["starting_time"].attrs["rate"] = 30.0
    opened: list[str] = []

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else "")

    sys.addaudithook(note)
    inventory(path)
    report(path)
    extract_session(path, validate({}), "one")
    assert opened and str(movie) not in opened


def test_the_checker_sees_no_file_that_is_refused(tmp_path: Path) -> None:
    target = other(tmp_path / "private" / "other.nwb")
    path = hostile(tmp_path / "data" / "x.nwb", linked_units, str(target))
    refused(lambda: report(path), target)
    refused(lambda: report(io.BytesIO(path.read_bytes())), target)
    assert "secret of this" not in str(report(path, Follow.ANYWHERE))


@pytest.mark.parametrize("target", ["a" * 30_000, "/proc/self/fd/3", "/dev/stdin", "a/" * 5_000])
def test_names_that_no_file_has_or_keeps_are_not_followed(target: str, tmp_path: Path) -> None:
    path = build.tiny(tmp_path / "x.nwb")
    with h5py.File(path, "r+", libver="latest") as h5:
        h5["acquisition/away"] = h5py.ExternalLink(target, "/")
    refused(lambda: inventory(path), target[:200])
    with pytest.raises(Refusal) as caught:
        inventory(path)
    assert len(str(caught.value)) < 600
