"""The fingerprint of a command's code: comments do not count, what the command runs does."""

import shutil
from pathlib import Path

import pytest

from xcebra_nwb.core import provenance


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the package that may be edited."""
    copy = tmp_path / "xcebra_nwb"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def fingerprints() -> dict[str, str]:
    for cached in (provenance.fingerprint, provenance._read):
        cached.cache_clear()
    return {verb: provenance.fingerprint(verb) for verb in ("extract", "train", "attribute", "assess")}


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
    assert {verb for verb in before if before[verb] != after[verb]} == {"assess"}


@pytest.mark.slow
def test_a_module_that_is_reached_through_others_counts(package: Path) -> None:
    before = fingerprints()
    edit(package / "xcebra" / "sampling" / "neighbours.py", "TURN = 2 * np.pi", "TURN = 3 * np.pi")
    after = fingerprints()
    assert before["train"] != after["train"]
    assert before["extract"] == after["extract"]


@pytest.fixture(autouse=True)
def _forget() -> None:
    """Other tests ask for the real package's fingerprints."""
    yield
    fingerprints()
