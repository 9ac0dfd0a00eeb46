"""The examples in docstrings are true."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import xcebra_nwb
from xcebra_nwb.core.extras import EXTRA_OF

OPTIONAL = {*EXTRA_OF, "cebra", "cvxpy", "triton"}  # in an extra, or where there is a card
MODULES = sorted(module.name for module in pkgutil.walk_packages(xcebra_nwb.__path__, "xcebra_nwb."))


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_true(name: str) -> None:
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] not in OPTIONAL:
            raise
        pytest.skip(f"{missing.name} is not installed")
    outcome = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert outcome.failed == 0
