"""Figures and methods for a paper: a journal's sizes, text that can be edited, and no number but the results' own."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tests.support.command_line import run
from tests.support.html import EVIL
from tests.support.make_results import make_results, make_session
from xcebra_nwb.commands.figure import figure
from xcebra_nwb.commands.finished_sessions import session_folder
from xcebra_nwb.commands.methods import methods
from xcebra_nwb.core import netcdf
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.results import load
from xcebra_nwb.report.methods import dataset_reference
from xcebra_nwb.report.methods import methods as methods_of
from xcebra_nwb.report.paper_style import WIDTHS, paper

POINT = 25.4 / 72  # mm


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run with one session of three labels of different kinds."""
    folder = tmp_path_factory.mktemp("results")
    make_results(folder / "sub-a_ses-1")
    return folder


@pytest.mark.slow
def test_a_pdf_has_the_width_of_a_double_column_and_fonts_that_can_be_edited(output: Path, tmp_path: Path) -> None:
    said = figure(output, "position", tmp_path / "a.pdf")
    content = (tmp_path / "a.pdf").read_bytes()
    box = re.search(rb"/MediaBox \[ *0 0 ([\d.]+) ([\d.]+)", content)
    assert box is not None
    assert float(box[1]) * POINT == pytest.approx(WIDTHS["double"], abs=0.1)
    assert b"/FontFile2" in content and b"/Type3" not in content
    assessed = read_json(output / "sub-a_ses-1" / "assessment.json")["labels"]["position"]
    assert f"q ≤ 0.05; {assessed['carrying_units']} of {assessed['tested_units']}" in said
    assert "2 seeds" in said and "3 nulls" in said
    assert said.endswith(f"Verdict on position: {assessed['verdict']} ({assessed['because']}).")


def test_the_same_results_give_the_same_file(output: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.pdf", "b.pdf", "a.svg", "b.svg")]
    for file in files:
        figure(output, "position", file, panels=("decoding",))
    content = [file.read_bytes() for file in files]
    assert content[0] == content[1] and content[2] == content[3]


@pytest.mark.slow
def test_text_in_an_svg_is_text_and_names_are_no_markup(tmp_path: Path) -> None:
    session = make_session(np.random.default_rng(0), labels=["choice"], unit_ids=[f"u<{unit}>" for unit in range(12)])
    session["choice"].attrs["classes"] = json.dumps([EVIL, "right"])
    make_results(tmp_path / "out", session=session)
    figure(tmp_path / "out", "", tmp_path / "a.svg", panels=("tuning", "map"), look=paper("single", None, 6.0))
    text = (tmp_path / "a.svg").read_text()
    width = re.search(r'<svg [^>]*width="([\d.]+)pt"', text)
    assert width is not None
    assert float(width[1]) * POINT == pytest.approx(WIDTHS["single"], abs=0.1)
    assert ">u&lt;3&gt;</text>" in text and "carries choice" in text
    assert EVIL not in text


@pytest.mark.slow
@pytest.mark.parametrize("label", ["head_direction", "choice"])
def test_a_png_has_the_resolution_that_print_asks_for(label: str, output: Path, tmp_path: Path) -> None:
    figure(output, label, tmp_path / "a.png", panels=("tuning",), look=paper("60", None, 7.0), dots_per_inch=400)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == pytest.approx(60 / 25.4 * 400, abs=1)
        assert image.info["dpi"][0] == pytest.approx(400, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--label", "speed", "-o", "a.pdf"], "one of: position, head_direction, choice"),
        (["-o", "a.pdf"], "one of: position, head_direction, choice"),
        (["--label", "position", "-o", "a.jpg"], "call it .pdf, .svg, .png"),
        (["--label", "position", "-o", "a.png", "--dpi", "72"], "at least 300"),
        (["--label", "position", "-o", "a.png", "--dpi", "100000"], "at most 2400"),
        (["--label", "position", "-o", "a.pdf", "--panels", "map, tuning, maps"], "no panel maps"),
        (["--label", "position", "-o", "a.pdf", "--size", "wide"], "single, middle, double"),
        (["--label", "position", "-o", "a.pdf", "--size", "5"], "40 to 400 mm"),
        (["--label", "position", "-o", "a.pdf", "--font", "No Such Font"], "not installed"),
        (["--label", "position", "-o", "a.pdf", "--panels", "map,maps"], "no panel maps"),
        (["--label", "position", "-o", "a.pdf", "--session", "../x"], "no results of the session ../x"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_a_line(
    arguments: list[str], says: str, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setattr("xcebra_nwb.commands.figure.paper_figure", lambda *given: Figure())
    monkeypatch.chdir(tmp_path)
    code, _, said = run(capsys, "figure", output, *arguments)
    assert (code, says in said) == (2, True), said
    assert not list(tmp_path.iterdir())


def test_of_several_sessions_one_is_named(output: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "assessment.json").write_text("{}")
    (tmp_path / "c").symlink_to(output / "sub-a_ses-1")
    assert session_folder(tmp_path, "b") == tmp_path / "b"
    assert session_folder(tmp_path / "a", "") == tmp_path / "a"
    assert session_folder(output, "") == output / "sub-a_ses-1"
    with pytest.raises(UsageError, match=r"2 sessions have results .name one by --session: a, b"):
        session_folder(tmp_path, "")
    with pytest.raises(UsageError, match="no results of the session c"):
        session_folder(tmp_path, "c")


def test_the_numbers_of_the_methods_are_those_of_the_results(tmp_path: Path) -> None:
    make_results(tmp_path)
    for name in ("training", "attribution"):
        dataset = netcdf.load_dataset(tmp_path / f"{name}.nc")
        config = json.loads(dataset.attrs["config"])
        config["training"] |= {"steps": 7777, "batch_size": 113, "learning_rate": 0.00123, "held_out_blocks": 9}
        config["training"]["regularizer"] = {"weight": 0.77, "ramp": [0.2, 0.4]}
        config |= {"random_seed": 4242}
        software = {"xcebra-nwb": "0.0.1", "torch": "9.9.9"}
        netcdf.save_dataset(dataset.assign_attrs(config=json.dumps(config), software=json.dumps(software)),
                            tmp_path / f"{name}.nc")  # fmt: skip
    text = methods(tmp_path).text
    for said in ("7,777 steps", "batches of 113", "rate 0.00123", "9 stretches", "weight 0.77", "20.0% and 40.0%",
                 "seed 4242", "torch 2.13.0 and 9.9.9", "2 encoders", "3 encoders (shift: it moves in time)",
                 "12 units (spikes of /units)", "bins of 50 ms", "580 of 600 bins", "deviation 100 ms"):  # fmt: skip
        assert said in text, said
    assessed = read_json(tmp_path / "assessment.json")["labels"]
    assert all(f"{label} is {told['verdict']}: {told['because']}" in text for label, told in assessed.items())
    results = load(tmp_path)
    results.training.attrs["config"] = results.attribution.attrs["config"] = "{}"
    assert "steps of" not in methods_of(results).text


@pytest.mark.parametrize(("optimizer", "name"), [("muon", "steps of Muon (Jordan"), ("adam", "steps of Adam,")])
def test_the_optimiser_is_named_and_cited(optimizer: str, name: str, tmp_path: Path) -> None:
    make_results(tmp_path)
    results = load(tmp_path)
    for dataset in (results.training, results.attribution):
        config = json.loads(dataset.attrs["config"])
        config["training"]["optimizer"] = optimizer
        dataset.attrs["config"] = json.dumps(config)
    told = methods_of(results)
    assert name in told.text
    assert any("Jordan" in reference for reference in told.references) == (optimizer == "muon")


def test_only_what_is_used_is_cited(output: Path) -> None:
    results = load(output / "sub-a_ses-1")
    assert any("Jacobian" in reference for reference in methods_of(results).references)
    config = json.loads(results.training.attrs["config"])
    config["training"]["regularizer"]["weight"] = 0.0
    results.training.attrs["config"] = results.attribution.attrs["config"] = json.dumps(config)
    assert not any("Jacobian" in reference for reference in methods_of(results).references)
    assert not any("Dandiset" in reference for reference in methods_of(results).references)


@pytest.mark.parametrize(
    ("dandiset", "version", "source", "known"),
    [
        ("000207", "0.220216.0323", "dandi://dandi/000207@0.220216.0323/a.nwb", True),
        ("000207", "draft", "dandi://dandi/000207@draft/a.nwb", False),
        ("000207", "0.220216.0323", "dandi://dandi-sandbox/000207@0.220216.0323/a.nwb", False),
        ("000207", "0.220216.0323", "https://api.example.org/a.nwb", False),
        ("", "", "a.nwb", False),
    ],
)
def test_a_doi_is_given_for_published_versions_of_the_archive_alone(
    dandiset: str, version: str, source: str, known: bool
) -> None:
    said = dataset_reference({"dandiset": dandiset, "version": version, "source": source})
    assert (f"doi:10.48324/dandi.{dandiset}/{version}" in said) == known
    assert bool(said) == known
