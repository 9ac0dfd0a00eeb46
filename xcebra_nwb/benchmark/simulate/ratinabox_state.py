"""RatInABox draws from numpy's global state and prints as it goes: both are contained here."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def contained(generator: np.random.Generator) -> Iterator[None]:
    """Seed numpy's global state from ``generator`` and swallow what is printed; put the state back at the end."""
    before = np.random.get_state()  # noqa: NPY002 - RatInABox knows no generator
    np.random.seed(int(generator.integers(2**32)))  # noqa: NPY002
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
