"""The fingerprint of a command's code: comments do not count, what the command runs does."""

import ast
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from xcebra_nwb.core import folders, provenance, remembered


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that may be edited."""
    copy = tmp_path / "xcebra_nwb"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def new_process() -> None:
    """Forget what this process knows, as a new one would; the cache on the disk stays."""
    for cached in (provenance.fingerprint, provenance._read, provenance._code, remembered._stored):
        cached.cache_clear()


def fingerprints() -> dict[str, str]:
    new_process()
    return {command: provenance.fingerprint(command) for command in ("extract", "train", "attribute", "assess")}


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


@pytest.mark.slow
def test_a_comment_and_a_docstring_change_nothing(package: Path) -> None:
    before = fingerprints()
    loss = package / "xcebra" / "trainers" / "loss.py"
    edit(loss, '"""The contrastive loss', '"""Another word on the contrastive loss')
    edit(loss, "import math", "import math  # a comment")
    assert fingerprints() == before


@pytest.mark.slow
def test_a_constant_in_a_helper_changes_the_commands_that_use_it_and_no_other(package: Path) -> None:
    before = fingerprints()
    edit(package / "assess" / "identifiability.py", 'NO_OTHERS = "', 'NO_OTHERS = "Alas, ')
    after = fingerprints()
    assert {command for command in before if before[command] != after[command]} == {"assess"}


@pytest.mark.slow
def test_a_module_that_is_reached_through_others_counts(package: Path) -> None:
    before = fingerprints()
    edit(package / "xcebra" / "sampling" / "neighbours.py", "TURN = 2 * np.pi", "TURN = 3 * np.pi")
    after = fingerprints()
    assert before["train"] != after["train"]
    assert before["extract"] == after["extract"]


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts that are parsed from now on."""
    texts, parse = [], ast.parse

    def recorded(text: str) -> ast.AST:
        texts.append(text)
        return parse(text)

    monkeypatch.setattr(provenance.ast, "parse", recorded)
    return texts


@pytest.fixture
def cache_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that remembers fingerprints, in a cache that does not exist yet."""
    monkeypatch.setenv(folders.CACHE_VARIABLE, str(tmp_path / "cache"))
    new_process()
    return tmp_path / "cache" / remembered.FILE


def test_a_second_process_parses_nothing(cache_file: Path, parsed: list[str]) -> None:
    first = provenance.fingerprint("simulate")
    assert parsed
    parsed.clear()
    new_process()
    assert provenance.fingerprint("simulate") == first
    assert not parsed


def test_an_edit_of_the_same_length_and_time_is_seen(package: Path, cache_file: Path) -> None:
    file = package / "benchmark" / "simulate" / "trajectory.py"
    before, status = provenance.fingerprint("simulate"), file.stat()
    edit(file, " + ", " - ")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    new_process()
    assert provenance.fingerprint("simulate") != before


def test_an_edit_while_a_process_runs_is_not_remembered(package: Path, cache_file: Path) -> None:
    provenance.fingerprint("summarize")
    edit(package / "commands" / "simulate.py", "\n\n\ndef ", "\n\n\nEDITED = True\n\n\ndef ")
    edited = provenance.fingerprint("simulate")
    edit(package / "commands" / "simulate.py", "\n\n\nEDITED = True", "")
    new_process()
    assert provenance.fingerprint("simulate") != edited


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"a": 1}', b"\xff", b'{"CODE": {"simulate": "0"}}'])
def test_a_damaged_cache_changes_nothing(cache_file: Path, content: bytes) -> None:
    first = provenance.fingerprint("simulate")
    cache_file.write_bytes(content.replace(b"CODE", provenance._code().encode()))
    new_process()
    assert provenance.fingerprint("simulate") == first


def test_a_cache_that_is_no_folder_or_open_to_others_is_not_used(cache_file: Path) -> None:
    cache_file.parent.write_text("a file")
    first = provenance.fingerprint("simulate")
    cache_file.parent.unlink()
    cache_file.parent.mkdir()
    cache_file.parent.chmod(0o777)
    new_process()
    assert provenance.fingerprint("simulate") == first
    assert not cache_file.exists()


def test_old_versions_of_the_code_are_forgotten(cache_file: Path) -> None:
    for number in range(remembered.MOST_VERSIONS + 1):
        remembered.save(str(number), {"train": f"{number:016x}"})
    remembered._stored.cache_clear()
    assert remembered.fingerprints("0") == {}
    assert remembered.fingerprints("1") == {"train": f"{1:016x}"}


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    """Other tests ask for the real package's fingerprints."""
    yield
    new_process()
