"""The cache hands on what the archive stated, whoever wrote to it, and leads nowhere else."""

from __future__ import annotations

import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.support.loopback import Loopback
from xcebra_nwb.archive import cache, download, signing
from xcebra_nwb.archive.download import downloaded
from xcebra_nwb.archive.ranges import BLOCK
from xcebra_nwb.archive.stream import streamed
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.core import folders
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session_table import Session

CONTENT = np.random.default_rng(0).bytes(2 * BLOCK + 1000)
PLANTED = CONTENT[::-1]  # as long
OTHER = 54321  # a user that is not this one
as_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can be two users")


@pytest.fixture
def row(archive: Loopback, tmp_path: Path) -> Session:
    archive.add("sub-a/sub-a_ses-1.nwb", CONTENT)
    return discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv")[0]


@pytest.fixture
def zarr(archive: Loopback, tmp_path: Path) -> Session:
    tree = tmp_path / "tree.nwb.zarr"
    (tree / "a").mkdir(parents=True)
    (tree / "a" / "0").write_bytes(b"chunk")
    (tree / ".zgroup").write_bytes(b"{}")
    archive.add("sub-z/sub-z_ses-1.nwb.zarr", tree)
    return discover([f"{archive.site}/dandiset/000001"], tmp_path / "z.tsv")[0]


def whole(row: Session) -> bytes:
    with streamed(row) as file:
        return file.read()


def overwritten(path: Path) -> None:
    """Other bytes, with the size, the times and the mode of before."""
    before = path.stat()
    path.chmod(0o644)
    path.write_bytes(PLANTED[: before.st_size])
    path.chmod(stat.S_IMODE(before.st_mode))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path: Path) -> None:
    size = path.stat().st_size
    path.unlink()
    path.write_bytes(PLANTED[:size])


def linked(path: Path) -> None:
    outside = path.parents[3] / "outside"
    outside.write_bytes(CONTENT)  # right now
    path.unlink()
    path.symlink_to(outside)


@pytest.mark.parametrize("plant", [overwritten, replaced, linked])
def test_a_planted_file_is_removed_and_the_asset_fetched_again(
    plant: Callable[[Path], None], row: Session, caplog: pytest.LogCaptureFixture
) -> None:
    place = downloaded(row)
    plant(place)
    with caplog.at_level(logging.WARNING):
        assert downloaded(row).read_bytes() == CONTENT
    assert not place.is_symlink()
    (line,) = [one.message for one in caplog.records if "has changed since it was verified" in one.message]
    assert "\n" not in line
    assert downloaded(row).read_bytes() == CONTENT


def test_a_file_that_was_there_first_is_verified(row: Session) -> None:
    place = cache.private_folder(cache.asset_path(row).parent) / cache.asset_path(row).name
    place.write_bytes(PLANTED)
    assert downloaded(row).read_bytes() == CONTENT


def test_a_file_under_another_name_is_verified_and_never_a_link(row: Session) -> None:
    other = cache.private_folder(cache.asset_path(row).parent) / "aaa.nwb"
    other.write_bytes(PLANTED)
    assert downloaded(row).read_bytes() == CONTENT
    again = downloaded(row.model_copy(update={"path": "sub-b/another.nwb"}))
    assert (again.name, again.read_bytes(), again.is_symlink()) == ("another.nwb", CONTENT, False)
    assert downloaded(row).read_bytes() == CONTENT


def changed(tree: Path) -> None:
    overwritten(tree / "a" / "0")


def added(tree: Path) -> None:
    (tree / "a" / "1").write_bytes(b"planted")


def lacking(tree: Path) -> None:
    (tree / "a" / "0").unlink()


def led_out(tree: Path) -> None:
    shutil.move(tree / "a", tree.parents[2] / "elsewhere")
    (tree / "a").symlink_to(tree.parents[2] / "elsewhere")


@pytest.mark.parametrize("plant", [changed, added, lacking, led_out])
def test_every_file_of_a_zarr_is_looked_at(plant: Callable[[Path], None], zarr: Session) -> None:
    plant(downloaded(zarr))
    place = downloaded(zarr)
    held = {one.relative_to(place).as_posix(): one.read_bytes() for one in place.rglob("*") if one.is_file()}
    assert held == {".zgroup": b"{}", "a/0": b"chunk"}
    assert not any(one.is_symlink() for one in place.rglob("*"))


def test_a_zarr_gets_its_other_name_without_a_link(zarr: Session) -> None:
    downloaded(zarr)
    other = downloaded(zarr.model_copy(update={"path": "sub-z/other.nwb.zarr"}))
    assert ((other / "a" / "0").read_bytes(), other.is_symlink()) == (b"chunk", False)


def test_a_stamp_by_another_key_counts_nothing(row: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    overwritten(downloaded(row))
    with monkeypatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path / "of another"))
        cache.stamp(row)
    assert downloaded(row).read_bytes() == CONTENT


def test_a_stamp_is_about_the_digests_that_were_verified(row: Session) -> None:
    downloaded(row)
    assert cache.is_stamped(row)
    assert not cache.is_stamped(row.model_copy(update={"sha256": "0" * 64}))


def test_a_hit_is_not_hashed_again(row: Session, archive: Loopback, monkeypatch: pytest.MonkeyPatch) -> None:
    downloaded(row)
    asked = len(archive.requests)
    monkeypatch.setattr(download, "_wrong", lambda row, path: pytest.fail("a digest was computed"))
    assert downloaded(row).read_bytes() == CONTENT
    assert len(archive.requests) == asked


@pytest.mark.parametrize("kind", ["link", "partial", "other owner"])
def test_what_was_planted_on_the_way_in_is_not_followed(kind: str, row: Session, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"mine")
    folder = cache.private_folder(cache.incoming(row))
    name = "sub-a_ses-1.nwb"
    if kind == "link":
        (folder / name).symlink_to(victim)
    elif kind == "partial":
        (folder / f"{name}.dandidownload").mkdir()
        (folder / f"{name}.dandidownload" / "file").symlink_to(victim)
    elif os.geteuid() != 0:
        pytest.skip("only root can give a file to another user")
    else:
        (folder / name).write_bytes(CONTENT)
        os.chown(folder / name, OTHER, OTHER)
    place = downloaded(row)
    assert (place.read_bytes(), place.is_symlink(), place.stat().st_uid) == (CONTENT, False, os.geteuid())
    assert victim.read_bytes() == b"mine"


def test_a_block_that_is_not_what_was_put_there_is_fetched_again(
    row: Session, archive: Loopback, caplog: pytest.LogCaptureFixture
) -> None:
    assert whole(row) == CONTENT
    sent, blocks = archive.sent, cache.ranges(row) / "0"
    overwritten(blocks / "0")
    with caplog.at_level(logging.WARNING):
        assert whole(row) == CONTENT
    assert archive.sent == sent + BLOCK
    assert "block 0 in the cache has changed" in caplog.text
    shutil.copyfile(blocks / "1", blocks / "0")  # signed, but for another place
    assert whole(row) == CONTENT
    assert whole(row) == CONTENT


def test_all_folders_are_the_users_alone_whatever_the_umask(row: Session, zarr: Session) -> None:
    before = os.umask(0)
    try:
        downloaded(row), downloaded(zarr), whole(row)
    finally:
        os.umask(before)
    for path in (folders.cache_folder(), *(one for one in folders.cache_folder().iterdir() if one.is_dir())):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (folders.cache_folder() / "objects").rglob("*"):
        assert not path.stat().st_mode & 0o022, path


def open_to_all(folder: Path) -> None:
    folder.chmod(0o777)


def open_to_the_group(folder: Path) -> None:
    folder.chmod(0o770)


def of_another(folder: Path) -> None:
    os.chown(folder, OTHER, OTHER)


def a_link_of_another(folder: Path) -> None:
    folder.rename(folder.with_name("elsewhere"))
    folder.symlink_to(folder.with_name("elsewhere"))
    os.lchown(folder, OTHER, OTHER)


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("no folder")


SPOILT = [
    (open_to_all, "others may write"),
    (open_to_the_group, "others may write"),
    (a_file, "cannot be used|no folder"),
    pytest.param(of_another, "belongs to another user", marks=as_root),
    pytest.param(a_link_of_another, "link of another user|a link in the cache", marks=as_root),
]


@pytest.mark.parametrize("inside", ["", "objects", "objects/{key}", "ranges", "locks"])
@pytest.mark.parametrize(("spoil", "says"), SPOILT)
def test_a_folder_that_is_not_the_users_alone_is_refused(
    spoil: Callable[[Path], None], says: str, inside: str, row: Session
) -> None:
    folder = folders.cache_folder() / inside.format(key=cache.key(row))
    cache.private_folder(folder)
    spoil(folder)
    with pytest.raises(UsageError, match=says) as raised:
        whole(row) if inside == "ranges" else downloaded(row)
    assert "\n" not in str(raised.value)
    assert folders.CACHE_VARIABLE in raised.value.remedy or "go-w" in raised.value.remedy


def test_a_link_of_the_user_leads_to_the_cache(row: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The home of many is small, and ~/.cache leads to another disk."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "home").symlink_to("scratch")
    monkeypatch.setenv(folders.CACHE_VARIABLE, str(tmp_path / "home" / "cache"))
    assert downloaded(row).read_bytes() == CONTENT
    assert (tmp_path / "scratch" / "cache" / "objects").is_dir()


@pytest.mark.parametrize("variable", ["XCEBRA_NWB_CACHE", "XDG_CACHE_HOME", "HOME"])
def test_a_place_that_cannot_be_used_is_one_line(variable: str, row: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("XCEBRA_NWB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "/dev/null")
    with pytest.raises(UsageError, match=r"/dev/null.*cannot be used.*XCEBRA_NWB_CACHE") as raised:
        downloaded(row)
    assert "\n" not in str(raised.value)


def test_no_home_is_one_line(row: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XCEBRA_NWB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    with pytest.raises(UsageError, match=r"no home folder .*set HOME"):
        downloaded(row)


def test_the_key_is_the_users_and_not_in_the_cache(
    row: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    downloaded(row)
    key = tmp_path / "state" / "xcebra-nwb" / signing.KEY
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    first = key.read_bytes()
    assert not any(first in one.read_bytes() for one in folders.cache_folder().rglob("*") if one.is_file())
    key.chmod(0o644)  # others may know it now
    signing._key.cache_clear()
    assert not cache.is_stamped(row)
    assert downloaded(row).read_bytes() == CONTENT
    assert (key.read_bytes() != first, stat.S_IMODE(key.stat().st_mode)) == (True, 0o600)


def test_where_no_key_can_be_kept_files_are_verified_by_their_digests(
    row: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null")
    with caplog.at_level(logging.WARNING):
        overwritten(downloaded(row))
        assert downloaded(row).read_bytes() == CONTENT
    assert sum("the key of the cache cannot be saved" in one.message for one in caplog.records) == 1
    signing._key.cache_clear()
    assert not cache.is_stamped(row)
