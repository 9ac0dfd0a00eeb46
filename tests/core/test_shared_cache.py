"""The shared cache hands on what was stored, to the byte, or nothing: in folders and in object stores."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import fsspec
import pytest

from tests.support.loopback_s3 import LoopbackS3, loopback_s3
from xcebra_nwb.core import receipts
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import sha256
from xcebra_nwb.core.shared_cache import address, entries
from xcebra_nwb.core.shared_cache import key as key_module
from xcebra_nwb.core.shared_cache.entries import ROOT, Unusable
from xcebra_nwb.core.shared_cache.key import Key, key_of
from xcebra_nwb.core.shared_cache.result import SharedResult
from xcebra_nwb.core.shared_cache.stores import FolderStore, ObjectStore, Store

KEY = Key("assess", "a", {"settings": 1}, {"processor": "x"})
CONTENTS = {"assessment.json": b"{}", "decoded.nc": bytes(range(256)) * 3000}


@pytest.fixture(scope="module")
def s3() -> Iterator[LoopbackS3]:
    with pytest.MonkeyPatch.context() as patch, loopback_s3() as server:
        patch.setenv("AWS_ACCESS_KEY_ID", "somebody")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "a-secret")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield server


def folder(tmp_path: Path, s3: LoopbackS3) -> Store:
    return FolderStore(tmp_path / "cache")


def memory(tmp_path: Path, s3: LoopbackS3) -> Store:
    return ObjectStore(fsspec.filesystem("memory"), f"/{tmp_path.name}", "memory://")


def bucket(tmp_path: Path, s3: LoopbackS3) -> Store:
    return address.opened(s3.address(f"lab/{tmp_path.name}"))


@pytest.fixture(params=[folder, memory, bucket])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: LoopbackS3) -> Store:
    make: Callable[[Path, LoopbackS3], Store] = request.param
    return make(tmp_path, s3)


def written(directory: Path, contents: dict[str, bytes] = CONTENTS) -> tuple[dict[str, str], dict[str, int]]:
    """Write files of a result; return their digests and sizes."""
    directory.mkdir(exist_ok=True)
    for name, content in contents.items():
        (directory / name).write_bytes(content)
    return (
        {name: sha256(directory / name) for name in contents},
        {name: len(content) for name, content in contents.items()},
    )


def kept(store: Store, directory: Path, key: Key = KEY) -> None:
    entries.keep(store, key, directory, *written(directory))


def paths_in(cache: Path, below: str) -> list[Path]:
    return sorted(path for path in (cache / ROOT / below).rglob("*") if path.is_file())


def test_what_was_kept_is_taken_to_the_byte_and_says_who_made_it(store: Store, tmp_path: Path) -> None:
    assert entries.take(store, KEY, tmp_path) is None
    kept(store, tmp_path / "a")
    (tmp_path / "b").mkdir()
    found = entries.take(store, KEY, tmp_path / "b")
    assert found is not None
    assert [path.name for path in found[0]] == ["assessment.json", "decoded.nc"]
    assert {path.name: path.read_bytes() for path in found[0]} == CONTENTS
    assert "@" in found[1].made.by and found[1].made.at.startswith("20") and found[1].made.version


def test_another_key_session_command_or_machine_takes_nothing(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "cache")
    kept(store, tmp_path / "a")
    others = [
        Key("assess", "a", {"settings": 2}, KEY.machine),
        Key("train", "a", KEY.about, KEY.machine),
        Key("assess", "a", KEY.about, {"processor": "y"}),
    ]
    assert [entries.take(store, other, tmp_path) for other in others] == [None] * 3
    with pytest.raises(Unusable, match="another result"):  # two sessions cannot have a key in common
        entries.take(store, Key("assess", "b", KEY.about, KEY.machine), tmp_path)


def test_in_an_object_store_the_manifest_is_written_last_and_no_secret_is_written(
    tmp_path: Path, s3: LoopbackS3
) -> None:
    store = bucket(tmp_path, s3)
    s3.written.clear()
    kept(store, tmp_path / "a")
    assert [name.endswith(".json") for name in s3.written] == [False, False, True]
    assert store.shown == f"s3://lab/{tmp_path.name}"
    assert not [name for name, content in s3.objects.items() if b"secret" in content or b"endpoint" in content]


def test_a_large_file_arrives_in_a_bucket_whole(tmp_path: Path, s3: LoopbackS3) -> None:
    store, large = bucket(tmp_path, s3), tmp_path / "large"
    large.write_bytes(os.urandom(11 * 2**20))  # in several parts
    store.put(large, "large")
    assert hashlib.sha256(b"".join(store.chunks("large"))).hexdigest() == sha256(large)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "gone": Path.unlink,
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "other bytes": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "a link": lambda path: (path.rename(path.with_suffix(".moved")), path.symlink_to(path.with_suffix(".moved"))),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_passed_over_with_one_line_and_then_replaced(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    store = FolderStore(tmp_path / "cache")
    kept(store, tmp_path / "a")
    DAMAGE[damage](paths_in(tmp_path / "cache", "files")[1])
    (tmp_path / "b").mkdir()
    result = SharedResult(store, KEY)
    with caplog.at_level(logging.WARNING):
        assert result.take(tmp_path / "b") is None
    assert len(caplog.messages) == 1 and caplog.messages[0].startswith("shared cache: ")
    assert list((tmp_path / "b").iterdir()) == []
    if damage in ("a link", "a folder"):
        return  # somebody has to remove it
    result.keep(tmp_path / "a", *written(tmp_path / "a"))
    assert SharedResult(store, KEY).take(tmp_path / "b") is not None


def edited(**changes: object) -> Callable[[Path], None]:
    def edit(path: Path) -> None:
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return edit


def outside(path: Path) -> None:
    content = json.loads(path.read_text())
    content["files"]["../../outside"] = content["files"].pop("decoded.nc")
    path.write_text(json.dumps(content))


FOREIGN: dict[str, Callable[[Path], object]] = {
    "no JSON": lambda path: path.write_bytes(b"\x80\x04K\x01."),
    "endless": lambda path: path.write_bytes(b" " * 2_000_000),
    "another format": edited(format=2),
    "another session": edited(session="b"),
    "other settings": edited(about={"settings": 2}),
    "another machine": edited(on={}),
    "unknown fields": edited(more=1),
    "no files": edited(files={}),
    "a path out of the folder": outside,
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_foreign_manifest_is_never_used(tmp_path: Path, kind: str) -> None:
    store = FolderStore(tmp_path / "cache")
    kept(store, tmp_path / "a")
    (manifest,) = paths_in(tmp_path / "cache", "assess")
    FOREIGN[kind](manifest)
    (tmp_path / "b").mkdir()
    with pytest.raises(Unusable):
        entries.take(store, KEY, tmp_path / "b")
    assert list((tmp_path / "b").iterdir()) == [] and not (tmp_path / "outside").exists()


def test_a_folder_that_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "cache")
    kept(store, tmp_path / "a")
    shutil.move(tmp_path / "cache" / ROOT / "files", tmp_path / "elsewhere")
    (tmp_path / "cache" / ROOT / "files").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Failure, match="files is a link"):
        entries.take(store, KEY, tmp_path)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("s3://me:secret@bucket/x", "a user or a password"),
        ("s3://bucket/x?secret_key=secret", "unknown option"),
        ("ftp://host/secret/../x", "no address"),
        ("http://host/x?token=secret", "http:// is no shared cache"),
        ("s3:///x", "no address"),
        ("relative/folder", "relative"),
        ("/dev/null", "not a folder"),
        (" ", "no shared cache"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_and_its_secrets_are_not_said(given: str, problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as refused:
        address.opened(given)
    assert "secret@" not in str(refused.value) and "=secret" not in str(refused.value)


def test_a_folder_that_everybody_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(UsageError, match="everybody may write"):
        address.opened(str(tmp_path))


def test_a_store_that_does_not_answer_or_is_read_only_is_one_line_and_the_command_computes(
    tmp_path: Path, s3: LoopbackS3, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "is_read_only", True)
    result = SharedResult(bucket(tmp_path, s3), Key("write", "a", {}))

    def work() -> list[Path]:
        (tmp_path / "a_desc-xcebra.nwb").write_bytes(b"content")
        return [tmp_path / "a_desc-xcebra.nwb"]

    with caplog.at_level(logging.WARNING):
        assert receipts.run_command("write", tmp_path, work, shared=lambda: result)
    assert len(caplog.messages) == 1 and "write is not kept" in caplog.messages[0]
    assert "endpoint" not in caplog.text


def test_a_receipt_says_where_its_files_were_taken_from_and_none_of_a_computed_one(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "cache")
    computed, other = tmp_path / "1" / "a", tmp_path / "2" / "a"
    for directory, work in ((computed, lambda: kept_files(computed)), (other, list)):
        directory.mkdir(parents=True)
        receipts.run_command("assess", directory, work, shared=lambda: SharedResult(store, KEY))
    first, second = (receipts.load(directory, "assess") for directory in (computed, other))
    assert first.files == second.files and first.sizes == second.sizes
    assert first.taken is None and "taken" not in receipts.path(computed, "assess").read_text()
    assert second.taken is not None and second.taken.cache == str(tmp_path / "cache")


def kept_files(directory: Path) -> list[Path]:
    written(directory)
    return [directory / name for name in CONTENTS]


def test_sessions_that_train_together_are_taken_together_or_not_at_all(tmp_path: Path) -> None:
    store, names = FolderStore(tmp_path / "cache"), ("model.safetensors", "training.nc", "embedding.nc")
    folders = [tmp_path / name for name in ("a", "b")]
    for directory in folders:
        directory.mkdir()
    worked: list[int] = []

    def work(directories: object) -> dict[Path, receipts.Outcome]:
        worked.append(len(list(directories)))  # type: ignore[call-overload]
        outcomes: dict[Path, receipts.Outcome] = {}
        for directory in folders:
            written(directory, {name: name.encode() for name in names})
            outcomes[directory] = [directory / name for name in names]
        return outcomes

    def shared(directories: object) -> dict[Path, SharedResult]:
        return {
            directory: SharedResult(store, Key("train", directory.name, {directory.name: 1})) for directory in folders
        }

    def train() -> list[bool]:
        receipts.run_on_several("train", folders, work, shared=shared)
        return [receipts.load(directory, "train").taken is not None for directory in folders]

    assert (train(), train(), worked) == ([False, False], [True, True], [2])
    paths_in(tmp_path / "cache", "train")[0].unlink()
    assert (train(), worked) == ([False, False], [2, 2])


@pytest.mark.parametrize("part", ["command", "session", "settings", "files", "source"])
def test_every_part_of_a_key_changes_it(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_module, "fingerprint", lambda command: f"code of {command}")  # seconds to compute
    given = {"command": "train", "session": "a", "settings": {}, "files": {"session.nc": "1"}, "source": None}
    changed = {
        "command": "train",
        "session": "b",
        "settings": {"x": 1},
        "files": {"session.nc": "2"},
        "source": {"s": "1"},
    }
    if part == "command":
        keys = [key_of("check", "a", {}, {"a_desc-xcebra.nwb": "1"}, None, {}), key_of(**given, machine={})]
    else:
        keys = [key_of(**(given | more), machine={}) for more in ({}, {part: changed[part]})]
    assert keys[0].name != keys[1].name


def test_the_machine_is_described_by_what_changes_the_last_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    key_module.this_machine.cache_clear()
    before = key_module.this_machine()
    assert all(
        before[part] for part in ("system", "processor", "instructions", "hdf5", "blas of numpy", "blas of scipy")
    )
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    key_module.this_machine.cache_clear()
    assert key_module.this_machine() != before
    key_module.this_machine.cache_clear()


WRITER = """
import sys
from pathlib import Path
from tests.core.test_shared_cache import CONTENTS, kept
from xcebra_nwb.core.shared_cache.key import Key
from xcebra_nwb.core.shared_cache.stores import FolderStore
store, folder = FolderStore(Path(sys.argv[1])), Path(sys.argv[2])
print("ready", flush=True)
for number in range(100_000):
    key = Key("assess", "a", {"number": number, "of": sys.argv[3]})
    CONTENTS["assessment.json"] = str(number).encode()
    kept(store, folder, key)
    print(number, flush=True)
"""


def test_of_two_processes_that_share_a_cache_one_is_killed_and_no_half_entry_is_ever_seen(tmp_path: Path) -> None:
    """Three seconds of CPU time for a new process each: nothing else can be killed at any moment."""
    cache, store = tmp_path / "cache", FolderStore(tmp_path / "cache")
    seen = 0
    command = [sys.executable, "-c", WRITER, str(cache), str(tmp_path / "w"), "x"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
        deadline = time.monotonic() + 0.5
        while time.monotonic() < deadline:
            for number in range(seen, seen + 3):
                key = Key("assess", "a", {"number": number, "of": "x"})
                if entries.take(store, key, tmp_path) is not None:
                    seen = number + 1
        os.kill(writer.pid, signal.SIGKILL)
        last = int((writer.stdout.read().split() or ["-1"])[-1])
    assert seen > 0
    for number in range(last + 3):  # also the one that it was writing
        key = Key("assess", "a", {"number": number, "of": "x"})
        if entries.take(store, key, tmp_path) is None:
            assert number > last
            kept(store, tmp_path / "a", key)  # the other process goes on
            assert entries.take(store, key, tmp_path) is not None
        else:
            assert (tmp_path / "decoded.nc").read_bytes() == CONTENTS["decoded.nc"]
