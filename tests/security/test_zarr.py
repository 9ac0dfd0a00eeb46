"""Hostile recordings in Zarr, made by hand: nothing in them runs, leads elsewhere, or takes more than it may."""

from __future__ import annotations

import bz2
import json
import lzma
import os
import pickle
import struct
import time
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import pytest

from tests.support.range_server import serving
from xcebra_nwb.archive.local import find
from xcebra_nwb.core.errors import Failure, Refusal
from xcebra_nwb.core.hdf5.leads import Follow
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.reading.file import open_nwb
from xcebra_nwb.nwb.reading.source import opened
from xcebra_nwb.nwb.reading.values import values
from xcebra_nwb.nwb.reading.zarr import store

ROOT = {"nwb_version": "2.8.0", "namespace": "core", "neurodata_type": "NWBFile"}
NUMBERS = np.arange(8, dtype="<i4")
Documents = dict[str, Any]


def array_2(**changed: Any) -> Documents:
    """The metadata of eight numbers in one chunk, format 2."""
    plain = {"zarr_format": 2, "shape": [8], "chunks": [8], "dtype": "<i4", "compressor": None, "filters": None}
    return {**plain, "order": "C", "fill_value": 0, **changed}


def array_3(codecs: list[Any] | None = None, **changed: Any) -> Documents:
    """The metadata of eight numbers in one chunk, format 3."""
    plain = {"zarr_format": 3, "node_type": "array", "shape": [8], "data_type": "int32", "fill_value": 0}
    grid = {"name": "regular", "configuration": {"chunk_shape": [8]}}
    keys = {"name": "default", "configuration": {"separator": "/"}}
    codecs = codecs or [{"name": "bytes", "configuration": {"endian": "little"}}]
    return {**plain, "chunk_grid": grid, "chunk_key_encoding": keys, "codecs": codecs, "attributes": {}, **changed}


def recording(folder: Path, number: int, arrays: Mapping[str, Documents], chunk: bytes = NUMBERS.tobytes()) -> Path:
    """Write a recording whose arrays have one chunk each."""
    root = {"zarr_format": number} | ({"node_type": "group", "attributes": ROOT} if number == 3 else {})
    folder.mkdir(parents=True)
    (folder / (".zgroup" if number == 2 else "zarr.json")).write_text(json.dumps(root))
    if number == 2:
        (folder / ".zattrs").write_text(json.dumps(ROOT))
    for name, metadata in arrays.items():
        place = folder / name
        place.mkdir()
        (place / (".zarray" if number == 2 else "zarr.json")).write_text(json.dumps(metadata))
        file = place / (".".join("0" * len(metadata["shape"])) if number == 2 else "c/" + "/".join("0" * 1))
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(chunk)
    return folder


def array(number: int, **changed: Any) -> Documents:
    return array_2(**changed) if number == 2 else array_3(**changed)


def chunk_of(number: int) -> str:
    return "0" if number == 2 else "c/0"


def read(folder: Path, name: str = "numbers") -> Any:
    with open_nwb(folder) as file:
        return values(file.h5[name])


def why(folder: Path, name: str = "numbers") -> str:
    """Why an array cannot be read; its recording can."""
    with pytest.raises((Refusal, OSError)) as caught, opened(folder) as root:
        assert root.attrs["nwb_version"] == "2.8.0"
        values(root[name])
    assert "\n" not in str(caught.value)
    return str(caught.value)


def refusal(source: Path | str) -> Refusal:
    with pytest.raises(Refusal) as caught, open_nwb(source):
        pass
    assert "\n" not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("number", [2, 3])
def test_what_is_made_by_hand_here_can_be_read(tmp_path: Path, number: int) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", number, {"numbers": array(number)})
    assert read(folder).tolist() == NUMBERS.tolist()


@contextmanager
def measured(most: int) -> Iterator[None]:
    """What runs here takes no more than so many bytes at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most
    finally:
        tracemalloc.stop()


# Codecs


class Runs:
    """What a pickle can do."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, (str(self.place),)


PICKLE = {"id": "pickle", "protocol": 5}
OBJECTS = {"dtype": "|O", "fill_value": None}
PICKLED = {
    "a compressor": {"compressor": PICKLE},
    "a compressor of objects": {"compressor": PICKLE, **OBJECTS},
    "a filter": {"filters": [PICKLE], **OBJECTS},
    "a second filter": {"filters": [{"id": "shuffle"}, PICKLE]},
    "a filter before texts": {"filters": [{"id": "vlen-utf8"}, PICKLE], **OBJECTS},
    "msgpack": {"filters": [{"id": "msgpack2"}], **OBJECTS},
    "a codec of another package": {"compressor": {"id": "imagecodecs_jpeg"}},
    "no text": {"compressor": {"id": ["pickle"]}},
    "capitals": {"compressor": {"id": "Pickle"}},
    "without a name": {"compressor": {}},
}


@pytest.mark.parametrize("changed", PICKLED.values(), ids=PICKLED.keys())
@pytest.mark.parametrize("consolidated", [False, True])
def test_nothing_is_unpickled_in_format_2(tmp_path: Path, changed: Documents, consolidated: bool) -> None:
    ran = tmp_path / "ran"
    good = array_2(chunks=[8])
    folder = recording(
        tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(**changed), "good": good}, pickle.dumps(Runs(ran))
    )
    (folder / "good/0").write_bytes(NUMBERS.tobytes())
    if consolidated:
        paths = [path for name in (".zgroup", ".zattrs", ".zarray") for path in folder.rglob(name)]
        collected = {path.relative_to(folder).as_posix(): json.loads(path.read_text()) for path in paths}
        (folder / ".zmetadata").write_text(json.dumps({"zarr_consolidated_format": 1, "metadata": collected}))
    assert "never read" in why(folder) or "which is not read" in why(folder)
    assert read(folder, "good").tolist() == NUMBERS.tolist()
    inventory(folder)
    assert not ran.exists()


def test_a_pickled_fill_value_is_not_looked_at(tmp_path: Path) -> None:
    import base64

    stored = base64.b64encode(pickle.dumps(Runs(tmp_path / "ran"))).decode()
    texts = array_2(**OBJECTS | {"fill_value": stored}, filters=[PICKLE], shape=[0])
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": texts})
    assert "never read" in why(folder)
    assert not (tmp_path / "ran").exists()


BYTES = {"name": "bytes", "configuration": {"endian": "little"}}


def sharded(inner: list[Any], index: list[Any]) -> list[Any]:
    settings = {"chunk_shape": [4], "codecs": inner, "index_codecs": index, "index_location": "end"}
    return [{"name": "sharding_indexed", "configuration": settings}]


UNLISTED_3 = {
    "pickle": [BYTES, {"name": "numcodecs.pickle", "configuration": {}}],
    "in front": [{"name": "numcodecs.pickle"}, BYTES],
    "in place of bytes": [{"name": "numcodecs.pickle"}],
    "a class": [BYTES, {"name": "os.system", "configuration": {"command": "id"}}],
    "another package's": [BYTES, {"name": "numcodecs.imagecodecs_jpeg"}],
    "in a shard": sharded([BYTES, {"name": "pickle"}], [BYTES]),
    "in the index of a shard": sharded([BYTES], [BYTES, {"name": "pickle"}]),
    "in a shard in a shard": sharded(sharded([BYTES, {"name": "pickle"}], [BYTES]), [BYTES]),
    "no mapping": [BYTES, 3],
    "many": [BYTES] + [{"name": "zstd"}] * 10_000,
}


@pytest.mark.parametrize("codecs", UNLISTED_3.values(), ids=UNLISTED_3.keys())
@pytest.mark.parametrize("consolidated", [False, True])
def test_nothing_unlisted_is_asked_for_in_format_3(tmp_path: Path, codecs: list[Any], consolidated: bool) -> None:
    ran, metadata = tmp_path / "ran", array_3(codecs)
    folder = recording(tmp_path / "a.nwb.zarr", 3, {"numbers": metadata, "good": array_3()}, pickle.dumps(Runs(ran)))
    (folder / "good/c/0").write_bytes(NUMBERS.tobytes())
    if consolidated:
        root = json.loads((folder / "zarr.json").read_text())
        inner = {"numbers": metadata, "good": array_3()}
        root["consolidated_metadata"] = {"kind": "inline", "must_understand": False, "metadata": inner}
        (folder / "zarr.json").write_text(json.dumps(root))
    assert why(folder)
    assert read(folder, "good").tolist() == NUMBERS.tolist()
    assert not ran.exists()


RECORDS = [[["a", "|O"]], [["a", [["b", "<i4"]]]], [["", "<i4"]], [["a", "<i4"]] * 5000]
TYPES_2 = ["|V99999999999", "f8,f8", "O8", "|S-1", "object_", {}, None, "<M8[x];", 1, *RECORDS]


@pytest.mark.parametrize("dtype", TYPES_2, ids=lambda dtype: str(dtype)[:30])
def test_odd_types_are_said_in_format_2(tmp_path: Path, dtype: Any) -> None:
    assert why(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(dtype=dtype)}))


NAMED = [{"name": "numpy.object"}, {"name": "struct"}, {"name": []}]
TYPES_3 = ["pickle", "r7", "r99999999999", "os.system", None, [], *NAMED]


@pytest.mark.parametrize("kind", TYPES_3, ids=str)
def test_odd_types_are_said_in_format_3(tmp_path: Path, kind: Any) -> None:
    assert why(recording(tmp_path / "a.nwb.zarr", 3, {"numbers": array_3(data_type=kind)}))


ODD_2 = {
    "a negative shape": {"shape": [-8]},
    "a text for a shape": {"shape": "8"},
    "truth for a length": {"shape": [True]},
    "a shape of fractions": {"shape": [8.5]},
    "chunks of nothing": {"chunks": [0]},
    "chunks of other axes": {"chunks": [4, 2]},
    "a hundred axes": {"shape": [1] * 100, "chunks": [1] * 100},
    "an order of its own": {"order": "../"},
    "a separator of its own": {"dimension_separator": "/../"},
    "filters of another kind": {"filters": {"id": "delta"}},
    "a delta of objects": {"filters": [{"id": "delta", "dtype": "|O"}]},
    "a delta of records": {"filters": [{"id": "delta", "dtype": "V999999999"}]},
    "a shuffle by nothing": {"filters": [{"id": "shuffle", "elementsize": 0}]},
    "a scale that is a text": {"filters": [{"id": "fixedscaleoffset", "dtype": "<i4", "scale": "a", "offset": 0}]},
    "texts of numbers": {"filters": [{"id": "vlen-utf8"}]},
    "objects without a codec": OBJECTS,
    "categories of nothing": {"filters": [{"id": "categorize", "labels": 3, "dtype": "O"}], **OBJECTS},
}


@pytest.mark.parametrize("changed", ODD_2.values(), ids=ODD_2.keys())
def test_odd_metadata_of_an_array_are_said(tmp_path: Path, changed: Documents) -> None:
    assert why(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(**changed)}))


ODD_3 = {
    "a grid of its own": {"chunk_grid": {"name": "rectilinear", "configuration": {}}},
    "a separator of its own": {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "/../"}}},
    "keys of its own": {"chunk_key_encoding": {"name": "../../{0}"}},
    "a transformer": {"storage_transformers": [{"name": "indirection"}]},
    "something that must be understood": {"pointer": {"name": "elsewhere"}},
    "no codecs": {"codecs": []},
    "bytes twice": {"codecs": [BYTES, BYTES]},
    "a turn of other axes": {"codecs": [{"name": "transpose", "configuration": {"order": [5]}}, BYTES]},
    "shards that do not fit": {"codecs": sharded([BYTES], [BYTES]), "shape": [9], "chunk_grid": {
        "name": "regular", "configuration": {"chunk_shape": [9]}}},
    "a fill value of objects": {"fill_value": {"__class__": "os.system"}},
}  # fmt: skip


@pytest.mark.parametrize("changed", ODD_3.values(), ids=ODD_3.keys())
def test_odd_metadata_of_format_3_are_said(tmp_path: Path, changed: Documents) -> None:
    assert why(recording(tmp_path / "a.nwb.zarr", 3, {"numbers": array_3() | changed}))


# Nothing but itself


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    place = tmp_path / "elsewhere/secret"
    place.parent.mkdir()
    place.write_bytes(b"s" * 32)
    return place


@pytest.mark.parametrize("number", [2, 3])
def test_a_chunk_is_no_link_out_of_the_recording(tmp_path: Path, secret: Path, number: int) -> None:
    folder = recording(tmp_path / "home/a.nwb.zarr", number, {"numbers": array(number)})
    chunk = folder / "numbers" / chunk_of(number)
    chunk.unlink()
    chunk.symlink_to(secret)
    assert "leads out" in why(folder)
    chunk.unlink()
    chunk.symlink_to(os.path.relpath(secret, chunk.parent))
    assert "leads out" in why(folder)


@pytest.mark.parametrize("number", [2, 3])
def test_a_folder_is_no_link_out_of_the_recording(tmp_path: Path, secret: Path, number: int) -> None:
    folder = recording(tmp_path / "home/a.nwb.zarr", number, {"numbers": array(number)})
    (folder / "numbers").rename(secret.parent / "numbers")
    (folder / "numbers").symlink_to(secret.parent / "numbers")
    assert "leads out" in why(folder)


@pytest.mark.parametrize(("number", "name"), [(2, ".zgroup"), (2, ".zmetadata"), (2, ".zattrs"), (3, "zarr.json")])
def test_metadata_are_no_link_out_of_the_recording(tmp_path: Path, secret: Path, number: int, name: str) -> None:
    folder = recording(tmp_path / "home/a.nwb.zarr", number, {"numbers": array(number)})
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(secret)
    assert refusal(folder).code is Code.LEADS_ELSEWHERE


@pytest.mark.parametrize(
    ("place", "follow", "followed"),
    [
        ("home/a.nwb.zarr/other", Follow.NOWHERE, True),
        ("home/other", Follow.NOWHERE, False),
        ("home/other", Follow.FOLDER, True),
        ("elsewhere", Follow.FOLDER, False),
        ("elsewhere", Follow.ANYWHERE, True),
    ],
)
def test_links_are_followed_as_far_as_is_said(tmp_path: Path, place: str, follow: Follow, followed: bool) -> None:
    folder = recording(tmp_path / "home/a.nwb.zarr", 2, {"numbers": array_2()})
    (folder / "numbers/0").rename(tmp_path / place)
    (folder / "numbers/0").symlink_to(tmp_path / place)
    with open_nwb(folder, follow) as file:
        if followed:
            assert values(file.h5["numbers"]).tolist() == NUMBERS.tolist()
        else:
            with pytest.raises(Refusal, match="leads out"):
                values(file.h5["numbers"])


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()})
    (folder / "numbers/0").unlink()
    os.mkfifo(folder / "numbers/0")
    assert "no file" in why(folder)


@pytest.mark.parametrize("path", ["../out", "/etc", "a//b", "a/./b", "a\\..\\b", "a\0b", "a/../../b"])
@pytest.mark.parametrize("number", [2, 3])
def test_objects_have_plain_paths(tmp_path: Path, path: str, number: int) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", number, {})
    root = json.loads(next(folder.glob("*z*r*")).read_text()) if number == 3 else {}
    inner = {path: array_3()} if number == 3 else {".zgroup": {"zarr_format": 2}, f"{path}/.zarray": array_2()}
    root |= {"consolidated_metadata": {"metadata": inner}} if number == 3 else {"metadata": inner}
    (folder / ("zarr.json" if number == 3 else ".zmetadata")).write_text(json.dumps(root))
    assert "an object called" in str(refusal(folder))


AWAY = [
    {"name": "away", "source": "../other.nwb.zarr", "path": "/units"},
    {"name": "away", "source": "/etc", "path": "/passwd"},
    {"name": "away", "source": "https://example.org/x.zarr", "path": "/"},
    {"name": "away", "source": ".", "path": "/../../etc/passwd"},
    {"name": "away", "source": ".", "path": "/away"},
    {"name": "away", "source": ".", "path": 3},
]


@pytest.mark.parametrize("link", AWAY, ids=lambda link: str(link["path"]))
@pytest.mark.parametrize(("number", "key"), [(2, "zarr_link"), (3, "_LINKS")])
def test_links_lead_nowhere_else(tmp_path: Path, link: Documents, number: int, key: str) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", number, {})
    file = folder / (".zattrs" if number == 2 else "zarr.json")
    stated = json.loads(file.read_text())
    (stated if number == 2 else stated["attributes"])[key] = [link, "nonsense", {"path": "/"}]
    file.write_text(json.dumps(stated))
    with open_nwb(folder) as file:
        assert set(file.problems) == {"/away"} and set(file.groups) == set()


@pytest.mark.parametrize("key", ["value", "_REFERENCE"])
def test_a_reference_into_another_recording_is_none(tmp_path: Path, key: str) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()})
    stated = {"table": {key: {"source": "../b.zarr", "path": "/numbers"}}}
    (folder / "numbers/.zattrs").write_text(json.dumps(stated))
    with open_nwb(folder) as file, pytest.raises(KeyError, match="another file"):
        file.h5["numbers"].attrs["table"]


@pytest.mark.parametrize(
    "name", ["a::b.nwb.zarr", "s3:x.nwb.zarr", "file:x.nwb.zarr", "simplecache::x.nwb.zarr", "-rf.nwb.zarr"]
)
def test_a_local_name_is_only_a_name(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = recording(tmp_path / f"{name}.nwb.zarr", 2, {"numbers": array_2()})
    assert read(folder).tolist() == NUMBERS.tolist()
    assert find([tmp_path]) == [folder]
    monkeypatch.chdir(tmp_path)
    assert read(Path(folder.name)).tolist() == NUMBERS.tolist()


# Zip files


def members(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def zipped(path: Path, content: Mapping[str, bytes], **settings: Any) -> Path:
    with zipfile.ZipFile(path, "w", **settings) as target:
        for name, data in content.items():
            target.writestr(name, data)
    return path


@pytest.mark.parametrize("name", ["../x", "/etc/x", "numbers/../../x", "numbers\\0", "./x"])
def test_a_zip_file_holds_plain_names(tmp_path: Path, name: str) -> None:
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    assert "is called" in str(refusal(zipped(tmp_path / "a.nwb.zarr.zip", content | {name: b""})))


def test_a_zip_file_holds_no_links(tmp_path: Path) -> None:
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    path = zipped(tmp_path / "a.nwb.zarr.zip", content)
    link = zipfile.ZipInfo("numbers/link")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(path, "a") as target:
        target.writestr(link, "/etc/passwd")
    assert "is a link" in str(refusal(path))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_zip_file_holds_a_name_once(tmp_path: Path) -> None:
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    path = zipped(tmp_path / "a.nwb.zarr.zip", content)
    with zipfile.ZipFile(path, "a") as target:
        target.writestr("numbers/0", b"other")
    assert "the same name" in str(refusal(path))


def test_an_encrypted_chunk_is_said(tmp_path: Path) -> None:
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    path = zipped(tmp_path / "a.nwb.zarr.zip", content)
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"numbers/0") - 46  # its entry in the table at the end
    raw[place + 8] |= 1
    path.write_bytes(raw)
    assert "encrypted" in why(path)


def test_files_in_a_zip_file_do_not_lie_over_each_other(tmp_path: Path) -> None:
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    path = zipped(tmp_path / "a.nwb.zarr.zip", content)
    raw = bytearray(path.read_bytes())
    place = raw.rindex(b"numbers/0") - 46
    raw[place + 20 : place + 28] = struct.pack("<II", 2**20, 2**20)
    path.write_bytes(raw)
    assert "over each other" in str(refusal(path))


@pytest.mark.parametrize("name", ["numbers/0", ".zattrs"])
def test_a_zip_bomb_is_not_unpacked(tmp_path: Path, name: str) -> None:
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    path = zipped(tmp_path / "a.nwb.zarr.zip", content | {name: bytes(2**26 + 2)}, compression=zipfile.ZIP_DEFLATED)
    with measured(2**24), pytest.raises((Refusal, OSError)), opened(path) as root:
        values(root["numbers"])


# Bounds


def bomb_zstd() -> bytes:
    return numcodecs.Zstd(1).encode(bytes(2**21))


BOMBS: dict[str, Callable[[], bytes]] = {
    "zlib": lambda: zlib.compress(bytes(2**21), 9),
    "gzip": lambda: _gzip(bytes(2**21)),
    "bz2": lambda: bz2.compress(bytes(2**21), 1),
    "lzma": lambda: lzma.compress(bytes(2**21), preset=0),
    "zstd": bomb_zstd,
    "lz4": lambda: struct.pack("<I", 2**30) + b"\x1f" + b"\0" * 64,
    "blosc": lambda: struct.pack("<BBBBIII", 2, 1, 0, 4, 2**30, 2**20, 80) + b"\0" * 64,
}


def _gzip(content: bytes) -> bytes:
    engine = zlib.compressobj(9, wbits=31)
    return engine.compress(content) + engine.flush()


@pytest.mark.parametrize("name", BOMBS)
def test_a_chunk_expands_to_what_it_holds(tmp_path: Path, name: str) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(compressor={"id": name})}, BOMBS[name]())
    with measured(2**20):
        assert "expands to more than" in why(folder)


def test_codecs_one_in_another_expand_no_further(tmp_path: Path) -> None:
    chunk = zlib.compress(zlib.compress(zlib.compress(bytes(2**24), 9), 9), 9)
    settings = {"compressor": {"id": "zlib"}, "filters": [{"id": "zlib"}, {"id": "zlib"}]}
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(**settings)}, chunk)
    assert "expands to more than" in why(folder)


@pytest.mark.parametrize("stated", [0, 15, 17, 2**31, 2**32 - 1])
def test_a_blosc_chunk_that_lies_about_its_length_is_not_decoded(tmp_path: Path, stated: int) -> None:
    raw = bytearray(numcodecs.Blosc().encode(NUMBERS.tobytes()))
    raw[12:16] = struct.pack("<I", stated)
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(compressor={"id": "blosc"})}, bytes(raw))
    assert "states" in why(folder)


@pytest.mark.parametrize("name", [name for name in BOMBS if name != "lzma"])
@pytest.mark.parametrize("length", [0, 1, 3, 6, 15, 20])
def test_a_compressed_chunk_that_is_cut_off_is_said(tmp_path: Path, name: str, length: int) -> None:
    codec = numcodecs.get_codec({"id": name})
    raw = bytes(codec.encode(NUMBERS.tobytes()))[:length]
    assert why(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(compressor={"id": name})}, raw))


COUNTS = [2**32 - 1, 2**31, 9, 7]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("codec", ["vlen-utf8", "vlen-bytes"])
def test_texts_are_as_many_as_the_chunk_holds(tmp_path: Path, count: int, codec: str) -> None:
    chunk = struct.pack("<I", count) + struct.pack("<I", 0) * 8
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(**OBJECTS, filters=[{"id": codec}])}, chunk)
    assert "texts" in why(folder)
    (folder / "numbers/0").write_bytes(struct.pack("<II", 8, 2**32 - 1) + bytes(64))
    assert "cut off" in why(folder)


@pytest.mark.parametrize("shape", ["[1000000000000]", '[1, 2, "|O"]'])
def test_values_in_json_are_as_many_as_the_chunk_holds(tmp_path: Path, shape: str) -> None:
    chunk = f'["a", "|O", {shape}]'.encode()
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(**OBJECTS, filters=[{"id": "json2"}])}, chunk)
    assert "values in JSON" in why(folder)
    (folder / "numbers/0").write_bytes(b"[" * 10**6)
    assert "nested too deeply" in why(folder)


HUGE = {
    "one chunk": {"shape": [2**40], "chunks": [2**40]},
    "many chunks": {"shape": [2**40], "chunks": [1]},
    "many axes of chunks": {"shape": [100] * 20, "chunks": [1] * 20},
    "one item": {"dtype": "|V9999999", "shape": [10**6], "chunks": [10**6]},
    "texts": {**OBJECTS, "filters": [{"id": "vlen-utf8"}], "shape": [2**40], "chunks": [2**40]},
    "more than the machine has": {"shape": [2**55], "chunks": [2**40]},
}


@pytest.mark.parametrize("changed", HUGE.values(), ids=HUGE.keys())
def test_declared_sizes_take_no_memory(tmp_path: Path, changed: Documents) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2(**changed)})
    began = time.monotonic()
    assert why(folder)
    inventory(folder)
    assert time.monotonic() - began < 5


def test_what_is_not_stored_is_not_made_up_in_any_size(tmp_path: Path) -> None:
    grid = {"name": "regular", "configuration": {"chunk_shape": [2**27]}}
    folder = recording(tmp_path / "a.nwb.zarr", 3, {"numbers": array_3(shape=[2**36], chunk_grid=grid)})
    assert "declares" in why(folder)
    with opened(folder) as root, pytest.raises(OSError, match="it expands from"):
        root["numbers"][2**28 : 2**30]


@pytest.mark.parametrize("offset", [2**63, 10**6, 0])
def test_the_index_of_a_shard_leads_into_the_shard(tmp_path: Path, offset: int) -> None:
    index = struct.pack("<QQQQ", offset, 2**40, 0, 16)
    folder = recording(tmp_path / "a.nwb.zarr", 3, {"numbers": array_3(sharded([BYTES], [BYTES]))}, bytes(16) + index)
    assert "shorter than it should be" in why(folder)
    (folder / "numbers/c/0").write_bytes(b"short")
    assert "shorter than it should be" in why(folder)


@pytest.mark.parametrize("number", [2, 3])
def test_metadata_are_bounded(tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_METADATA", 10_000)
    monkeypatch.setattr(store, "MOST_NODES", 20)
    large = recording(tmp_path / "large.nwb.zarr", number, {})
    file = large / (".zattrs" if number == 2 else "zarr.json")
    stated = json.loads(file.read_text())
    (stated if number == 2 else stated["attributes"])["long"] = "x" * 10_000
    file.write_text(json.dumps(stated))
    assert "at most 10001" in str(refusal(large))
    many = recording(tmp_path / "many.nwb.zarr", number, {f"a{i}": array(number) for i in range(21)})
    assert refusal(many).code is Code.OUT_OF_BOUNDS
    long = {"x": {"must_understand": False, "y": "z" * 900}}
    some = recording(tmp_path / "some.nwb.zarr", number, {f"a{i}": array(number) | long for i in range(15)})
    assert refusal(some).code is Code.OUT_OF_BOUNDS


@pytest.mark.parametrize("consolidated", [False, True])
def test_groups_are_not_endlessly_deep(tmp_path: Path, consolidated: bool) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {})
    paths = ["/".join(["g"] * depth) for depth in range(1, 3000 if consolidated else 100)]
    if consolidated:
        inner = {f"{path}/.zgroup": {"zarr_format": 2} for path in ["", *paths]}
        inner[".zgroup"] = inner.pop("/.zgroup")
        (folder / ".zmetadata").write_text(json.dumps({"metadata": inner | {".zattrs": ROOT}}))
    else:
        (folder / paths[-1]).mkdir(parents=True)
        for path in paths:
            (folder / path / ".zgroup").write_text('{"zarr_format": 2}')
    assert refusal(folder).code is Code.OUT_OF_BOUNDS


def test_folders_that_hold_themselves_end(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {})
    (folder / "round").symlink_to(".")
    assert refusal(folder).code is Code.OUT_OF_BOUNDS


def test_links_to_links_end(tmp_path: Path) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()})
    links = [{"name": f"l{k}", "source": ".", "path": f"/l{k - 1}/l{k - 1}"} for k in range(1, 60)]
    links.append({"name": "l0", "source": ".", "path": "/"})
    (folder / ".zattrs").write_text(json.dumps(ROOT | {"zarr_link": links}))
    began = time.monotonic()
    with open_nwb(folder) as file:
        assert "/l59" in file.problems and "/l3" not in file.problems
    assert time.monotonic() - began < 5


@pytest.mark.parametrize("content", ["[" * 10**6, '{"a":' * 10**6, "[]", "1" * 5000, '"', "\xff", "null", ""])
@pytest.mark.parametrize("name", ["zarr.json", ".zmetadata", ".zgroup", "numbers/.zarray"])
def test_metadata_that_make_no_sense_are_one_line(tmp_path: Path, content: str, name: str) -> None:
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()})
    (folder / name).write_bytes(content.encode("latin-1"))
    if name.startswith("numbers"):
        assert why(folder)
    else:
        assert refusal(folder).code in {Code.DAMAGED, Code.NOT_NWB}


def test_many_zip_members_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xcebra_nwb.nwb.reading.zarr.files.MOST_FILES", 10)
    content = members(recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()}))
    path = zipped(tmp_path / "a.nwb.zarr.zip", content | {f"{i}": b"" for i in range(10)})
    assert "more than 10 files" in str(refusal(path))


# Addresses


def test_an_address_is_read_with_consolidated_metadata_only(tmp_path: Path) -> None:
    recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()})
    with serving(tmp_path) as server:
        assert "consolidated" in str(refusal(server.address("a.nwb.zarr")))
        assert refusal(server.address("none.nwb.zarr")).code is Code.NOT_NWB
        address = server.address("a.nwb.zarr")
    with pytest.raises(Failure, match="cannot be read"), open_nwb(address):
        pass


def test_what_a_server_sends_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_METADATA", 10_000)
    folder = recording(tmp_path / "a.nwb.zarr", 2, {"numbers": array_2()})
    (folder / ".zmetadata").write_text(json.dumps({"metadata": {"x": "y" * 2**20}}))
    with serving(tmp_path) as server:
        assert "longer than" in str(refusal(server.address("a.nwb.zarr")))
