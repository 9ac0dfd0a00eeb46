"""One thing that ``doctor`` found on a machine."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

State = Literal["ok", "note", "wrong"]


class Finding(BaseModel):
    """One thing that the machine has or lacks; ``remedy`` says what would help."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    part: str
    state: State
    text: str
    remedy: str = ""
