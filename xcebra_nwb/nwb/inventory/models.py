"""The models of an inventory: what ``inspect`` tells of a file, in a form that JSON can hold."""

from __future__ import annotations

from pydantic import BaseModel, Field

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.refusals import Code

TimeRange = tuple[float, float]


class Identity(BaseModel):
    """Whose recording it is, "" where the file does not say."""

    path: str
    nwb_version: str
    identifier: str
    session_id: str
    subject: str
    species: str
    session_start_time: str
    description: str


class NeuralSource(BaseModel):
    """Neural data that the file offers; ``events``: spikes, ``shape``: of a series, ``rate``: Hz.

    ``trusted_range``: without absurd times, None where there are none.
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


class LabelSeries(BaseModel):
    """A series that could be a label; ``kind`` is what it would become, "" if it cannot be one; ``rate`` in Hz.

    Events without a value between them have the kind "events". ``trusted_range``: without absurd times, None where
    there are none.
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


class IntervalTable(BaseModel):
    """A table of intervals; ``covered``: time inside its rows, s; ``labels``: columns that could be labels.

    ``kinds``: what each of them would become, "" if it cannot be one after all.
    """

    path: str
    rows: int
    columns: list[str]
    labels: list[str]
    kinds: dict[str, str] = Field(default_factory=dict)
    time_range: TimeRange | None
    covered: float


class Gap(BaseModel):
    """The stretches without a sample in a series: how many, how long together, and the longest, s."""

    path: str
    count: int
    total: float
    longest: float
    longest_start: float


class Remark(BaseModel):
    """Something to know about an object of the file."""

    path: str
    what: str


class PickedLabel(BaseModel):
    """A label that ``auto`` takes."""

    name: str
    source: str
    kind: Kind


class Automatic(BaseModel):
    """What ``auto`` takes, and why, in words."""

    neural: list[str] = Field(default_factory=list)
    labels: list[PickedLabel] = Field(default_factory=list)
    choices: list[str] = Field(default_factory=list)


class Refused(BaseModel):
    """Why ``auto`` cannot work with the file (``code``: docs/reference/refusals.md), and what would help."""

    code: Code | None
    reason: str
    remedy: str


class Inventory(BaseModel):
    """Everything that ``inspect`` tells of a file."""

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
