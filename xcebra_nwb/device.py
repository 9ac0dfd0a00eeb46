"""Where the method computes: the processor, or a graphics card that is there and not taken by another session."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from filelock import FileLock

from xcebra_nwb.errors import UsageError
from xcebra_nwb.memory import keep_freed


@contextmanager
def device(name: str, threads: int) -> Iterator[torch.device]:
    """Yield the device called ``name`` (auto: a CUDA card if there is one, else the CPU) and use ``threads`` threads.

    A CUDA card is held under a file lock, so that sessions running side by side on one machine take turns.

    Raises:
        UsageError: the card asked for is not there.
    """
    torch.set_num_threads(threads)
    keep_freed()
    chosen = torch.device("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else torch.device(name)
    _check(chosen)
    if chosen.type != "cuda":
        yield chosen
        return
    index = chosen.index if chosen.index is not None else torch.cuda.current_device()
    with FileLock(Path(tempfile.gettempdir()) / f"xcebra-nwb-gpu-{index}.lock"):
        yield chosen


def _check(chosen: torch.device) -> None:
    if chosen.type == "cuda":
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if (chosen.index or 0) >= count:
            raise UsageError(
                f"training.device: {chosen} is not there ({count} CUDA devices found)", "training.device: auto or cpu"
            )
