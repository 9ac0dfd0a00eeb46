"""Files with names, and things with the names of files, that a stranger's folder may hold."""

from __future__ import annotations

import os
import socket
import time
import unicodedata
from pathlib import Path

import pytest

from tests.support.command_line import one_line, run
from xcebra_nwb.archive import local
from xcebra_nwb.archive.names import session_names
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.hdf5.leads import Follow
from xcebra_nwb.core.session_table import Session

STEERING = {
    "a\nb": "a\\nb", "a\tb": "a\\tb", "a\rb": "a\\rb", "\x1b[2Ja": "\\u001b[2Ja", "a\u202eb": "a\\u202eb",
    "\x1b]8;;http://x\x07a": "\\u001b]8;;http:", "a\x9b1mb": "a\\u009b1mb", "a\u2028b": "a\\u2028b",
    "a\udc80b": "a\\udc80b", "a\u200fb": "a\\u200fb", "a\ufeffb": "a\\ufeffb", "a\x7fb": "a\\u007fb",
}  # fmt: skip
WORKING = (
    *(
        "-rf",
        "--help",
        "-",
        "~",
        "~nobody",
        "=1+1",
        "@SUM(1)",
        "+1",
        "my  file",
        "'",
        '"',
        "#",
        "%s",
        "*",
        "[a]",
        "$HOME",
    ),
    *(
        "a::b",
        "file:",
        "a;b",
        "a&b",
        "`a`",
        "$(a)",
        "\\",
        "e\u0301",
        "\u00e9",
        "a\u00a0b",
        "\u05d0\u05d1",
        "CON",
        "x" * 251,
    ),
)


def folder_with(tmp_path: Path, names: tuple[str, ...] | list[str]) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    for name in names:
        (folder / f"{name.replace('/', ':')}.nwb").write_text("no NWB")
    return folder


def test_a_name_that_steers_has_a_row_that_says_so_and_the_others_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row 8: a newline in a name gave a row whose source does not exist."""
    folder = folder_with(tmp_path, [*STEERING, "good"])
    rows = discover([folder], tmp_path / "t.tsv")
    assert rows == session_table.read(tmp_path / "t.tsv")
    assert [row.path for row in rows if row.include] == ["good.nwb"]
    refused = [row for row in rows if not row.include]
    assert len(refused) == len(STEERING)
    for row in refused:
        assert "control characters" in row.reason
        assert row.source.isprintable()
        assert Path(row.source).name == row.path
    for shown in STEERING.values():
        assert any(row.path.startswith(shown.split("/")[0]) for row in refused)
    assert discover([folder], tmp_path / "t.tsv") == rows
    code, out, errors = run(capsys, "discover", folder, "-o", tmp_path / "u.tsv")
    assert code == 0
    assert all(line.isprintable() for line in (out + errors).split("\n"))


def test_names_that_look_like_something_else_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = folder_with(tmp_path, WORKING)
    monkeypatch.chdir(folder)
    rows = discover(["."], tmp_path / "t.tsv")
    assert len(rows) == len(WORKING)
    assert all(row.include for row in rows)
    for row in session_table.read(tmp_path / "t.tsv"):
        assert Path(row.source).read_text() == "no NWB"
    one_by_one = discover([path.name for path in folder.iterdir()], tmp_path / "u.tsv")
    assert one_by_one == rows
    assert discover(["."], tmp_path / "t.tsv") == rows


def test_a_name_in_another_normal_form_is_another_file(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, [unicodedata.normalize(form, "é") for form in ("NFC", "NFD")])
    rows = discover([folder], tmp_path / "t.tsv")
    assert (
        len({row.source for row in rows}) == len({row.session.lower() for row in rows}) == len(list(folder.iterdir()))
    )


def test_what_is_refused_decides_nothing_about_a_file_with_the_escaped_name(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ["a\nb"])
    discover([folder], tmp_path / "t.tsv")
    (folder / "a\\nb.nwb").write_text("no NWB")
    rows = discover([folder], tmp_path / "t.tsv")
    assert sorted(row.include for row in rows) == [False, True]
    assert discover([folder], tmp_path / "t.tsv") == rows


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "@SUM(A1)", "+1", "-1", "'=1", "''+x", "'x"])
def test_a_spreadsheet_computes_no_cell(name: str, tmp_path: Path) -> None:
    row = Session(session="a", include=False, source=f"{name}.nwb", path=name, reason=name, found=name)
    session_table.write([row], tmp_path / "t.tsv")
    cells = (tmp_path / "t.tsv").read_text().splitlines()[1].split("\t")
    assert not [cell for cell in cells if cell.lstrip('"').startswith(("=", "+", "-", "@"))]
    assert session_table.read(tmp_path / "t.tsv") == [row]


@pytest.mark.parametrize(
    "name",
    [".", "..", ".a", "-a", "a.", "a b", "a/b", "a\\b", "CON", "nul", "aux.txt", "COM1", "x" * 201, "a\n", "é", ""],
)
def test_a_session_is_called_what_a_folder_can_be_called_everywhere(name: str, tmp_path: Path) -> None:
    quoted = f'"{name}"'
    (tmp_path / "t.tsv").write_text(f"session\tinclude\tsource\n{quoted}\ttrue\ta.nwb\n")
    if name == "a\n":  # blanks around a cell are a spreadsheet's
        assert session_table.read(tmp_path / "t.tsv")[0].session == "a"
        return
    with pytest.raises(UsageError, match="line 2: session is") as refused:
        session_table.read(tmp_path / "t.tsv")
    assert str(refused.value).isprintable()


def test_names_of_sessions_are_such_names() -> None:
    stated = {Path(f"{name}.nwb"): "" for name in ("CON", "nul.x", "a.", "..", "-", "x" * 250, f"{'x' * 250}y", "logs")}
    stated |= {Path("/1/d.nwb"): f"sub-{'s' * 300}_ses-1", Path("/2/d.nwb"): f"sub-{'s' * 300}_ses-2"}
    names = session_names(stated)
    assert len({name.lower() for name in names}) == len(stated)
    for name in names:
        assert Session(session=name, include=True, source="x")
        assert len(f".{2**22}-{name}_desc-xcebra.nwb") <= 255


def test_a_hundred_thousand_files_of_one_name_are_named_at_once() -> None:
    start = time.process_time()
    names = session_names({Path(f"/{number}/d.nwb"): "sub-a_ses-1" for number in range(100_000)})
    assert len(set(names)) == 100_000
    assert time.process_time() - start < 20


def test_what_is_no_file_is_listed_as_that_and_holds_nobody_up(tmp_path: Path) -> None:
    folder = folder_with(tmp_path, ["good"])
    os.mkfifo(folder / "fifo.nwb")
    (folder / "zero.nwb").symlink_to("/dev/zero")
    (folder / "loop.nwb").symlink_to("loop.nwb")
    (folder / "gone.nwb").symlink_to("nowhere")
    (folder / "empty.nwb").mkdir()
    (folder / "circle").mkdir()
    (folder / "circle" / "up").symlink_to("..")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket.nwb"))
        rows = discover([folder], tmp_path / "t.tsv")
    said = {row.path: (row.include, row.reason) for row in rows}
    assert said.pop("good.nwb") == (True, "")
    assert said == {
        "fifo.nwb": (False, "neither a file nor a folder"),
        "zero.nwb": (False, "neither a file nor a folder"),
        "socket.nwb": (False, "neither a file nor a folder"),
        "loop.nwb": (False, "cannot be read: Too many levels of symbolic links"),
        "gone.nwb": (False, "a link to a file that is not here"),
    }


def test_what_may_not_be_read_is_said_and_the_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whoever runs the tests may read everything, so the system says no by itself."""
    folder = folder_with(tmp_path, ["good", "secret"])
    (folder / "closed").mkdir()
    real_open, real_scan = Path.open, os.scandir

    def refusing_open(path: Path, *arguments: object, **options: object) -> object:
        if path.name == "secret.nwb":
            raise PermissionError(13, "Permission denied", str(path))
        return real_open(path, *arguments, **options)

    def refusing_scan(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", str(path))
        return real_scan(path)

    monkeypatch.setattr(Path, "open", refusing_open)
    monkeypatch.setattr(os, "scandir", refusing_scan)
    discover([folder], tmp_path / "t.tsv")
    assert f"{folder / 'closed'}: skipped: Permission denied" in caplog.messages
    rows = {row.path: (row.include, row.reason) for row in session_table.read(tmp_path / "t.tsv")}
    assert rows == {"good.nwb": (True, ""), "secret.nwb": (False, "cannot be read: Permission denied")}


def test_one_file_that_a_library_trips_over_does_not_end_the_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(path: Path, follow: Follow) -> None:
        raise RecursionError("deep\n\x1b[31m" + "x" * 10_000)

    monkeypatch.setattr(local, "inventory", broken)
    row = discover([folder_with(tmp_path, ["a"])], tmp_path / "t.tsv")[0]
    assert row.found.startswith("refused: RecursionError: deep \\u001b[31mx")
    assert len(row.found) <= 2000


@pytest.mark.parametrize("given", ["", "x" * 300, "no\nsuch", "\x1b[31m"])
def test_an_input_that_is_nothing_is_one_line(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder_with(tmp_path, ["a"]))
    code, _, errors = run(capsys, "discover", given, "-o", tmp_path / "t.tsv")
    assert code == 2
    assert one_line(errors).isprintable()
    assert not (tmp_path / "t.tsv").exists()


@pytest.mark.parametrize("name", ["-rf.nwb", "--json", "-q", "-v", "--debug"])
def test_a_name_that_begins_with_a_dash_is_a_name_after_two(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Row 8: a file called -rf.nwb gave an option error; one called -q was taken for a flag wherever it stood."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text("no NWB")
    code, _, errors = run(capsys, "inspect", "--", name)
    assert code == 3
    assert "not an NWB file" in one_line(errors)


def test_a_folder_that_may_not_be_written_is_one_line_and_no_bug(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folder_with(tmp_path, ["a"])
    (tmp_path / "file").touch()
    code, _, errors = run(capsys, "discover", folder, "-o", tmp_path / "file" / "t.tsv")
    assert code in (1, 2)
    assert f"{tmp_path / 'file'}: " in one_line(errors)
    assert "report it" not in errors


def test_a_pipe_is_not_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "x.nwb")
    code, _, errors = run(capsys, "inspect", tmp_path / "x.nwb")
    assert code == 2
    assert "neither a file nor a folder" in one_line(errors)
