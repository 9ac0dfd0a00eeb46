"""The table of sessions of a run: one row per session, tab separated, kept in git by the user.

The workflow reads it while it is parsed, so this module imports nothing heavy.
"""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import atomic
from xcebra_nwb.core.safe_text import is_web, path_problem, printable, redact, shorten

SESSION_NAME = r"^[A-Za-z0-9]([A-Za-z0-9_.+-]*[A-Za-z0-9_+-])?$"  # no dot at the end: Windows drops it
LONGEST_NAME = 200  # longer names of files begin with it, and 255 is the limit of file systems
LONGEST_CELL = 50_000  # characters; readers of tables give up at 131,072
LARGEST_TABLE = 100_000_000  # bytes; a hundred thousand sessions take a third of it
WINDOWS_DEVICE = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # names of no file
FORMULA = re.compile(r"'*[=+@-]")  # a cell that a spreadsheet would compute, or an escaped one
CELL_BREAKS = re.compile(r"[\t\n\r\v\f]+")
RESERVED = frozenset(  # names that a results folder uses itself
    {
        *("logs", "benchmarks", "resources", "summary.html", "atlas.parquet", "atlas.csv"),
        *("estimates.csv", "reproducibility.csv", "sessions.csv"),
        *("sessions.tsv", "config.yaml", "settings.yaml", "batches.json"),
    }
)
REQUIRED = ("session", "include", "source")


def _as_bool(value: object) -> object:
    """Accept only ``true`` and ``false``: a typo must not include or exclude a session."""
    return {"true": True, "false": False}.get(str(value).strip().lower(), value)


def _as_size(value: object) -> object:
    return None if value == "" else value


class Session(BaseModel):
    """One session of a run."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    session: str = Field(
        pattern=SESSION_NAME, max_length=LONGEST_NAME, description="name, and the name of the folder of its results"
    )
    include: Annotated[bool, BeforeValidator(_as_bool)] = Field(strict=True, description="whether a run uses it")
    reason: str = Field(default="", description="why it is left out; free text")
    source: str = Field(min_length=1, description="path or URL of the NWB file")
    dandiset: str = Field(default="", pattern=r"^(\d{6})?$", description="identifier of the dandiset, six digits")
    version: str = Field(default="", description="version of the dandiset")
    asset_id: str = Field(default="", pattern=r"^([0-9A-Fa-f-]{36})?$", description="identifier of the asset, a UUID")
    path: str = Field(default="", description="path of the asset in the dandiset, or name of the local file")
    size: Annotated[int | None, BeforeValidator(_as_size)] = Field(default=None, ge=0, description="bytes")
    sha256: str = Field(default="", pattern=r"^([0-9A-Fa-f]{64})?$", description="SHA-256 of the file, hexadecimal")
    etag: str = Field(
        default="", pattern=r"^[0-9A-Za-z-]*$", description="dandi-etag of the asset, or tree checksum of a Zarr"
    )
    found: str = Field(default="", description="the contents of the file, in one line")
    source_access: str = Field(default="", description="open or embargoed")

    @field_validator("session")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name.lower() in RESERVED:
            raise ValueError(f"{name} is a name that the results folder uses itself")
        if is_windows_device(name):
            raise ValueError(f"{name} is a name that Windows reserves for a device")
        return name

    @model_validator(mode="after")
    def _plain(self) -> Session:
        if self.include and (problem := path_problem(self.source)):
            raise ValueError(f"source is {self.source!r}: {problem}")
        if self.include and is_web(self.source) and not self.asset_id:
            raise ValueError(f"{redact(self.source)} is an address without asset_id and digest: {UNPINNED}")
        if "@" in self.source.partition("://")[2].partition("/")[0]:
            raise ValueError(f"{redact(self.source)} is an address with a user or a password, which results would name")
        return self


UNPINNED = "download the file, and give its path"


def is_windows_device(name: str) -> bool:
    """Return whether Windows reserves a name, whatever its extension.

    >>> is_windows_device("aux.nwb"), is_windows_device("auxiliary")
    (True, False)
    """
    return WINDOWS_DEVICE.fullmatch(name) is not None


ARCHIVE_COLUMNS = ("source_access",)  # columns that are left out of a table if no row has a value
COLUMNS = tuple(name for name in Session.model_fields if name not in ARCHIVE_COLUMNS)


def read(path: Path | str) -> list[Session]:
    """Return the rows of a table of sessions.

    Raises:
        UsageError: The file is missing or not text, a column is missing or unknown, a value is wrong, or two rows have
            the same name (some systems do not distinguish upper and lower case).
    """
    try:
        _check_size(Path(path))
        with Path(path).open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, dialect="excel-tab")
            _check_columns(path, list(reader.fieldnames or []))
            rows = [_row(f"{path}, line {reader.line_num}", content) for content in reader]
    except FileNotFoundError:
        raise UsageError(f"{path}: no such table of sessions", "make it with `xcebra-nwb discover`") from None
    except (UnicodeDecodeError, csv.Error, IsADirectoryError) as error:
        raise UsageError(f"{path}: not a tab-separated table: {error}", "make it with `xcebra-nwb discover`") from None
    _check_names(path, rows)
    return rows


def write(rows: Iterable[Session], path: Path | str) -> None:
    """Write ``rows`` to ``path``, whole or not at all.

    Tabs and line breaks in text become spaces. A cell that a spreadsheet would take for a formula gets an apostrophe
    before it, which :func:`read` removes.

    Raises:
        UsageError: Two rows have the same name.
    """
    rows = list(rows)
    _check_names(path, rows)
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, dialect="excel-tab", lineterminator="\n")
        columns = [*COLUMNS, *(name for name in ARCHIVE_COLUMNS if any(getattr(row, name) for row in rows))]
        writer.writerow(columns)
        writer.writerows([cell(getattr(row, column)) for column in columns] for row in rows)


def cell(value: object) -> str:
    """Return the text of a value in a cell of a table.

    Tabs and line breaks become spaces. A text that a spreadsheet would take for a formula gets an apostrophe before it.

    >>> cell("=1+1"), cell(None), cell(True)
    ("'=1+1", '', 'true')
    """
    if isinstance(value, bool):
        return str(value).lower()
    text = "" if value is None else shorten(printable(CELL_BREAKS.sub(" ", str(value))), LONGEST_CELL)
    return f"'{text}" if FORMULA.match(text) else text


def _read_cell(text: str) -> str:
    return text[1:] if text.startswith("'") and FORMULA.match(text) else text


def _check_size(path: Path) -> None:
    """Refuse a path that is not a file or too large: reading it would not end or fill the memory."""
    size = path.stat().st_size
    if not path.is_file():
        raise UsageError(f"{path}: not a file", "make it with `xcebra-nwb discover`")
    if size > LARGEST_TABLE:
        raise UsageError(f"{path}: {size:,} bytes are no table of sessions", f"at most {LARGEST_TABLE:,}")


def _check_columns(path: Path | str, columns: list[str]) -> None:
    missing = [name for name in REQUIRED if name not in columns]
    if missing:
        raise UsageError(f"{path}: no column {missing[0]}", f"columns, separated by tabs: {', '.join(COLUMNS)}")
    for name in columns:
        if name not in Session.model_fields:
            near = difflib.get_close_matches(name, COLUMNS, n=1)
            raise UsageError(
                f"{path}: unknown column {name!r}",
                f"did you mean {near[0]}?" if near else f"columns: {', '.join(COLUMNS)}",
            )


def _row(where: str, content: dict[str | None, str | list[str] | None]) -> Session:
    if None in content:
        raise UsageError(f"{where}: more values than columns", "remove tabs from its texts")
    try:
        return Session.model_validate({n: _read_cell(v) for n, v in content.items() if isinstance(v, str)})
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        message = problem["msg"].removeprefix("Value error, ")
        if not problem["loc"]:
            raise UsageError(f"{where}: {message}") from None
        column, value = str(problem["loc"][0]), problem["input"]
        raise UsageError(f"{where}: {column} is {value!r}: {message}", _REMEDIES.get(column, "")) from None


_REMEDIES = {
    "session": "a name such as sub-a_ses-1: letters, digits, _ . + - and no slash",
    "include": "true or false",
    "source": "the path of the NWB file",
}


def _check_names(path: Path | str, rows: list[Session]) -> None:
    seen: set[str] = set()
    for row in rows:
        if row.session.lower() in seen:
            raise UsageError(f"{path}: two rows have the session {row.session}", "give every row another name")
        seen.add(row.session.lower())
