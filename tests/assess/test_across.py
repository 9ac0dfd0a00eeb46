"""Decoding across sessions: high in a shared latent space, not where each session has its own."""

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.html import Page
from tests.support.make_results import make_results, make_session
from xcebra_nwb.assess.across import ALONE, across_sessions
from xcebra_nwb.commands.report import report
from xcebra_nwb.commands.summarize import summarize
from xcebra_nwb.core import session_table
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.netcdf import load_dataset, save_dataset
from xcebra_nwb.core.receipts import ORDER, Receipt
from xcebra_nwb.core.receipts import save as save_receipt
from xcebra_nwb.core.session import labels, load, save
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.core.session_table import write as write_table
from xcebra_nwb.report.outcome import session_outcome

LABELS = ("position", "head_direction", "choice")


def files(directory: Path) -> tuple[xr.Dataset, xr.Dataset, xr.Dataset]:
    training, embedding = (load_dataset(directory / f"{name}.nc") for name in ("training", "embedding"))
    return load(directory / "session.nc"), training, embedding


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    """Two sessions with the same labels in a shared latent space."""
    directories, common = [tmp_path / name for name in ("a", "b")], make_session(np.random.default_rng(0))
    quick = np.where(common["valid"], np.arange(common.sizes["time"]) // 20 % 2, -1)  # both classes are held out
    common = common.assign(choice=common["choice"].copy(data=quick))
    for directory, units in zip(directories, (12, 8), strict=True):
        session = make_session(np.random.default_rng(units), name=directory.name, units=units)
        make_results(directory, np.random.default_rng(units), session=session.assign(labels(common)))
        (other,) = {"a", "b"} - {directory.name}
        attrs = {"space": "1", "trained_with": json.dumps({other: f"../{other}"})}
        change(directory, "training.nc", lambda made, attrs=attrs: made.assign_attrs(attrs))
    return directories


def change(directory: Path, name: str, how) -> None:
    save_dataset(how(load_dataset(directory / name)), directory / name)


@pytest.mark.slow
def test_in_one_space_other_sessions_read_the_label_and_not_the_shuffled_one(two: list[Path]) -> None:
    found = across_sessions(two[0], files(two[0]))
    assert (found["sessions"], found["reason"]) == (["b"], "")
    for label in LABELS:
        scores = found["labels"][label]
        assert scores["score"] > 0.6
        assert len(scores["seeds"]) == 2
        assert len(scores["nulls"]) == 3
        assert max(scores["nulls"]) < 0.3
        assert scores["by_session"]["b"] == pytest.approx(scores["score"])  # the only other session


@pytest.mark.slow
def test_latents_of_ones_own_are_read_by_nobody_else(two: list[Path]) -> None:
    turned = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0].astype(np.float32)
    change(
        two[1],
        "embedding.nc",
        lambda made: made.assign(embedding=made["embedding"].copy(data=made["embedding"].values @ turned + 9)),
    )
    found = across_sessions(two[0], files(two[0]))
    assert max(found["labels"][label]["score"] for label in LABELS) < 0.1


@pytest.mark.slow
def test_classes_are_matched_by_name(two: list[Path]) -> None:
    session = load(two[1] / "session.nc")
    codes = session["choice"].values
    turned = session["choice"].copy(data=np.where(codes >= 0, 1 - codes, -1)).assign_attrs(classes='["right", "left"]')
    save(session.assign(choice=turned), two[1] / "session.nc")
    assert across_sessions(two[0], files(two[0]))["labels"]["choice"]["score"] > 0.6


@pytest.mark.slow
def test_a_session_that_is_gone_or_was_trained_again_is_named(two: list[Path]) -> None:
    change(two[1], "training.nc", lambda made: made.assign_attrs(space="2"))
    found = across_sessions(two[0], files(two[0]))
    assert found == {"sessions": [], "reason": "b was trained again since", "labels": {}}
    (two[1] / "training.nc").unlink()
    assert across_sessions(two[0], files(two[0]))["reason"] == "b is not at ../b"


@pytest.mark.slow
def test_a_session_trained_by_itself_says_so(tmp_path: Path) -> None:
    make_results(tmp_path / "a")
    assert across_sessions(tmp_path / "a", files(tmp_path / "a")) == {"sessions": [], "reason": ALONE, "labels": {}}


def scored(other: str) -> dict:
    by_label = {"score": 0.8, "seeds": [0.8, 0.81], "nulls": [-0.1], "by_session": {other: 0.79}, "metric": "R2"}
    return {"sessions": [other], "reason": "", "labels": {"position": by_label}}


@pytest.mark.slow
def test_the_pages_show_how_sessions_read_each_other(two: list[Path]) -> None:
    for directory, other in zip(two, ("b", "a"), strict=True):
        assessment = read_json(directory / "assessment.json")
        write_json(directory / "assessment.json", assessment | {"across_sessions": scored(other)})
        report(directory)
        for command in ORDER:
            save_receipt(Receipt(command=command, session=directory.name, state="done"), directory)
    page = Page(two[0] / "report.html")
    assert "space" in page.ids
    assert "Scores from decoders of other sessions: position 0.8." in page.html
    table = two[0].parent / "sessions.tsv"
    write_table([Session(session=d.name, include=True, source=f"{d.name}.nwb", found="") for d in two], table)
    summarize(table.parent, table)
    summary = Page(table.parent / "summary.html")
    assert "space" in summary.ids
    assert "Scores from session to session: position 0.79 to 0.79." in summary.html
    assert session_outcome(table.parent, session_table.read(table)[0]).across == {"position": {"b": 0.79, "a": 0.6}}
