"""The section of the config for one behavioural variable."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field, model_validator

from xcebra_nwb.core.config.section import Section

Auto = Literal["auto"]
Kind = Literal["continuous", "circular", "discrete"]
Derivation = Literal[
    "velocity",
    "speed",
    "acceleration",
    "heading",
    "linear_position",
    "distance",
    "phase",
    "time_within",
    "share_within",
    "time_from",
]
CIRCULAR = ("heading", "phase")
READ_BY: dict[str, tuple[Derivation, ...]] = {
    "smoothing": ("velocity", "speed", "acceleration", "heading"),
    "point": ("distance",),
    "track": ("linear_position",),
    "band": ("phase",),
    "window": ("time_from",),
}
REQUIRED: dict[Derivation, str] = {"distance": "point", "phase": "band"}
Point = Annotated[list[float], Field(min_length=1, max_length=3)]


class Label(Section):
    """One behavioural variable."""

    source: str = Field(
        description="path of a series, of an interval table, or of a column of one: /intervals/trials#choice"
    )
    kind: Auto | Kind = Field("auto", description="continuous, circular, discrete, or auto (decided from the file)")
    unit: str | None = Field(None, description="unit of the series, if the file gives none or a wrong one")
    columns: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, min_length=1, description="columns of the series to use, counted from 0; null: all"
    )
    derive: Derivation | None = Field(
        None,
        description=f"quantity to compute from the source: {', '.join(get_args(Derivation))} "
        "(docs/reference/labels.md)",
    )
    smoothing: Annotated[float, Field(ge=0)] | None = Field(
        None, description="s, standard deviation of a Gaussian over the samples before a derivative; null: 0.1"
    )
    point: Point | None = Field(None, description="for distance: the point, in the units of the series")
    track: Annotated[list[Point], Field(min_length=2)] | None = Field(
        None, description="for linear_position: corners of the track in their order; null: a straight line"
    )
    band: tuple[Annotated[float, Field(gt=0)], float] | None = Field(
        None, description="for phase: lowest and highest frequency, Hz"
    )
    window: tuple[float, float] | None = Field(
        None,
        description="for time_from: the time around an event that is used, s, such as [-1, 2]; null: see "
        "docs/reference/labels.md",
    )

    @model_validator(mode="after")
    def _fits_its_derivation(self) -> Label:
        for key, readers in READ_BY.items():
            if getattr(self, key) is not None and self.derive not in readers:
                raise ValueError(f"{key} is for derive: {' or '.join(readers)}")
        needed = REQUIRED.get(self.derive) if self.derive else None
        if needed and getattr(self, needed) is None:
            raise ValueError(f"derive: {self.derive} needs {needed}")
        for key in ("band", "window"):
            pair = getattr(self, key)
            if pair is not None and pair[1] <= pair[0]:
                raise ValueError(f"{key}: {list(pair)} is empty")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns: {self.columns} names one twice")
        kind = "circular" if self.derive in CIRCULAR else "continuous"
        if self.derive and self.kind not in ("auto", kind):
            raise ValueError(f"derive: {self.derive} gives a {kind} label")
        return self
