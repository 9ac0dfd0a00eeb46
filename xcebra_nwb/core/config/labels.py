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
    "direction",
    "pose",
    "time_within",
    "share_within",
    "time_from",
]
CIRCULAR = ("heading", "phase", "direction")
READ_BY: dict[str, tuple[Derivation, ...]] = {
    "smoothing": ("velocity", "speed", "acceleration", "heading"),
    "point": ("distance",),
    "track": ("linear_position",),
    "band": ("phase",),
}
REQUIRED: dict[Derivation, str] = {"distance": "point", "phase": "band"}
WINDOWED: dict[str, tuple[Derivation | None, ...]] = {
    "columns": (None, "time_within", "share_within"),  # a window between two columns is a shorter row
    "seconds": (None, "time_from"),
}
Point = Annotated[list[float], Field(min_length=1, max_length=3)]
Named = Annotated[str, Field(min_length=1)]


class Label(Section):
    """One behavioural variable."""

    source: Named | list[Named] = Field(
        description="path of a series, of an interval table, or of a column of one: /intervals/trials#choice; "
        "or several tables: a list, or a path with *, such as /intervals/*_presentations"
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
    min_confidence: Annotated[float, Field(ge=0, le=1)] | None = Field(
        None,
        description="for tracked points with a confidence (or likelihood) beside them: samples below it are left out; "
        "0 uses all; null: 0.6",
    )
    window: tuple[float, float] | tuple[Named, Named] | None = Field(
        None,
        description="for a table: the part of each row that is used, as two columns of times, such as "
        "[stim_on, stim_off], or in s around the time in `around`, such as [-0.2, 1]; for time_from: the time around "
        "an event, s",
    )
    around: Named | None = Field(None, description="for a window in s: column of times of the table; null: start_time")

    @property
    def sources(self) -> tuple[str, ...]:
        """The paths as the config gives them."""
        return (self.source,) if isinstance(self.source, str) else tuple(self.source)

    @property
    def path(self) -> str:
        """The only path of a label that is made from one object.

        Raises:
            ValueError: It is made from several.
        """
        if not isinstance(self.source, str):
            raise ValueError(f"source: {len(self.source)} paths, where one is needed")
        return self.source

    @property
    def window_seconds(self) -> tuple[float, float] | None:
        """The window in s, None if there is none or it lies between two columns."""
        if self.window is None or self.window_columns is not None:
            return None
        return float(self.window[0]), float(self.window[1])

    @property
    def window_columns(self) -> tuple[str, str] | None:
        """The columns between which the window lies, None if there is none or it is in s."""
        if self.window is None or not isinstance(self.window[0], str):
            return None
        return self.window[0], str(self.window[1])

    @model_validator(mode="after")
    def _fits_its_derivation(self) -> Label:
        for key, readers in READ_BY.items():
            if getattr(self, key) is not None and self.derive not in readers:
                raise ValueError(f"{key} is for derive: {' or '.join(readers)}")
        needed = REQUIRED.get(self.derive) if self.derive else None
        if needed and getattr(self, needed) is None:
            raise ValueError(f"derive: {self.derive} needs {needed}")
        for key, pair in (("band", self.band), ("window", self.window_seconds)):
            if pair is not None and pair[1] <= pair[0]:
                raise ValueError(f"{key}: {list(pair)} is empty")
        if self.columns and len(set(self.columns)) < len(self.columns):
            raise ValueError(f"columns: {self.columns} names one twice")
        kind = "circular" if self.derive in CIRCULAR else "continuous"
        if self.derive and self.kind not in ("auto", kind):
            raise ValueError(f"derive: {self.derive} gives a {kind} label")
        return self

    @model_validator(mode="after")
    def _window_fits(self) -> Label:
        if self.around is not None and (self.window_seconds is None or self.derive is not None):
            raise ValueError("around needs a window in s, such as window: [-0.2, 1], and no derive")
        if self.window is not None:
            form = "seconds" if self.window_columns is None else "columns"
            if self.derive not in WINDOWED[form]:
                fits = " or ".join(derivation for derivation in WINDOWED[form] if derivation)
                raise ValueError(f"window of {form}: not for derive: {self.derive}, only for {fits} or no derive")
        return self

    @model_validator(mode="after")
    def _sources_fit(self) -> Label:
        if not isinstance(self.source, str) and len(self.source) < 2:
            raise ValueError("source: a list has two paths or more; write a single path without brackets")
        if len(set(self.sources)) < len(self.sources):
            raise ValueError("source names a path twice")
        return self
