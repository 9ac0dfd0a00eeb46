"""``import xcebra_nwb`` is light, and offers its names to programs and people."""

from __future__ import annotations

import ast
import inspect
import subprocess
import sys
from importlib import import_module

import pytest

import xcebra_nwb
from tests.support.paths import PACKAGE

NAMES = sorted(set(xcebra_nwb.__all__) - {"__version__"})
HEAVY = {"torch", "numpy", "xarray", "pandas", "matplotlib", "sklearn", "pynwb", "h5py", "pynapple", "xcebra_nwb.api"}


@pytest.mark.slow
def test_the_import_loads_nothing_and_a_name_no_torch() -> None:
    """A new process: what is promised is about the process."""
    names = ", ".join(f"xcebra_nwb.{name}" for name in NAMES)
    loaded = "print(*sys.modules)"
    code = f"import sys, xcebra_nwb; dir(xcebra_nwb); {loaded}; ({names},); {loaded}"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    at_first, later = (set(line.split()) for line in said.splitlines())
    assert not at_first & HEAVY
    assert "xcebra_nwb.api.estimator" in later
    assert not later & {"torch", "pynapple"}


def test_every_name_is_there_for_programs_and_type_checkers() -> None:
    face = ast.parse((PACKAGE / "__init__.py").read_text(encoding="utf-8"))
    checked = next(node for node in face.body if isinstance(node, ast.If))
    typed = {alias.asname: f"{line.module}" for line in checked.body for alias in line.names}  # type: ignore[attr-defined]
    assert sorted(typed) == NAMES
    for name, module in typed.items():
        value = getattr(xcebra_nwb, name)
        assert name in dir(xcebra_nwb)
        assert inspect.getdoc(value) == inspect.getdoc(getattr(import_module(module), name))
        assert inspect.signature(value) == inspect.signature(getattr(import_module(module), name))
    with pytest.raises(AttributeError, match="nothing"):
        _ = xcebra_nwb.nothing


def test_a_room_and_a_function_of_like_names_stay_apart() -> None:
    import xcebra_nwb.attribution.dataset as module
    from xcebra_nwb.commands import attribute as command

    assert module.attribution_dataset is not None
    assert command.__name__ == "xcebra_nwb.commands.attribute"
    assert inspect.isfunction(xcebra_nwb.attribute)
    assert inspect.ismodule(xcebra_nwb.attribution)


def test_what_a_user_calls_says_what_it_takes_gives_and_raises() -> None:
    for function in (xcebra_nwb.attribute, xcebra_nwb.read, xcebra_nwb.compare, xcebra_nwb.XCEBRA.fit):
        said = inspect.getdoc(function) or ""
        assert "Args:" in said
        assert "Raises:" in said
    for name in ("attribute", "read", "compare", "XCEBRA", "BlockSplit"):
        assert ">>> " in (inspect.getdoc(getattr(xcebra_nwb, name)) or ""), name
