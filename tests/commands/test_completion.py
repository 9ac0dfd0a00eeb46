"""Completion in bash, zsh and fish: what is offered, that it is harmless, and that nothing slow is loaded."""

from __future__ import annotations

import json
import os
import pty
import select
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.command_line import run
from xcebra_nwb.benchmark.catalogue import BENCHMARKS, SPEED
from xcebra_nwb.commands.cli import completion
from xcebra_nwb.core.installation import packaged_path
from xcebra_nwb.report.figures.paper import PANELS
from xcebra_nwb.report.paper_style import WIDTHS

HOSTILE = (
    "x$(touch pwned)",
    "`touch pwned`",
    "a\\",
    '"; touch pwned; "',
    "'); touch pwned; ('",
    "two\nlines",
    "-o",
    "*",
)
HEAVY = ("numpy", "torch", "h5py", "pandas", "xarray", "matplotlib", "snakemake", "dandi", "sklearn", "pynwb")
LINE = "xcebra-nwb figure out --label pos"
TO_THE_START = "\x01"  # Ctrl-A
SECONDS = 20.0  # that a shell may take on a busy machine


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder `out` with two sessions, in the working folder."""
    for session, labels in (("sub-a_ses-1", ("position", "speed")), ("sub-b_ses-1", ("choice", *HOSTILE))):
        folder = tmp_path / "out" / session
        folder.mkdir(parents=True)
        (folder / "assessment.json").write_text(json.dumps({"labels": {label: {} for label in labels}}))
    (tmp_path / "out" / "logs").mkdir()
    (tmp_path / "own.yaml").write_text("")
    (tmp_path / "$(touch pwned).yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "settings"))
    (tmp_path / "settings" / "snakemake" / "our-cluster").mkdir(parents=True)
    return tmp_path / "out"


def offered(line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The words that bash gets for the last word of a line."""
    words = line.split(" ")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setenv(completion.VARIABLE, "complete_bash")
    code, out, errors = run(capsys)
    assert (code, errors) == (0, "")
    return out.split()


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("xcebra-nwb comp", ["compare"]),
        ("xcebra-nwb figure out --label ", ["position", "speed", "choice"]),
        ("xcebra-nwb figure out --session sub-b_ses-1 --label ", ["choice"]),
        ("xcebra-nwb figure out/sub-a_ses-1 --label ", ["position", "speed"]),
        ("xcebra-nwb compare out --label s", ["speed"]),
        ("xcebra-nwb compare out --by ", ["region", "subject", "label"]),
        ("xcebra-nwb methods out --session ", ["sub-a_ses-1", "sub-b_ses-1"]),
        ("xcebra-nwb figure out --panels map,t", ["map,tuning"]),
        ("xcebra-nwb run data --profile ", ["default", "slurm", "our-cluster"]),
        ("xcebra-nwb benchmark co", ["conditions"]),
        ("xcebra-nwb extract ", []),  # files, which the shell itself completes
    ],
)
def test_a_shell_is_offered_what_fits(
    line: str,
    words: list[str],
    results: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert offered(line, monkeypatch, capsys) == words


def test_examples_and_own_files_are_offered_as_configs(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    examples = {file.stem for file in packaged_path("config/examples").glob("*.yaml")}
    assert set(offered("xcebra-nwb train out -c ", monkeypatch, capsys)) == examples | {"own.yaml"}


def test_the_words_are_those_of_the_commands() -> None:
    """They are written down twice, since the commands load slow libraries."""
    assert completion.PANELS == PANELS
    assert tuple(WIDTHS) == completion.WIDTHS
    assert set(completion.BENCHMARKS) == {*BENCHMARKS, SPEED}


def test_a_folder_of_results_that_cannot_be_read_offers_nothing(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "sub-a_ses-1" / "assessment.json").write_text("{")
    (results / "sub-b_ses-1" / "assessment.json").write_text('["labels"]')
    assert offered("xcebra-nwb figure out --label ", monkeypatch, capsys) == []
    assert offered("xcebra-nwb figure nothing --label ", monkeypatch, capsys) == []


def test_an_answer_loads_nothing_slow(results: Path) -> None:
    code = (
        "import sys; sys.argv = ['xcebra-nwb']\n"
        "from xcebra_nwb.commands.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('LOADED', *sorted(set({HEAVY}) & set(sys.modules)))"
    )
    line = "xcebra-nwb figure out --label "
    asked = {completion.VARIABLE: "complete_bash", "COMP_WORDS": line, "COMP_CWORD": "4"}
    (results.parent / "matplotlibrc").write_text("")  # which makes every other command load matplotlib
    done = subprocess.run([sys.executable, "-c", code], env=os.environ | asked, capture_output=True, text=True)
    labels, _, loaded = done.stdout.partition("LOADED")
    assert labels.split() == ["position", "speed", "choice"], done.stderr
    assert loaded.split() == []


# In the shells themselves, with the script that --show-completion prints
# ------------------------------------------------------------------------


@pytest.fixture
def shell_environment(results: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """An environment in which the shells find `xcebra-nwb`, and no settings of a user."""
    beside = shutil.which("xcebra-nwb", path=str(Path(sys.executable).parent))
    if beside is None:
        pytest.skip("xcebra-nwb is not installed beside this Python")
    path = os.pathsep.join([str(Path(beside).parent), os.environ["PATH"]])
    root = str(Path(completion.__file__).parents[3])
    return os.environ | {"PATH": path, "HOME": str(results.parent), "PYTHONPATH": root, "TERM": "dumb"}


def script_of(shell: str, environment: dict[str, str]) -> str:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    asked = environment | {completion.VARIABLE: f"source_{shell}"}
    return subprocess.run(["xcebra-nwb"], env=asked, capture_output=True, text=True, check=True).stdout


def complete_in_a_terminal(shell: list[str], setup: str, completed: str, environment: dict[str, str]) -> None:
    """Type the line and a tab into an interactive shell, and wait until it prints the line that it then has."""
    terminal, inside = pty.openpty()
    streams = {"stdin": inside, "stdout": inside, "stderr": inside}
    process = subprocess.Popen(shell, **streams, env=environment, start_new_session=True)
    os.close(inside)
    try:
        _say(terminal, f"{setup}; echo REA''DY\n", "READY")
        _say(terminal, f"{LINE}\t", completed)
        _say(terminal, f"{TO_THE_START}echo '<'\n", f"<{completed}")
    finally:
        os.close(terminal)
        process.kill()
        process.wait()


def _say(terminal: int, text: str, answer: str) -> None:
    """Type a text and wait for the answer."""
    os.write(terminal, text.encode())
    read, end = "", time.monotonic() + SECONDS
    while answer not in read and time.monotonic() < end:
        if select.select([terminal], [], [], 0.2)[0]:
            read += os.read(terminal, 4096).decode(errors="replace")
    assert answer in read, read


@pytest.mark.slow
@pytest.mark.parametrize(
    ("shell", "setup"),
    [(["bash", "--norc", "-i"], "PS1=:"), (["zsh", "-f", "-i"], "PS1=:; autoload -Uz compinit; compinit -u")],
)
def test_bash_and_zsh_complete_a_label(shell: list[str], setup: str, shell_environment: dict[str, str]) -> None:
    """It starts each shell, which asks for the answer as it does for a user."""
    file = Path(shell_environment["HOME"]) / "completion"
    file.write_text(script_of(shell[0], shell_environment))
    script = f"{setup}; source {shlex.quote(str(file))}"
    complete_in_a_terminal(shell, script, LINE.replace("pos", "position"), shell_environment)
    assert not (file.parent / "pwned").exists()


@pytest.mark.slow
def test_fish_completes_labels_and_nothing_that_it_would_evaluate(shell_environment: dict[str, str]) -> None:
    """It starts fish, which asks twice."""
    script = script_of("fish", shell_environment)
    code = f"{script}\ncomplete --do-complete 'xcebra-nwb figure out --label '"
    done = subprocess.run(["fish", "--no-config", "-c", code], env=shell_environment, capture_output=True, text=True)
    assert done.stdout.split() == ["choice", "position", "speed"], done.stderr
    assert not (Path(shell_environment["HOME"]) / "pwned").exists()
