"""Operations of a training step on a GPU: their precision and their fusion."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch
from torch import Tensor

from xcebra_nwb.xcebra.out_of_memory import ran_out
from xcebra_nwb.xcebra.trainers.stepper import Batch, LossesOf

Precision = Literal["float32", "tf32"]  # the factors of a TF32 product have 10 bits, and it is faster
NAMES = {"float32": "ieee", "tf32": "tf32"}  # as torch calls them
logger = logging.getLogger("xcebra_nwb")


@contextmanager
def products(precision: Precision) -> Iterator[None]:
    """Compute float32 matrix products on a GPU with a given precision.

    The CPU always computes in float32. Compiled code keeps the precision of its caller.
    """
    if torch.compiler.is_compiling():  # compiled code has the precision of its caller
        yield
        return
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = NAMES[precision]
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before


def fused(losses_of: LossesOf) -> LossesOf:
    """Return ``losses_of``, compiled at its first call.

    Where the compiler fails, the log says so and the function is used as it is.
    """
    with _no_warnings():
        chosen: LossesOf = torch.compile(losses_of, dynamic=False)

    def called(batch: Batch, penalised: bool) -> tuple[Tensor, Tensor | None]:
        nonlocal chosen
        try:
            with _no_warnings():
                return chosen(batch, penalised)
        except RuntimeError as error:
            if chosen is losses_of or ran_out(error) or _recording():
                raise
            logger.warning("a training step cannot be compiled (%s): it is not fused", str(error).splitlines()[0])
            chosen = losses_of
            return losses_of(batch, penalised)

    return called


def _recording() -> bool:
    """Whether a CUDA graph is being recorded: nothing can be compiled in it, and the recording fails."""
    return torch.cuda.is_available() and torch.cuda.is_current_stream_capturing()


@contextmanager
def _no_warnings() -> Iterator[None]:
    """Hide the compiler's warnings: they are about torch's own code, which no user can change."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
