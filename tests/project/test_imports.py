"""Which room imports which, and what the import of a command loads."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import COMMANDS, WITH_TORCH
from tests.support.paths import BIN, PACKAGE, ROOT
from xcebra_nwb.core.installation import EXTRA_OF

LAYERS = "rooms import only the rooms below them"
NO_TORCH = "what only reads, plans or shows loads no torch"


def lint_imports(root: Path) -> subprocess.CompletedProcess[str]:
    """Check the contracts of ``root/pyproject.toml`` against the package that stands in ``root``."""
    environment = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "200"}
    command = [BIN / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)


def test_import_contracts_hold() -> None:
    outcome = lint_imports(ROOT)
    assert outcome.returncode == 0, outcome.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "line", "broken"),
    [
        ("xcebra/sampling/groups.py", "from xcebra_nwb.core import lock", LAYERS),
        ("nwb/reading/file.py", "from xcebra_nwb.archive import cache", LAYERS),
        ("training/design/split.py", "from xcebra_nwb.assess import verdict", LAYERS),
        ("core/files.py", "from xcebra_nwb.commands import train", LAYERS),
        ("core/session.py", "import torch", NO_TORCH),
        ("report/style.py", "from xcebra_nwb.training import device", NO_TORCH),
    ],
)
def test_a_bad_import_breaks_a_contract(tmp_path: Path, module: str, line: str, broken: str) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / PACKAGE.name / module).open("a", encoding="utf-8") as source:
        source.write(f"\n{line}\n")
    outcome = lint_imports(tmp_path)
    assert outcome.returncode == 1, outcome.stdout
    assert f"{broken} BROKEN" in outcome.stdout


@pytest.mark.slow
def test_a_room_that_no_layer_names_breaks_the_contract(tmp_path: Path) -> None:
    shutil.copytree(PACKAGE, tmp_path / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / PACKAGE.name / "loose.py").write_text('"""A module at the root of the package."""\n')
    outcome = lint_imports(tmp_path)
    assert outcome.returncode == 1
    assert "loose" in outcome.stdout


@pytest.mark.slow
def test_pages_are_made_without_libraries_that_take_a_second_to_load() -> None:
    code = (
        "import sys, xcebra_nwb.commands.report, xcebra_nwb.commands.summarize; print({*sys.modules} & {'scipy.stats'})"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"


@pytest.mark.slow
def test_only_commands_that_compute_with_torch_load_it() -> None:
    modules = [f"xcebra_nwb.commands.{command}" for command in COMMANDS if command not in WITH_TORCH]
    code = f"import sys, {', '.join(modules)}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


@pytest.mark.slow
def test_what_an_extra_brings_is_loaded_only_by_what_needs_it() -> None:
    """A run on local files, from the table of sessions to the summary, needs no extra."""
    commands = [command for command in COMMANDS if command not in {"simulate", "benchmark", "tune"}]
    modules = ", ".join(f"xcebra_nwb.commands.{command}" for command in commands)
    code = f"import sys, {modules}; print({{*sys.modules}} & {set(EXTRA_OF)})"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "set()\n"
