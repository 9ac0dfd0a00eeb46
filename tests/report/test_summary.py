"""The summary: every session has an ending, and the atlas is what attribution.nc says."""

from __future__ import annotations

import base64
import io
import os
import zlib
from pathlib import Path
from typing import Any

import h5netcdf
import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from tests.support.html import EVIL, Page
from tests.support.make_results import make_results, make_session
from xcebra_nwb.commands.summarize import summarize
from xcebra_nwb.core import netcdf
from xcebra_nwb.core.carriers import carriers
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json
from xcebra_nwb.core.receipts import ORDER, Receipt, save
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.session_table import Session, write
from xcebra_nwb.report import atlas
from xcebra_nwb.report.atlas import COLUMNS
from xcebra_nwb.report.columns import packed_columns
from xcebra_nwb.report.ending import print_overview
from xcebra_nwb.report.outcome import session_outcome
from xcebra_nwb.report.pages import summary
from xcebra_nwb.report.status import session_status

KEPT: dict[tuple[str, int], dict[str, bytes]] = {}  # results of a session, by name and seed


def done(results: Path, name: str, seed: int = 0) -> Session:
    directory, rng = results / name, np.random.default_rng(seed)
    if (name, seed) in KEPT:
        directory.mkdir(parents=True)
        for file, content in KEPT[name, seed].items():
            (directory / file).write_bytes(content)
    else:
        make_results(directory, rng, session=make_session(rng, name=name))
        KEPT[name, seed] = {path.name: path.read_bytes() for path in directory.iterdir()}
    (directory / "report.html").write_text("a page")
    for command in ORDER:
        save(Receipt(command=command, session=name, state="done"), directory)
    return Session(session=name, include=True, source=f"{name}.nwb", found="12 units")


def refused(results: Path, name: str) -> Session:
    for command in ORDER[1:]:  # a local file is not fetched
        said = {"code": Code.NO_LABEL, "reason": f"no behaviour {EVIL}", "remedy": "name [label]"}
        refusal = Receipt(command=command, session=name, state="refused", **said)
        receipt = Receipt(command=command, session=name, state="done") if command == "report" else refusal
        save(receipt, results / name)
    return Session(session=name, include=True, source=f"{name}.nwb", found="3 units")


def failed(results: Path, name: str) -> Session:
    save(Receipt(command="extract", session=name, state="done"), results / name)
    log = results / "logs" / name / "train.log"
    log.parent.mkdir(parents=True)
    log.write_text(f"10 steps\r20 steps\n{EVIL}\n\n\x1b[31mxcebra-nwb: failed: out of memory\x1b[0m\n\n")
    return Session(session=name, include=True, source=f"{name}.nwb")


def table_of(results: Path, rows: list[Session]) -> Path:
    path = results / "sessions.tsv"
    results.mkdir(exist_ok=True)
    write(rows, path)
    return path


@pytest.mark.slow
def test_every_session_has_an_ending(tmp_path: Path) -> None:
    rows = [done(tmp_path, "sub-a"), refused(tmp_path, "sub-b"), failed(tmp_path, "sub-c")]
    rows.append(Session(session="sub-d", include=False, reason="no units", source="d.nwb"))
    written = summarize(tmp_path, table_of(tmp_path, rows))
    names = ["sub-a/status.json", "sub-b/status.json", "sub-c/status.json", *summary.BESIDE, "summary.html"]
    assert set(written) == {tmp_path / name for name in names}
    assert all(path.is_file() for path in written)
    assert read_json(written[0]) == {
        "session": "sub-a", "state": "done", "code": None, "reason": "", "remedy": "", "verb": "", "log": [],
    }  # fmt: skip
    assert read_json(written[1]) == {
        "session": "sub-b", "state": "refused", "code": "no-label",
        "reason": f"no behaviour {EVIL}", "remedy": "name [label]",
        "verb": "extract", "log": [],
    }  # fmt: skip
    assert read_json(written[2]) == {
        "session": "sub-c", "state": "failed", "code": None, "reason": "out of memory",
        "remedy": "read logs/sub-c/train.log in the results, then run train again",
        "verb": "train", "log": ["10 steps", "20 steps", EVIL, "xcebra-nwb: failed: out of memory"],
    }  # fmt: skip


@pytest.mark.slow
def test_page_shows_the_sessions_and_only_text(tmp_path: Path) -> None:
    rows = [done(tmp_path, "sub-a"), refused(tmp_path, "sub-b"), failed(tmp_path, "sub-c")]
    rows.append(Session(session="sub-d", include=False, reason=f"bad {EVIL}", source="d.nwb"))
    summarize(tmp_path, table_of(tmp_path, rows))
    page = Page(tmp_path / "summary.html")
    assert page.ids == ["overview", "regions", "again", "find", "sessions", "atlas", "failures", "files"]
    for words in (
        "1 of 3 sessions is done; a code is supported for position in 1. Refused: no-label (1).",
        "✔ position: supported", "out of memory",
        "20 steps", "name [label] [no-label]", f"bad {EVIL}", "✖ failed", "⊘ refused", "– left out", "12 units",
    ):  # fmt: skip
        assert words in page.text
    assert EVIL not in page.html
    assert page.scripts == [*["application/json"] * 5, None]
    links = {address for address in page.addresses if not address.startswith("#")}
    cards = {f"sub-a/report.html#unit-{unit}" for unit in range(12)}
    files = {
        f"sub-a/{name}" for name in ("report.html", "attribution.nc", "units.nc", "assessment.json", "training.nc")
    }
    assert links == cards | files | {*summary.BESIDE, "logs/sub-c/"}
    assert all((tmp_path / link.partition("#")[0]).exists() for link in links)


@pytest.mark.slow
def test_atlas_is_what_attribution_says(tmp_path: Path) -> None:
    rows = [done(tmp_path, name, seed) for seed, name in enumerate(["sub-a", "sub-b"])]
    summarize(tmp_path, table_of(tmp_path, rows))
    table = pd.read_parquet(tmp_path / "atlas.parquet")
    assert tuple(table.columns) == COLUMNS
    assert len(table) == 2 * 2 * 3 * 12
    assert set(table["subject"]) == {"a"}
    assert set(table["information_units"]) == {"bit/spike"}
    attribution = netcdf.load_dataset(tmp_path / "sub-b" / "attribution.nc")
    for method in attribution["map_method"].values:
        for label in attribution["label"].values:
            part = table.query("session == 'sub-b' and method == @method and label == @label")
            expected = attribution.sel(map_method=method, label=label)
            assert list(part["unit"]) == list(expected["unit_id"].values)
            assert list(part["region"]) == list(expected["region"].values)
            assert np.array_equal(part["attribution"], expected["attribution"])
            assert np.array_equal(part["sd"], expected["attribution_sd"])
            tested = method == attribution["map_method"].values[0]
            for column, name in (("z", "z"), ("p", "p_value"), ("q", "q_value")):
                assert np.array_equal(part[column], expected[name]) if tested else part[column].isna().all()
            assert np.array_equal(part["information"], expected["information"])
            assert np.array_equal(part["carries"], carriers(expected))
    verdicts = table.groupby("label")["verdict"].unique().map(list).to_dict()
    assert verdicts == {"position": ["supported"], "head_direction": ["weak"], "choice": ["not encoded"]}


@pytest.mark.slow
def test_page_caps_the_units_and_ranks_what_may_be_believed_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(summary, "MOST_UNITS", 10)
    summarize(tmp_path, table_of(tmp_path, [done(tmp_path, "sub-a")]))
    page = Page(tmp_path / "summary.html")
    assert "The page holds 10 of 36 rows, carriers of supported labels first" in page.text
    described: Any = page.stored[1]
    assert described["rows"] == 10
    shown, _ = summary.unit_rows(atlas.load(tmp_path / "atlas.parquet")[0])
    believed = (shown["carries"] == "yes") & (shown["verdict"] == "supported")
    assert believed.tolist() == sorted(believed, reverse=True)
    assert 0 < believed.sum() < 10
    assert shown["information"][: believed.sum()].is_monotonic_decreasing


def test_packed_columns_come_back_to_three_digits() -> None:
    values = pd.DataFrame({"label": pd.Categorical(["b", "a", "b"]), "z": [1.23456, np.nan, -1e-5], "q": [0.05, 1, 0]})
    described, packed = packed_columns(values, exact=("q",))
    raw = zlib.decompress(base64.b64decode(packed), wbits=-15)
    assert described["rows"] == 3
    assert [described["columns"][0]["values"][code] for code in raw[:3]] == ["b", "a", "b"]
    planes = [np.frombuffer(raw[first : first + 12], np.uint8).reshape(4, 3) for first in (3, 15)]
    numbers = [of.T.copy().view("<f4").ravel() for of in planes]
    assert numbers[0] == pytest.approx(values["z"].to_numpy(), rel=5e-4, nan_ok=True)
    assert numbers[1] == pytest.approx(values["q"].to_numpy(), rel=1e-7)


def test_packed_columns_are_written_with_the_digits_of_other_pages() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([[0.8404867, 0.7605527, -2.2449, 0.0], rng.lognormal(0, 3, 5000)])
    _, packed = packed_columns(pd.DataFrame({"information": values}))
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed), wbits=-15), np.uint8)
    back = raw.reshape(4, len(values)).T.copy().view("<f4").ravel()
    assert [f"{value:.3g}" for value in back] == [f"{value:.3g}" for value in values]


@pytest.mark.slow
def test_the_tables_beside_the_page_are_read_back(tmp_path: Path) -> None:
    rows = [done(tmp_path, "sub-a"), refused(tmp_path, "sub-b")]
    rows.append(Session(session="sub-d", include=False, reason="=HYPERLINK(1)", source="d.nwb"))
    summarize(tmp_path, table_of(tmp_path, rows))
    sessions = pd.read_csv(tmp_path / "sessions.csv").fillna("")
    assert list(sessions["state"]) == ["done", "refused", "left out"]
    assert sessions["verdict on position"][0] == "supported"
    assert str(sessions["why"][2]).startswith("'")
    assert "=HYPERLINK(1)" in sessions["why"][2]
    units, whole = pd.read_csv(tmp_path / "atlas.csv"), pd.read_parquet(tmp_path / "atlas.parquet")
    first = whole[whole["method"] == whole["method"][0]]
    assert len(units) == 36
    assert units["information"].to_numpy() == pytest.approx(first["information"].to_numpy(), rel=1e-6)
    assert (units["carries"] == "yes").tolist() == first["carries"].tolist()
    estimates = pd.read_csv(tmp_path / "estimates.csv")
    total = estimates[estimates["total"] & (estimates["label"] == "position")].iloc[0]
    assert (total["carriers"], total["units"]) == (4, 12)
    assert total["over"] == "units"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("attribution.nc", b"not a netCDF file"),
        ("attribution.nc", b""),
        ("attribution.nc", None),
        ("assessment.json", b'{"labels": []}'),
        ("assessment.json", b"{"),
        ("session.nc", b"\x89HDF\r\n\x1a\n" + bytes(100)),
        ("receipts/train.json", b'{"state": "perhaps"}'),
        ("receipts/train.json", b"\xff\xfe"),
        ("receipts/train.json", None),
    ],
)
def test_broken_files_are_failures_with_a_line(tmp_path: Path, name: str, content: bytes | None) -> None:
    rows = [done(tmp_path, "sub-a"), done(tmp_path, "sub-b")]
    if content is None:
        (tmp_path / "sub-a" / name).unlink()
    else:
        (tmp_path / "sub-a" / name).write_bytes(content)
    summarize(tmp_path, table_of(tmp_path, rows))
    status = read_json(tmp_path / "sub-a" / "status.json")
    assert status["state"] == "failed"
    assert status["reason"] and "\n" not in status["reason"]
    assert read_json(tmp_path / "sub-b" / "status.json")["state"] == "done"
    assert set(pd.read_parquet(tmp_path / "atlas.parquet")["session"]) == {"sub-b"}


@pytest.mark.slow
def test_a_recording_is_not_read_for_who_it_is_of(tmp_path: Path) -> None:
    row = done(tmp_path, "a")
    with h5netcdf.File(tmp_path / "a" / "session.nc", "w") as file:
        file.dimensions = {"time": 10**7, "unit": 10**6}
        netcdf.new_variable(file, "activity", ("time", "unit"), np.uint8)  # 10 TB, of which nothing is written
        file.attrs["subject"] = "Ada"
    found = session_outcome(tmp_path, row)
    assert found.atlas is not None
    assert set(found.atlas["subject"]) == {"Ada"}


def test_nothing_at_all_still_gives_a_summary(tmp_path: Path) -> None:
    rows = [Session(session="sub-a", include=True, source="a.nwb")]
    summarize(tmp_path, table_of(tmp_path, rows))
    status = read_json(tmp_path / "sub-a" / "status.json")
    assert (status["state"], status["verb"]) == ("failed", "extract")
    assert status["reason"].startswith("extract did not finish and left no log: the log of the workflow says")
    assert len(pd.read_parquet(tmp_path / "atlas.parquet")) == 0
    page = Page(tmp_path / "summary.html")
    assert "No session has a verdict yet." in page.text
    assert "No unit was tested." in page.text


@pytest.mark.slow
def test_summary_is_the_same_twice(tmp_path: Path) -> None:
    table = table_of(tmp_path, [done(tmp_path, "sub-a"), failed(tmp_path, "sub-c")])
    first = [path.read_bytes() for path in summarize(tmp_path, table)]
    assert [path.read_bytes() for path in summarize(tmp_path, table)] == first


def test_missing_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such table of sessions"):
        summarize(tmp_path, tmp_path / "sessions.tsv")


@pytest.mark.slow
def test_terminal_overview_shows_names_as_they_are(tmp_path: Path) -> None:
    rows = [done(tmp_path, "sub-a"), refused(tmp_path, "sub-b"), failed(tmp_path, "sub-c")]
    rows.append(Session(session="sub-d", include=False, reason="[bold]no units", source="d.nwb"))
    table = table_of(tmp_path, rows)
    before, after = (_printed(tmp_path, table, summarized) for summarized in (False, True))
    assert before == after
    pages, onward = after.splitlines()[-5:-3], after.splitlines()[-3:]
    assert pages == [f"open: {tmp_path / 'summary.html'}", f"      {tmp_path}/sub-a/report.html"]
    assert onward[0].startswith("next: read the log")
    assert onward[1] == f"next: xcebra-nwb figure {tmp_path} --label position -o figure.pdf"
    for words in (
        "✔ done",
        "⊘ refused",
        "✖ failed",
        "– left out",
        "4 sessions: 1 done, 1 refused, 1 failed, 1 left out",
        "position        ✔ supported    4 of 12 units carry it",
        "head_direction is weak: ",
        "name [label]",
        "[bold]no units",
    ):
        assert words in after


def _printed(results: Path, table: Path, summarized: bool) -> str:
    if summarized:
        summarize(results, table)
    console = Console(file=io.StringIO(), width=200)
    print_overview(results, table, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("log", "command", "reason"),
    [
        ("xcebra-nwb: failed: out of memory (a larger machine)\n", "attribute", "out of memory (a larger machine)"),
        (
            "training: 5 of 9 steps\n",
            "attribute",
            "attribute ended without an error; its last line: training: 5 of 9 steps",
        ),
        ("wrote attribution.nc\n", "extract", "extract has to run again: its receipt is not there"),
    ],
)
def test_of_the_commands_of_one_job_the_one_that_failed_is_blamed(
    log: str, command: str, reason: str, tmp_path: Path
) -> None:
    """The workflow removes the receipts of all of them."""
    for time, (name, text) in enumerate(
        (("extract", "12 units\nwrote session.nc\n"), ("train", "wrote training.nc\n"), ("attribute", log))
    ):
        path = tmp_path / "logs" / "a" / f"{name}.log"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (time, time))
    status = session_status(tmp_path, "a")
    assert (status.state, status.command, status.reason) == ("failed", command, reason)
