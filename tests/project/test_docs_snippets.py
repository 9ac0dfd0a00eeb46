"""Every piece of code in the docs is run or checked: Python on small results, YAML as a config, TOML as TOML.

The pages on layouts, labels and conversion have tests of their own; notebooks are run by ``make site``.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import h5py
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray
import yaml

from docs.site.contents import pages
from tests.support.exported_session import NAME, UNITS, export_of, make_source
from tests.support.make_results import make_results, make_session
from tests.support.paths import ROOT
from xcebra_nwb.commands.write import write
from xcebra_nwb.core.config.schema import validate

TUTORIAL, RESULTS = "docs/tutorial/first-map.md", "docs/reference/results.md"
RUN_ELSEWHERE = {  # by the test of the page
    "README.md": "api/test_attribute.py",
    "docs/how-to/from-neuroconv.md": "project/test_docs_convert.py",
    "docs/how-to/from-pynapple.md": "project/test_docs_convert.py",
    "docs/how-to/from-spikeinterface.md": "project/test_docs_convert.py",
    "docs/how-to/your-layout.md": "project/test_docs_your_layout.py",
}
PROFILES = {"docs/how-to/cluster.md"}  # their YAML is Snakemake's


def blocks(page: str, language: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def in_all_pages(language: str) -> list[tuple[str, str]]:
    return [(page, text) for page in pages() for text in blocks(page, language)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with results in OUT/sub-1_ses-1, and their recording in data."""
    monkeypatch.chdir(tmp_path)
    results, recording = tmp_path / "OUT" / "sub-1_ses-1", tmp_path / "data" / "sub-1_ses-1.nwb"
    results.mkdir(parents=True)
    recording.parent.mkdir()
    rng = np.random.default_rng(0)
    session = make_session(rng, units=15)
    session = session.assign_coords(unit=session["unit_id"].values.astype(str))
    make_results(results, rng, session=session)
    with h5py.File(recording, "w") as file:
        file["units/cell_type"] = np.resize(["place", "grid"], int(session["row"].max()) + 1).astype("S")
    yield tmp_path
    plt.close("all")


def test_every_page_with_python_has_a_test_that_runs_it() -> None:
    tested = {TUTORIAL, RESULTS, *RUN_ELSEWHERE}
    assert {page for page, _ in in_all_pages("python")} == tested
    for page, test in RUN_ELSEWHERE.items():
        assert Path(page).name in (ROOT / "tests" / test).read_text(encoding="utf-8")


def test_the_python_of_the_tutorial_runs_on_results(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in blocks(TUTORIAL, "python"):
        exec(compile(text, TUTORIAL, "exec"), {})
    printed = capsys.readouterr().out
    assert "supported - " in printed and "units carry the position" in printed
    assert re.search(r"^grid +[\d.-]+ +[\d.-]+ +\d+$", printed, re.MULTILINE)


def test_the_python_of_the_page_on_results_runs(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder / "OUT" / "sub-1_ses-1")
    names = {"xarray": xarray, "np": np}
    *texts, on_export = blocks(RESULTS, "python")
    assert "pynapple" in on_export
    for text in texts:
        exec(compile(text, RESULTS, "exec"), names)
    assert len(names["error"]) == 2  # type: ignore[arg-type]


@pytest.mark.thorough
@pytest.mark.filterwarnings("default")
def test_the_pynapple_of_the_page_on_results_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five seconds, for the export and the import of pynapple."""
    monkeypatch.chdir(tmp_path)
    source, results = make_source(tmp_path / "source.nwb"), tmp_path / "OUT" / "sub-1_ses-1"
    rng = np.random.default_rng(0)
    make_results(results, rng, session=make_session(rng, units=UNITS), source=source)
    write(source, results, NAME)
    export_of(results).rename(results / "sub-1_ses-1_desc-xcebra.nwb")
    names: dict[str, object] = {}
    exec(compile(blocks(RESULTS, "python")[-1], RESULTS, "exec"), names)
    assert len(names["place"]) > 0 and len(names["maps"]) > 0  # type: ignore[arg-type]


@pytest.mark.parametrize(("page", "text"), in_all_pages("yaml"))
def test_yaml_of_a_page_is_a_config(page: str, text: str) -> None:
    if page in PROFILES:
        options = set(yaml.safe_load(text))
        assert options <= snakemake_options() | {"cluster-generic-submit-cmd"}
    else:
        validate(yaml.safe_load(text))


def snakemake_options() -> set[str]:
    """Return the names of Snakemake's options, which are the keys of a profile; its import takes a second."""
    from snakemake.cli import get_argument_parser

    return {name.removeprefix("--") for action in get_argument_parser()._actions for name in action.option_strings}


@pytest.mark.parametrize(("page", "text"), in_all_pages("toml"))
def test_toml_of_a_page_can_be_read(page: str, text: str) -> None:
    assert tomllib.loads(text)
