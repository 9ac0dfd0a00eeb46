"""Models of the contents of a file, as ``inspect`` reports them in JSON."""

from __future__ import annotations

from pydantic import BaseModel, Field

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.refusals import Code

TimeRange = tuple[float, float]


class Identity(BaseModel):
    """The identity of a recording, "" where the file does not state it."""

    path: str
    nwb_version: str
    identifier: str
    session_id: str
    subject: str
    species: str
    session_start_time: str
    description: str


class NeuralSource(BaseModel):
    """Neural data that a file offers.

    ``events`` is the number of spikes, ``shape`` that of a series, and ``rate`` is in Hz. ``trusted_range`` leaves out
    absurd times; it is None if there are none. ``where`` is the query that leaves out the units that the file calls
    bad, "" if there are none.
    """

    path: str
    layout: str
    kind: str
    units: int
    unit: str
    columns: list[str] = Field(default_factory=list)
    events: int | None = None
    shape: list[int] | None = None
    rate: float | None = None
    time_range: TimeRange | None = None
    trusted_range: TimeRange | None = None
    observed_intervals: int | None = None
    taken_by_auto: bool = False
    remark: str = ""
    where: str = ""


class LabelSeries(BaseModel):
    """A series that could be a label.

    ``kind`` is the kind of the label, "" if it cannot be one, and ``events`` for events. ``rate`` is in Hz.
    ``trusted_range`` leaves out absurd times; it is None if there are none. ``doubt`` is a reason not to believe the
    times, such as frame numbers, "" if there is none.
    """

    path: str
    neurodata_type: str
    shape: list[int]
    unit: str
    rate: float | None
    time_range: TimeRange | None
    trusted_range: TimeRange | None = None
    kind: str
    description: str
    doubt: str = ""


class IntervalTable(BaseModel):
    """A table of intervals.

    ``labels`` are the columns that could be labels, and ``kinds`` the kinds of these labels, "" for a column that
    cannot be one. ``covered`` is the time inside the rows in s.
    """

    path: str
    rows: int
    columns: list[str]
    labels: list[str]
    kinds: dict[str, str] = Field(default_factory=dict)
    time_range: TimeRange | None
    covered: float


class Gap(BaseModel):
    """The gaps between the samples of a series: their number and lengths in s."""

    path: str
    count: int
    total: float
    longest: float
    longest_start: float


class Remark(BaseModel):
    """A remark on an object of the file."""

    path: str
    what: str


class PickedLabel(BaseModel):
    """A label that ``auto`` takes."""

    name: str
    source: str
    kind: Kind


class Automatic(BaseModel):
    """The selection of ``auto``, with reasons in words."""

    neural: list[str] = Field(default_factory=list)
    labels: list[PickedLabel] = Field(default_factory=list)
    choices: list[str] = Field(default_factory=list)


class Refused(BaseModel):
    """The reason why ``auto`` cannot use a file, and a remedy.

    ``code`` is listed in docs/reference/refusals.md.
    """

    code: Code | None
    reason: str
    remedy: str


class Inventory(BaseModel):
    """Everything that ``inspect`` reports of a file."""

    file: Identity
    neural: list[NeuralSource]
    series: list[LabelSeries]
    intervals: list[IntervalTable]
    gaps: list[Gap]
    suspicious: list[Remark]
    problems: list[Remark]
    automatic: Automatic
    refusal: Refused | None
    config: str = Field("", description="YAML to start from; empty where nothing in the file would work")
