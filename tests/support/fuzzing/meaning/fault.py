"""A kind of semantic fault: how it is injected, and what must hold for a file that has it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from tests.support.fuzzing.meaning.twins import Settings, Twin
from xcebra_nwb.core.refusals import Code

Inject = Callable[[h5py.File, Twin, np.random.Generator], None]

ORDINARY = Settings()


@dataclass(frozen=True)
class Fault:
    """A kind of semantic fault.

    The promise: the valid bins are right, or the file is refused with one of ``refused``, or a note of the session
    matches ``named``.

    Attributes:
        name: Name of the kind.
        twin: Kind of the recording.
        inject: Injects the fault into an open file.
        refused: Codes with which the file may be refused.
        named: Pattern of the note that names the fault; "" if a note is not enough.
        always_named: Whether the note must stand there although all valid bins are right.
        wrong_remedy: Pattern that a remedy must not match, because it would turn the fault into wrong numbers.
        labels: Labels of the config; None for those of the recording.
        settings: Settings of the recording.
        words: The fault in words.
    """

    name: str
    twin: str
    inject: Inject
    refused: tuple[Code, ...] = ()
    named: str = ""
    always_named: bool = False
    wrong_remedy: str = ""
    labels: dict[str, dict[str, Any]] | None = None
    settings: Settings = ORDINARY
    words: str = ""


FAULTS: dict[str, Fault] = {}


def fault(
    twin: str, *refused: Code, named: str = "", settings: Settings | None = None, **rest: Any
) -> Callable[[Inject], Inject]:
    """Register a function that injects a fault; its docstring says the fault in words."""

    def register(inject: Inject) -> Inject:
        name = inject.__name__
        words = (inject.__doc__ or "").strip()
        FAULTS[name] = Fault(name, twin, inject, refused, named, settings=settings or ORDINARY, words=words, **rest)
        return inject

    return register


# What faults are made of
# -----------------------


def replace(h5: h5py.File, path: str, data: Any, **options: Any) -> h5py.Dataset:
    """Write other values into a dataset and keep its attributes."""
    attributes = dict(h5[path].attrs)
    del h5[path]
    stored = h5.create_dataset(path, data=data, **options)
    stored.attrs.update(attributes)
    return stored


def change(h5: h5py.File, path: str, function: Callable[[np.ndarray], np.ndarray]) -> None:
    """Write ``function`` of the values of a dataset into it."""
    replace(h5, path, function(np.array(h5[path][()])))


def runs(rng: np.random.Generator, count: int, shortest: int, longest: int, share: float = 0.08) -> np.ndarray:
    """Return which samples lie in random runs that together have about ``share`` of them, shape (sample,)."""
    chosen = np.zeros(count, dtype=bool)
    while chosen.mean() < share:
        first = int(rng.integers(0, count))
        chosen[first : first + int(rng.integers(shortest, longest + 1))] = True
    return chosen


def texts(h5: h5py.File, path: str, values: np.ndarray) -> None:
    """Write texts into a dataset and keep its attributes."""
    replace(h5, path, values.astype(object), dtype=h5py.string_dtype())
