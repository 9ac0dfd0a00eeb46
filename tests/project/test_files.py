"""What the files of the project say: links lead somewhere, promises have tests, no path of one machine."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.support.paths import ROOT

MACHINE_PATH = re.compile(r"(?<![\w.*<>-])/(?:work|tmp|home|root|opt|mnt|Users)/\w|--(?:extra-)?index-url")
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def our_files() -> list[Path]:
    """Files that git tracks, or would track."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listing.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_no_file_names_a_place_on_one_machine() -> None:
    found = []
    for path in our_files():
        text = path.read_bytes().decode("utf-8", errors="ignore") if path.suffix not in {".png", ".nwb"} else ""
        found += [f"{path.relative_to(ROOT)}: {match[0]}" for match in MACHINE_PATH.finditer(text)]
    assert [line for line in found if not line.startswith("tests/project/test_files.py")] == []


def test_the_tests_that_hold_a_promise_of_security_are_there() -> None:
    named = set(re.findall(r"`(test_\w+\.py)`", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    assert named == {path.name for path in (ROOT / "tests" / "security").glob("test_*.py")}


@pytest.mark.parametrize(
    "document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("[cd]o*/**/*.md")), ids=lambda p: p.name
)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    links = LINK.findall(document.read_text(encoding="utf-8"))
    assert [link for link in links if not (document.parent / link).exists()] == []
