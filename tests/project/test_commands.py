"""Every command is a module, a rule of the workflow where it is one, and a line of ``--help``."""

from __future__ import annotations

import ast
import re
import subprocess
import sys

import pytest

from tests.support.commands import COMMANDS, RULES
from tests.support.paths import ROOT

HEAVY = (
    "torch",
    "pynwb",
    "h5py",
    "pandas",
    "xarray",
    "scipy",
    "matplotlib",
    "snakemake",
    "ratinabox",
    "sklearn",
    "dandi",
)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_is_a_module_with_a_function_of_its_name(command: str) -> None:
    tree = ast.parse((ROOT / "xcebra_nwb" / "commands" / f"{command}.py").read_text(encoding="utf-8"))
    assert command in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("rule", RULES)
def test_a_command_of_the_workflow_is_a_rule_of_its_name(rule: str) -> None:
    files = [ROOT / "workflow" / "Snakefile", *(ROOT / "workflow" / "rules").glob("*.smk")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    assert re.search(rf"^\s*rule {rule}:", text, re.MULTILINE)
    assert f"xcebra-nwb {rule} " in text


def test_help_names_every_command_and_loads_nothing_heavy() -> None:
    code = (
        "import sys; sys.argv = ['xcebra-nwb', '--help']\n"
        "from xcebra_nwb.commands.cli import main\n"
        "try: main()\n"
        "except SystemExit as end: assert not end.code\n"
        f"print('LOADED', *sorted(set({HEAVY}) & set(sys.modules)))"
    )
    outcome = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    text, _, loaded = outcome.stdout.partition("LOADED")
    assert [command for command in COMMANDS if not re.search(rf"^\W*{command}\s", text, re.MULTILINE)] == []
    assert loaded.split() == []
