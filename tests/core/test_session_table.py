"""The table of sessions: how it is written, read, and what is wrong with one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from xcebra_nwb.core import session_table
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session_table import Session

HEADER = "\t".join(session_table.COLUMNS)


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


def row(session: str = "a", include: str = "true", source: str = "a.nwb") -> str:
    return "\t".join([session, include, "", source] + [""] * 8)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    rows = [
        Session(session="sub-a_ses-1", include=True, source="x/a.nwb", size=12, sha256="ab" * 32, found='3 "units"'),
        Session(session="b", include=False, reason="drift", source="/b.nwb"),
    ]
    session_table.write(rows, tmp_path / "sessions.tsv")
    assert session_table.read(tmp_path / "sessions.tsv") == rows
    assert (tmp_path / "sessions.tsv").read_text().splitlines()[0] == HEADER


def test_tabs_and_line_breaks_in_text_become_spaces(tmp_path: Path) -> None:
    session_table.write([Session(session="a", include=True, source="a", found="1\tunit\nno more")], tmp_path / "t.tsv")
    assert session_table.read(tmp_path / "t.tsv")[0].found == "1 unit no more"


def test_a_spreadsheet_may_have_touched_the_table(tmp_path: Path) -> None:
    path = table(tmp_path / "t.tsv", row(include="TRUE"), row(session="b", include=" false "), "")
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert [(r.session, r.include) for r in session_table.read(path)] == [("a", True), ("b", False)]


def test_columns_other_than_the_first_few_may_be_missing(tmp_path: Path) -> None:
    (tmp_path / "t.tsv").write_text("session\tinclude\tsource\na\ttrue\ta.nwb\n")
    assert session_table.read(tmp_path / "t.tsv") == [Session(session="a", include=True, source="a.nwb")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("session\tsource\n", "no column include"),
        (HEADER.replace("dandiset", "dandyset"), "unknown column 'dandyset' (did you mean dandiset?)"),
        (f"{HEADER}\n{row()}\n{row(session='A')}", "two rows have the session A"),
        (f"{HEADER}\n{row(include='yes')}", "line 2: include is 'yes'"),
        (f"{HEADER}\n{row(session='../up')}", "line 2: session is '../up'"),
        (f"{HEADER}\n{row(session='.hidden')}", "line 2: session is '.hidden'"),
        (f"{HEADER}\n{row(session='logs')}", "line 2: session is 'logs'"),
        (f"{HEADER}\n{row(source='')}", "line 2: source is ''"),
        (f"{HEADER}\n{row()}\tmore", "line 2: more values than columns"),
        ("session\tinclude\tsource\tsize\na\ttrue\ta.nwb\tmany", "line 2: size is 'many'"),
    ],
)
def test_a_faulty_table_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "t.tsv").write_text(text)
    with pytest.raises(UsageError) as error:
        session_table.read(tmp_path / "t.tsv")
    assert message in str(error.value)
    assert str(tmp_path / "t.tsv") in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_table_and_one_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such table"):
        session_table.read(tmp_path / "none.tsv")
    (tmp_path / "t.tsv").write_bytes(b"\x89HDF\r\n\x1a\n\xff\xfe\x00")
    with pytest.raises(UsageError, match="not a tab-separated table"):
        session_table.read(tmp_path / "t.tsv")


def test_reading_the_table_imports_nothing_heavy() -> None:
    code = "import sys, xcebra_nwb.core.session_table; print(*(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pandas", "pynwb", "h5py", "torch", "xarray"} & set(loaded)


@pytest.mark.parametrize("name", ["logs", "Settings.yaml", "sessions.tsv", "config.yaml", "batches.json", "resources"])
def test_a_name_that_the_results_folder_uses_itself_is_no_name_of_a_session(name: str) -> None:
    with pytest.raises(ValueError, match="a name that the results folder uses itself"):
        session_table.Session(session=name, include=True, source="a.nwb")
