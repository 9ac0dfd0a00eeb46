"""Trouble of the machine is a failure, which the next run may not meet; damage is none."""

import errno
import fcntl
import tempfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr

from tests.security.test_locks import as_another_user, as_root
from tests.support.nwb_builders import tiny
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.run_folder import sole_run
from xcebra_nwb.core.errors import Failure, UsageError
from xcebra_nwb.core.files import write_text
from xcebra_nwb.core.netcdf import load_dataset, save_dataset
from xcebra_nwb.core.passing import as_failure
from xcebra_nwb.core.receipts import run_command
from xcebra_nwb.nwb.reading.file import open_nwb


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    save_dataset(xr.Dataset({"x": ("unit", np.zeros(3))}), tmp_path / "session.nc")
    return tmp_path / "session.nc"


def test_results_that_are_open_elsewhere_are_not_said_to_be_damaged(stored: Path) -> None:
    with stored.open("rb") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(Failure, match="open for writing elsewhere") as caught:
            load_dataset(stored)
        assert "delete" not in str(caught.value)
    assert load_dataset(stored).sizes["unit"] == 3
    stored.write_bytes(stored.read_bytes()[:100])
    with pytest.raises(UsageError, match="delete it"):
        load_dataset(stored)


@pytest.mark.parametrize("number", [errno.EIO, errno.ESTALE, errno.EMFILE, errno.EACCES])
def test_a_disk_that_fails_while_a_recording_is_read_is_a_failure(number: int, tmp_path: Path) -> None:
    said = f"Can't synchronously read data (file read failed: errno = {number}, error message = 'x')"
    with (
        pytest.raises(Failure, match=r"a\.nwb: (cannot be read now|no permission)"),
        open_nwb(tiny(tmp_path / "a.nwb")),
    ):
        raise OSError(said)  # as h5py does


def test_damage_is_no_passing_trouble(tmp_path: Path) -> None:
    (tmp_path / "a.nwb").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))
    with pytest.raises(OSError) as caught:
        h5py.File(tmp_path / "a.nwb")
    assert as_failure(caught.value, "a.nwb") is None


@as_root
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_folder_that_cannot_be_written_to_is_told_before_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(tempfile.mkdtemp())  # the folders of pytest are closed to other users
    folder.chmod(0o755)
    monkeypatch.chdir(folder)

    def never() -> list[Path]:
        raise AssertionError("began the work")

    monkeypatch.setattr("xcebra_nwb.archive.local.find", never)
    said = "Failure: {}: cannot be written to: Permission denied"
    assert said.format(Path("a/receipts")) in as_another_user(lambda: run_command("train", Path("a"), never))
    assert said.format(folder) in as_another_user(lambda: discover([folder], folder / "t.tsv"))
    assert said.format(folder) in as_another_user(lambda: sole_run(folder).__enter__())
    wrong = as_another_user(lambda: write_text(folder / "page.html", "x"))
    assert "Permission denied: " in wrong and str(folder / "page.html") in wrong


def test_a_home_that_cannot_be_written_to_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").write_text("no folder")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(Failure, match="let XDG_CACHE_HOME name a folder"):
        sole_run(tmp_path / "out").__enter__()
