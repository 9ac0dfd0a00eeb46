"""Receipts: what a verb says of its run on one session, and how the next verb learns that there is nothing to do.

A refused session is an answer, not an error: its verbs succeed and pass the refusal on, so that one workflow run ends
well with done and refused sessions side by side. A receipt lists the digests of the files that the verb wrote, so
that a verb run again with the same result does not make the later ones run again.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from xcebra_nwb.files import read_json, write_json

State = Literal["done", "refused"]


class Receipt(BaseModel):
    """One verb's outcome on one session."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    verb: str
    session: str
    state: State
    reason: str = ""
    remedy: str = ""
    files: dict[str, str] = Field(default_factory=dict, description="file name: SHA-256")


def path(directory: Path, verb: str) -> Path:
    """Return where ``verb`` keeps its receipt in a session's results ``directory``."""
    return directory / "receipts" / f"{verb}.json"


def save(receipt: Receipt, directory: Path) -> None:
    """Write the receipt of a verb into a session's results ``directory``."""
    write_json(path(directory, receipt.verb), receipt.model_dump())


def load(directory: Path, verb: str) -> Receipt:
    """Return the receipt of ``verb``; raise :class:`UsageError` when the verb has not run."""
    return Receipt.model_validate(read_json(path(directory, verb)))
