"""Warnings of pynwb and hdmf, which users can do nothing about."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Silence what pynwb and hdmf say of the faults of a file that is not ours; ``check`` lists them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module=r"(pynwb|hdmf)\b")
        yield
