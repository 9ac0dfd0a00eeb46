"""How exact products of matrices are on a card: float32, or TF32, whose factors have 10 bits and which is faster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Precision = Literal["float32", "tf32"]
NAMES = {"float32": "ieee", "tf32": "tf32"}  # as torch calls them


@contextmanager
def products(precision: Precision) -> Iterator[None]:
    """Compute products of float32 matrices on a card with that ``precision``; the CPU always computes in float32."""
    if torch.compiler.is_compiling():  # what is compiled has the precision of who calls it
        yield
        return
    before = torch.backends.cuda.matmul.fp32_precision
    torch.backends.cuda.matmul.fp32_precision = NAMES[precision]
    try:
        yield
    finally:
        torch.backends.cuda.matmul.fp32_precision = before
