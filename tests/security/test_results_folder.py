"""A folder of results that a colleague sends is data: to go on in it runs nothing that it holds."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import xarray as xr

from tests.support import nwb_builders
from xcebra_nwb.commands.run import run
from xcebra_nwb.commands.summarize import summarize
from xcebra_nwb.core import batches, files, session_table
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Refusal, UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.netcdf import load_dataset
from xcebra_nwb.report.status import session_status
from xcebra_nwb.training.device import COMPILED, device
from xcebra_nwb.training.files import load_model

MODULES = ("yte.py", "snakemake.py", "xcebra_nwb/__init__.py", "sitecustomize.py", "numpy.py", "typer.py")
PROFILES = ("profiles/default", "workflow/profiles/default", "default")
PROFILE = """\
__use_yte__: true
?if __import__("pathlib").Path({mark!r}).write_text("ran"):
  keep-going: true
"""


def test_a_run_goes_on_in_it_and_runs_none_of_its_files(tmp_path: Path) -> None:
    out, modules, profiles = tmp_path / "out", tmp_path / "module ran", tmp_path / "profile ran"
    for module in MODULES:
        (out / module).parent.mkdir(parents=True, exist_ok=True)
        (out / module).write_text(f"open({str(modules)!r}, 'w').write(__file__)\n")
    for profile in PROFILES:
        (out / profile).mkdir(parents=True)
        (out / profile / "config.yaml").write_text(PROFILE.format(mark=str(profiles)))
    refusing = validate({"neural": {"min_spikes": 10**6}})  # the whole workflow, without a training
    assert run([nwb_builders.tiny(tmp_path / "x.nwb")], out, refusing, cores=1) == 0
    assert (out / "summary.html").exists()
    assert not modules.exists() and not profiles.exists()


def test_results_that_lead_into_other_files_are_refused(tmp_path: Path) -> None:
    """External storage of a session.nc would show a file of this machine on the page."""
    secret, folder = tmp_path / "secret", tmp_path / "sub-a_ses-1"
    secret.write_bytes(b"hunter2!" * 8)
    folder.mkdir()
    xr.Dataset({"activity": (("time",), np.arange(64.0))}).to_netcdf(folder / "session.nc", engine="h5netcdf")
    with h5py.File(folder / "session.nc", "r+") as h5:
        h5.create_dataset("note", shape=(64,), dtype="u1", external=[(str(secret), 0, 64)])
    with pytest.raises(Refusal, match="stored in another file"):
        load_dataset(folder / "session.nc")
    with h5py.File(folder / "session.nc", "r+") as h5:
        del h5["note"]
        h5["note"] = h5py.ExternalLink("elsewhere.nc", "/activity")
    with pytest.raises(Refusal, match="a link into another file"):
        load_dataset(folder / "session.nc")


def test_no_setting_of_matplotlib_is_taken_from_it(tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nfigure.facecolor: red\n")
    script = (
        "import matplotlib as mpl\nfrom xcebra_nwb.report import style\n"
        "assert mpl.rcParams['text.usetex']\n"
        "def draw():\n    print(mpl.rcParams['text.usetex'], mpl.rcParams['figure.facecolor'])\n"
        "    return style.figure(2, 2)[0]\n"
        "style.picture(draw, 'x')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["False", "white"], done.stderr


def test_compiled_code_is_not_kept_where_others_can_put_theirs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(COMPILED, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with device("cpu", threads=1):
        assert Path(os.environ[COMPILED]).is_relative_to(tmp_path)
    monkeypatch.setenv(COMPILED, "elsewhere")
    with device("cpu", threads=1):
        assert os.environ[COMPILED] == "elsewhere"


@pytest.mark.parametrize("name", ["assessment.json", "receipts/train.json", "session.nc", "model.safetensors"])
def test_a_pipe_among_results_is_not_waited_for(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    os.mkfifo(path)
    weights = partial(load_model, device=torch.device("cpu"))
    read: dict[str, Callable[[Path], Any]] = {".json": read_json, ".nc": load_dataset, ".safetensors": weights}
    with pytest.raises(UsageError, match="not a file"):
        read[path.suffix](path)


def test_json_that_has_no_end_is_refused_and_ends_no_summary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "s" / "receipts").mkdir(parents=True)
    (tmp_path / "s" / "receipts" / "extract.json").write_text("[" * 200_000)
    session_table.write([session_table.Session(session="s", include=True, source="x.nwb")], tmp_path / "t.tsv")
    assert session_status(tmp_path, "s").state == "failed"
    assert summarize(tmp_path, tmp_path / "t.tsv")
    monkeypatch.setattr(files, "LARGEST_JSON", 1000)
    with pytest.raises(UsageError, match="over 1,000 bytes"):
        read_json(tmp_path / "s" / "receipts" / "extract.json")


def test_the_command_line_reads_no_settings_for_matplotlib_in_its_folder(tmp_path: Path) -> None:
    """Before 3.11 matplotlib evaluates one of them, in a way that can be left."""
    (tmp_path / "matplotlibrc").write_text("figure.facecolor: red\n")
    script = (
        "import sys\nsys.argv[1:] = ['--version']\nfrom xcebra_nwb.commands.cli import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "import matplotlib, os\nprint(matplotlib.rcParams['figure.facecolor'], os.getcwd())\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[1:] == [f"white {tmp_path}"], done.stderr


@pytest.mark.parametrize("content", ["[1]", "[[]]", '{"a": 1}', '[["../../x"]]', '[["s", 1]]', "[" * 200_000])
def test_batches_are_lists_of_sessions(content: str, tmp_path: Path) -> None:
    (tmp_path / batches.NAME).write_text(content)
    with pytest.raises(UsageError):
        batches.recorded(tmp_path)


def test_results_that_declare_more_than_they_hold_are_refused(tmp_path: Path) -> None:
    """A variable that was never written takes no byte of the file and as much memory as it likes."""
    xr.Dataset({"activity": (("time",), np.arange(64.0))}).to_netcdf(tmp_path / "session.nc", engine="h5netcdf")
    with h5py.File(tmp_path / "session.nc", "r+") as h5:
        h5.create_dataset("note", shape=(2**36,), dtype="f8", chunks=(2**20,))
    with pytest.raises(Refusal, match=r"/note: declares 5\.5e\+11 bytes and holds 0"):
        load_dataset(tmp_path / "session.nc")
