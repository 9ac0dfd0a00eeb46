"""What every part of the config has in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

LABEL_NAME = r"^[A-Za-z][A-Za-z0-9_]*$"


class Section(BaseModel):
    """A part of the config: unknown keys are refused, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)
