"""compare: the numbers of the summary page in a terminal, a table and a figure; nothing counts twice."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from tests.support.command_line import run as run_command
from tests.support.many_sessions import LABELS, many_sessions
from xcebra_nwb.commands import compare as command
from xcebra_nwb.commands.cli.app import app
from xcebra_nwb.commands.summarize import summarize
from xcebra_nwb.core.errors import UsageError


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A summarized run of 12 sessions of three subjects."""
    folder = tmp_path_factory.mktemp("run")
    summarize(folder, many_sessions(folder, sessions=12, units=15))
    return folder


def test_the_command_says_what_the_page_says(run: Path, tmp_path: Path) -> None:
    asked = ["compare", str(run), "-o", str(tmp_path / "a.csv"), "--figure", str(tmp_path / "a.svg")]
    result = CliRunner().invoke(app, asked, env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert (tmp_path / "a.csv").read_bytes() == (run / "estimates.csv").read_bytes()
    drawn = (tmp_path / "a.svg").read_text()
    assert ">position</text>" in drawn  # text that can be edited
    share = pd.read_csv(run / "estimates.csv").query("label == 'position' and total")["share"].iloc[0]
    assert f"{100 * share:.0f} % (" in result.stdout
    assert "May not be compared:\n- Attributions" in result.stdout
    compared = command.compare([run], "region")
    beside = pd.read_csv(run / "reproducibility.csv")
    assert compared.returns["profile_p"].to_numpy() == pytest.approx(beside["profile_p"].to_numpy(), rel=1e-6)


def test_json_by_subject_of_one_label(run: Path, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["compare", str(run), "--by", "subject", "--label", "speed", "--json"])
    content = json.loads(result.stdout)
    assert {row["label"] for row in content["estimates"]} == {"speed"}
    assert [row["subject"] for row in content["estimates"] if not row["total"]] != []
    assert {row["over"] for row in content["estimates"] if not row["total"]} <= {"sessions", "units"}


def test_a_session_never_counts_twice(run: Path) -> None:
    with pytest.raises(UsageError, match=r"sub-001_ses-1 is in .* and would count twice"):
        command.compare([run, run], "label")
    twice, once = command.compare([run, run], "label", apart=True), command.compare([run], "label")
    assert (twice.totals["units"] == 2 * once.totals["units"]).all()
    assert (twice.totals["subjects"] == 2 * once.totals["subjects"]).all()


def test_what_cannot_be_compared_is_named(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=f"there are {', '.join(sorted(LABELS))}"):
        command.compare([run], "label", ["choice"])
    with pytest.raises(UsageError, match="no atlas"):
        command.compare([tmp_path], "label")
    (tmp_path / "atlas.parquet").write_bytes(b"PAR1 and nothing")
    with pytest.raises(UsageError, match="cannot be read"):
        command.compare([tmp_path], "label")
    pd.DataFrame({"session": ["a"]}).to_parquet(tmp_path / "atlas.parquet")
    with pytest.raises(UsageError, match="an atlas without subject"):
        command.compare([tmp_path], "label")
    with pytest.raises(UsageError, match=r"ends in \.csv or \.json"):
        command.save(command.compare([run], "label"), tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("output", "figure", "says"),
    [("a.csv", "a.jpg", "error: a.jpg: a figure ends in"), ("/proc/a.csv", "", "failed: /proc/a.csv: No such file")],
)
def test_what_cannot_be_written_is_said_and_leaves_nothing(
    output: str, figure: str, says: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    code, _, said = run_command(capsys, "compare", run, "-o", output, *(["--figure", figure] if figure else []))
    assert (code in (1, 2), says in said) == (True, True), said
    assert not list(tmp_path.iterdir())
