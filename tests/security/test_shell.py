"""What a stranger's config, table or file names say reaches no shell, and no other evaluation."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support import nwb_builders
from tests.support.html import EVIL
from tests.support.paths import COMMAND, ROOT
from tests.support.snakemake_runs import QUICK, call, jobs, snakemake
from xcebra_nwb.commands.run_folder import sole_run
from xcebra_nwb.core import session_table
from xcebra_nwb.core.config import schema
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.receipts import ORDER, Receipt, save

UGLY = "-r; touch RAN $(touch RAN) `touch RAN` & | 'a' \"b\" * ? [c] ~ # % ! \\ é  z"
ODD = (
    *("my  file", "a'b", 'a"b', "~", "~root", "#x", "%s %(a)s", "!x", "*", "[a-z]", "a?b", "-x", "--help", "$HOME"),
    *("é", "e\u0301", "=1+1", "@x", "+x", "'=x", "a\u00a0b", "A", "a", "a\\b", "\u05d0", "x" * 251),
)
REFUSED = ("a{b}", "<c>", "a\nb", "a\tb", "a\rb", "a\0b", "a\x1b[31mb", "a\u202eb", "a\u2028b", "a\x9bb", " a", "a ")


def project(folder: Path, results: str) -> list[object]:
    """Make a project with one session and every name as ugly as can be; return the command that runs it."""
    (folder / UGLY).mkdir(parents=True)
    nwb_builders.tiny(folder / UGLY / f"{UGLY}.nwb", only_position=True)
    row = session_table.Session(session="s", include=True, source=f"{UGLY}/{UGLY}.nwb")
    session_table.write([row], folder / f"{UGLY}.tsv")
    settings = schema.validate(QUICK | {"sessions": f"{UGLY}.tsv", "results": results})
    (folder / "project.yaml").write_text(schema.dump(settings))
    return ["--directory", folder, "--configfile", folder / "project.yaml", "--cores", 2]


def ran(folder: Path) -> list[Path]:
    return [*folder.rglob("RAN*"), *Path.cwd().glob("RAN*"), *ROOT.glob("RAN*")]


def test_a_whole_run_with_names_that_a_shell_would_run_in_which_one_failure_stops_no_other(tmp_path: Path) -> None:
    """Row 7: `results: "r;touch X"` executed; a blank failed in every command and in the summary of what failed."""
    command = project(tmp_path / UGLY, UGLY)
    table = tmp_path / UGLY / f"{UGLY}.tsv"
    session_table.write(
        [*session_table.read(table), session_table.Session(session="t", include=True, source="gone.nwb")], table
    )
    done = snakemake(*command, cwd=ROOT / "workflow")
    assert done.returncode != 0
    results = tmp_path / UGLY / UGLY
    good, failed = (json.loads((results / name / "status.json").read_text()) for name in ("s", "t"))
    assert (good["state"], failed["state"]) == ("done", "failed")
    assert "no such file" in " ".join([failed["reason"], *failed["log"]])
    assert (results / "s" / "s_desc-xcebra.nwb").exists()
    assert (results / "summary.html").exists()
    assert (results / "logs" / "s" / "train.log").exists()
    assert not ran(tmp_path)


def test_run_takes_names_that_a_shell_would_run_or_take_for_options(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    nwb_builders.tiny(tmp_path / "in" / "-rf.nwb")
    refusing = {"neural": {"min_spikes": 10**6}, "results": "x"}  # all jobs, and no training
    (tmp_path / "in" / "-c.yaml").write_text(yaml.safe_dump(refusing))
    done = call(COMMAND, "run", f"--output={UGLY}", "--config=-c.yaml", "--", "-rf.nwb", cwd=tmp_path / "in")
    assert done.returncode == 0, done.stderr
    states = [json.loads(path.read_text())["state"] for path in (tmp_path / "in" / UGLY).glob("*/status.json")]
    assert states == ["refused"]
    assert not ran(tmp_path)


def test_the_report_of_snakemake_shows_text(tmp_path: Path) -> None:
    """As if all had run: what is reported is the page, its caption, and how it was made."""
    command = project(tmp_path / UGLY, UGLY)
    results = tmp_path / UGLY / UGLY
    for name in ORDER[1:]:
        save(Receipt(command=name, session="s", state="done"), results / "s")
    (results / "summary.html").write_text(EVIL)
    (results / "atlas.parquet").touch()
    done = snakemake(*command, "--touch")
    assert done.returncode == 0, done.stderr
    done = snakemake(*command, "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "report.html").read_text()
    assert base64.b64encode(EVIL.encode()).decode() in page  # the summary is a file in it, not a part of it
    assert EVIL not in page
    assert not ran(tmp_path)


def test_sources_are_planned_as_they_are_called(tmp_path: Path) -> None:
    command = project(tmp_path / "-x", "--help")
    rows = [session_table.Session(session=f"s{i}", include=True, source=f"{name}.nwb") for i, name in enumerate(ODD)]
    for name in ODD:
        (tmp_path / "-x" / f"{name}.nwb").touch()
    session_table.write(rows, tmp_path / "-x" / f"{UGLY}.tsv")
    assert [row.source for row in session_table.read(tmp_path / "-x" / f"{UGLY}.tsv")] == [row.source for row in rows]
    planned = snakemake(*command, "--dry-run", "--printshellcmds")
    assert jobs(planned)["train"] == len(ODD)
    lines = [line.strip() for line in (planned.stdout + planned.stderr).splitlines() if "xcebra-nwb extract" in line]
    assert {words(line)[4] for line in lines} == {row.source for row in rows}
    assert not ran(tmp_path)


def words(line: str) -> list[str]:
    """What a shell makes of a command."""
    said = f"xcebra-nwb() {{ printf '%s\\n' \"$@\"; }}; {line[line.index('xcebra-nwb ') :].split(' > ')[0]}"
    return subprocess.run(["bash", "-c", said], capture_output=True, text=True, check=True).stdout.splitlines()


@pytest.mark.parametrize("key", ["results", "sessions"])
@pytest.mark.parametrize("name", REFUSED)
def test_a_name_that_cannot_be_planned_is_refused_by_its_key(name: str, key: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        schema.validate({key: name})
    assert str(refused.value).startswith(f"config: {key}: a path")
    assert str(refused.value).isprintable()


def test_the_workflow_refuses_it_in_one_line_too(tmp_path: Path) -> None:
    name = "a\x1b[31m{b}\u202e"
    command = project(tmp_path, "results")
    content = yaml.safe_load((tmp_path / "project.yaml").read_text()) | {"results": name}
    (tmp_path / "project.yaml").write_text(yaml.safe_dump(content))
    done = snakemake(*command, "--dry-run")
    assert done.returncode != 0
    assert "config: results: a path" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not set("\x1b\u202e") & set(done.stdout + done.stderr)


@pytest.mark.parametrize("name", [*(n for n in REFUSED if n == n.strip()), "a\udc80b"])  # a spreadsheet adds blanks
def test_a_source_that_cannot_be_planned_is_refused_by_its_row(name: str, tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    quoted = '"' + name.replace('"', '""') + '"'
    text = f"session\tinclude\tsource\na\ttrue\ta.nwb\nb\ttrue\t{quoted}\n"
    table.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(UsageError) as refused:
        session_table.read(table)
    assert str(table) in str(refused.value)
    assert str(refused.value).isprintable()


YTE = '__use_yte__: true\n__definitions__:\n- import pathlib; pathlib.Path("RAN").touch()\nresults: results\n'
PYTHON = "results: !!python/object/apply:os.system ['touch RAN']\n"
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{c}: &{c} [{', '.join([f'*{b}'] * 9)}]\n" for b, c in zip("abcdefghij", "bcdefghijk", strict=True)
)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (YTE, "unknown key"),
        (PYTHON, "not YAML"),
        (LAUGHS + "neural: {source: *k}\n", "aliases"),
        ("neural: {source: &a [*a]}\n", "aliases"),
        ("[" * 5000, "not YAML"),
        ("random_seed: 2024-99-99\n", "not YAML"),
        (f"random_seed: {'9' * 5000}\n", "not YAML"),
        (f"random_seed: 0x{'f' * 5000}\n", "bits"),
        ("- a\n- b\n", "no keys"),
        ("? {a: b}\n: c\n", "not YAML"),
        ("1: 2\n", "unknown key|string"),
        ("pathvars: {results: x}\n", "unknown key pathvars"),
        ("results: &x\n", "results"),
        ("x\0: y", "not YAML"),
        ("#" * 1_100_000, "too large for a config"),
    ],
)
def test_a_config_only_says_what_it_says(text: str, says: str, tmp_path: Path) -> None:
    """Both ways in: our own reader, and the config that a project folder holds."""
    (tmp_path / "config").mkdir()
    path = tmp_path / "config" / "config.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=says) as refused:
        schema.load(path)
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 5000


@pytest.mark.parametrize("text", [YTE, LAUGHS + "neural: {source: *k}\n"])
def test_snakemake_evaluates_nothing_in_the_config_of_a_project(text: str, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "config.yaml").write_text(text)
    done = snakemake("--directory", tmp_path, "--cores", 1, "--dry-run")
    assert done.returncode != 0
    assert "Traceback" not in done.stdout + done.stderr
    assert not ran(tmp_path)


@pytest.mark.parametrize("where", ["a folder", "/dev/zero", "a large file"])
def test_a_table_or_a_config_that_has_no_end_is_not_read(where: str, tmp_path: Path) -> None:
    path = Path("/dev/zero") if where == "/dev/zero" else tmp_path / "x"
    if where == "a folder":
        path.mkdir()
    elif where == "a large file":
        with path.open("wb") as stream:
            stream.truncate(2_000_000_000)
    for read in (schema.load, session_table.read):
        with pytest.raises(UsageError, match=str(path)):
            read(path)


def test_a_benchmark_of_a_file_with_an_ugly_name(tmp_path: Path) -> None:
    nwb_builders.tiny(tmp_path / f"{UGLY}.nwb")
    settings = {"benchmark": "file", "size": "quick", "file": str(tmp_path / f"{UGLY}.nwb")}
    (tmp_path / "benchmark.yaml").write_text(yaml.safe_dump(settings))
    where = ["--directory", tmp_path, "--configfile", tmp_path / "benchmark.yaml", "--cores", 1]
    planned = snakemake("--snakefile", ROOT / "benchmarks" / "Snakefile", *where, "--dry-run", "--printshellcmds")
    lines = [line.strip() for line in (planned.stdout + planned.stderr).splitlines() if "benchmark-case" in line]
    assert lines, planned.stderr
    for line in lines:
        assert f"--file={tmp_path / UGLY}.nwb" in words(line)
    (tmp_path / "{a}.nwb").touch()
    refused = call(COMMAND, "benchmark", "file", tmp_path / "{a}.nwb", "-o", tmp_path / "out")
    assert refused.returncode == 2
    assert "cannot be planned" in refused.stderr


def test_a_folder_of_results_has_a_name_that_steers_nothing(tmp_path: Path) -> None:
    """Snakemake writes it into its log."""
    log = tmp_path / "a\x1b[31m\nb" / "log"
    with pytest.raises(UsageError, match="control characters") as refused, sole_run(log.parent):
        pass
    assert str(refused.value).isprintable()
    assert not log.exists()
