"""What programs build on: exit codes, JSON alone on the standard output with documented keys, examples that parse."""

from __future__ import annotations

import json
import logging
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pandas as pd
import pytest
from typer.main import get_command

from tests.support import nwb_builders
from tests.support.command_line import one_line, run
from tests.support.commands import COMMANDS
from tests.support.make_results import make_results
from tests.support.many_sessions import many_sessions
from tests.support.paths import ROOT
from xcebra_nwb.commands import benchmark, verify
from xcebra_nwb.commands.cli import app, examples
from xcebra_nwb.commands.dry_run import PlannedStep, State
from xcebra_nwb.commands.publish import Published
from xcebra_nwb.commands.status import CommandState
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Exit
from xcebra_nwb.core.files import write_json
from xcebra_nwb.core.session_table import Session

REFERENCE = ROOT / "docs" / "reference" / "scripts.md"
FOR_PEOPLE = {"watch"}
GROUP = get_command(app.app)
ROW = re.compile(r"^\| (`[^|]*) \| ([^|]*) \| ([^|]*) \|$", re.MULTILINE)
KEYS = {
    match: set(re.findall(r"`(\w+)`", keys))
    for names, _, keys in ROW.findall(REFERENCE.read_text(encoding="utf-8").partition("## Completion")[0])
    for match in re.findall(r"`([^`]*)`", names)
}


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    yield
    logging.getLogger("xcebra_nwb").setLevel(logging.NOTSET)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nwb_builders.tiny(tmp_path_factory.mktemp("data") / "sub-rat_ses-1.nwb")


def printed(capsys: pytest.CaptureFixture[str], *arguments: object, code: int = 0) -> object:
    """What a command prints as JSON."""
    found, out, errors = run(capsys, *arguments, "--json")
    assert found == code, errors
    return json.loads(out)


# Exit codes and examples
# -----------------------


def test_the_reference_names_every_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| (\w+) \|", REFERENCE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(str(code.value), code.name.lower()) for code in Exit]
    epilog = GROUP.epilog or ""
    assert [int(code) for code in re.findall(r"\b\d+\b", epilog)] == [code.value for code in Exit]


def parsed(line: str) -> str:
    """Return the command of a line, after its arguments were read as the command line does."""
    program, *words = shlex.split(line, comments=True)
    assert program == "xcebra-nwb"
    words = [word for word in words if word not in app.GLOBAL_FLAGS]
    name, *arguments = words[: words.index(">")] if ">" in words else words
    GROUP.commands[name].make_context(name, arguments).close()
    return name


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_that_parse(command: str) -> None:
    lines = examples.shown(command)
    assert lines
    assert {parsed(line) for line in lines} == {command}
    assert lines[0] in (GROUP.commands[command].epilog or "")


# JSON
# ----


def test_every_command_for_programs_has_json_and_a_place_in_the_reference() -> None:
    has_json = {name for name in COMMANDS if any("--json" in param.opts for param in GROUP.commands[name].params)}
    assert has_json == set(COMMANDS) - FOR_PEOPLE
    assert {command.partition(" ")[0] for command in KEYS} == has_json


def test_discover_and_inspect(recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = printed(capsys, "discover", recording, "-o", tmp_path / "t.tsv")
    assert set(row) == KEYS["discover"] == set(Session.model_fields)
    assert set(printed(capsys, "inspect", recording)) == KEYS["inspect"]
    assert [set(each) for each in printed(capsys, "inspect", recording.parent)] == [KEYS["inspect"]]


def test_a_command_of_a_session_prints_its_receipt(
    recording: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = printed(capsys, "extract", recording, tmp_path / "out")
    assert set(told) == KEYS["extract"]
    assert told == {"taken": None} | json.loads((tmp_path / "out" / "receipts" / "extract.json").read_text())
    told = printed(capsys, "preview", tmp_path / "out")
    assert set(told) == KEYS["preview"]
    assert {"label", "unit_q", "limits"} <= set(told["labels"][0])


def test_a_refused_session_prints_its_receipt_and_an_error_prints_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = nwb_builders.without_behaviour(tmp_path / "a.nwb")
    told = printed(capsys, "extract", source, tmp_path / "out", code=3)
    assert (told["state"], set(told)) == ("refused", KEYS["extract"])
    code, out, errors = run(capsys, "extract", tmp_path / "none.nwb", tmp_path / "out", "--json")
    assert (code, out) == (2, "")
    assert "no such file" in one_line(errors)


def test_several_sessions_of_train_print_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        run(capsys, "extract", nwb_builders.without_behaviour(tmp_path / "a.nwb"), folder)
    told = printed(capsys, "train", *folders, code=3)
    assert [(each["session"], each["state"]) for each in told] == [("a", "refused"), ("b", "refused")]


def test_a_run_and_its_summary(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = many_sessions(tmp_path, sessions=3, units=4)
    told = printed(capsys, "summarize", "--results", tmp_path, "--sessions", table)
    assert set(told) == KEYS["summarize"]
    assert {"session", "state", "code", "reason", "remedy", "page", "labels"} == set(told["sessions"][0])
    assert {"label", "verdict", "because", "carrying_units", "tested_units"} == set(told["sessions"][0]["labels"][0])
    assert set(printed(capsys, "compare", tmp_path)) == KEYS["compare"]

    def stand_in(*given: object) -> int:
        print("a library says something")
        return Exit.FAILED

    steps = [PlannedStep(session="a", command="train", state=get_args(State)[0])]
    monkeypatch.setattr("xcebra_nwb.commands.dry_run.planned_steps", lambda *given: steps)
    assert [set(each) for each in printed(capsys, "run", "data", "-o", tmp_path, "--dry-run")] == [
        KEYS["run --dry-run"]
    ]
    monkeypatch.setattr("xcebra_nwb.commands.run.run", stand_in)
    (tmp_path / "sessions.tsv").write_bytes(table.read_bytes())
    after = printed(capsys, "run", "data", "-o", tmp_path, code=1)
    assert (set(after), after["sessions"]) == (KEYS["run"], told["sessions"])


def test_methods_and_a_figure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make_results(tmp_path / "sub-a_ses-1")
    told = printed(capsys, "methods", tmp_path)
    assert set(told) == KEYS["methods"]
    assert any("2502.12977" in reference for reference in told["references"])
    monkeypatch.setattr("xcebra_nwb.commands.figure.figure", lambda *given: "a caption")
    told = printed(capsys, "figure", tmp_path, "--label", "choice", "-o", "a.pdf")
    assert (set(told), told["file"], told["caption"]) == (KEYS["figure"], "a.pdf", "a caption")


def test_a_verification(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    row = Session(session="a", include=True, source="a.nwb")
    plan = verify.Plan(Path("r.nwb"), SimpleNamespace(), row, validate({}), None, None)
    monkeypatch.setattr(verify, "planned", lambda *given: plan)
    maps = [verify.Agreement("gradient", "speed", float("nan"), float("nan"))]
    monkeypatch.setattr(verify, "verify", lambda *given: (maps, ["torch 2, then 1"]))
    assert set(printed(capsys, "verify", "r.nwb", "--plan")) == KEYS["verify --plan"]
    told = printed(capsys, "verify", "r.nwb", code=1)
    assert set(told) == KEYS["verify"]
    assert (told["verified"], told["changed_since"]) == (False, ["torch 2, then 1"])
    named = {"label": "speed", "method": "gradient", "agrees": False}
    assert told["maps"] == [named | {"rank_correlation": None, "largest_difference": None}]


def test_commands_that_take_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Their work is tested elsewhere; here it stands in."""
    monkeypatch.setattr("xcebra_nwb.commands.simulate.simulate", lambda file, *given: file)
    assert set(printed(capsys, "simulate", "sub-1_ses-1.nwb")) == KEYS["simulate"]

    found = {"changed": [Session(session="a", include=True, source="a.nwb")], "gone": [], "new": []}
    monkeypatch.setattr("xcebra_nwb.commands.discover.update", lambda *given: found)
    told = printed(capsys, "discover", "--update")
    assert (set(told), told["changed"][0]["session"]) == (KEYS["discover --update"], "a")

    monkeypatch.setattr("xcebra_nwb.commands.status.status", lambda output: [STATE])
    assert set(printed(capsys, "status", tmp_path)[0]) == KEYS["status"]

    monkeypatch.setattr("xcebra_nwb.commands.publish.publish", lambda *given: Published([Path("a.nwb")], {"b": "why"}))
    told = printed(capsys, "publish", "-o", "d", "--contact", "Doe, Jane <jane@example.org>")
    assert (set(told), told["left_out"]) == (KEYS["publish"], {"b": "why"})

    record = dict.fromkeys(KEYS["tune"], "")
    write_json(tmp_path / "tune.json", record)
    monkeypatch.setattr("xcebra_nwb.commands.tune.tune", lambda *given: [tmp_path / "tune.json"])
    assert printed(capsys, "tune", tmp_path, "-o", tmp_path) == record

    pd.DataFrame({"label": ["speed"], "auroc": [float("nan")]}).to_csv(tmp_path / "table.csv")
    monkeypatch.setattr(benchmark, "benchmark", lambda *given: Exit.DONE)
    told = printed(capsys, "benchmark", "synthetic", "-o", tmp_path)
    assert (set(told), told["rows"][0]["auroc"]) == (KEYS["benchmark"], None)


STATE = CommandState(session="a", command="train", state="current")


def test_doctor(capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(capsys, "doctor", "--offline", "--no-train")
    assert {key for finding in told for key in finding} == KEYS["doctor"]
