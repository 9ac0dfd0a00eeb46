"""Models of the contents of a file, as ``inspect`` reports them in JSON."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from xcebra_nwb.core.config.labels import Kind
from xcebra_nwb.core.config.labels import Label as LabelConfig
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
    """A label that ``auto`` takes; ``config`` is the section of the config that names it."""

    name: str
    source: str
    kind: Kind
    config: LabelConfig


class OfferedLabel(BaseModel):
    """A label that a user may ask for; ``config`` is the section of the config that does."""

    name: str
    config: LabelConfig


class RecordingPart(BaseModel):
    """A part of the recording, such as one of two mazes; ``within`` is the ``time.within`` that chooses it.

    ``seconds`` is the time that it covers in s.
    """

    name: str
    within: str
    seconds: float


class Automatic(BaseModel):
    """The selection of ``auto``, with reasons in words, what it leaves, and what extraction would make of it.

    ``offers`` are other labels that a user may ask for, the most likely first. ``parts`` divide the recording.
    ``units`` and ``bins_in_use`` of ``bins`` would be left. ``masks`` is the number of bins taken out, by reason.
    ``bin_width`` is in s. They are None or empty if the file would be refused before they are known.
    ``not_looked_at`` says which data were too large to be looked at, "" if none was.
    """

    neural: list[str] = Field(default_factory=list)
    labels: list[PickedLabel] = Field(default_factory=list)
    offers: list[OfferedLabel] = Field(default_factory=list)
    parts: list[RecordingPart] = Field(default_factory=list)
    choices: list[str] = Field(default_factory=list)
    units: int | None = None
    bins: int | None = None
    bins_in_use: int | None = None
    bin_width: float | None = None
    masks: dict[str, int] = Field(default_factory=dict)
    not_looked_at: str = ""


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

    @classmethod
    def of_nothing(cls, path: str, refusal: Refused) -> Inventory:
        """Return the inventory of a file that cannot be read.

        Args:
            path: Path or address of the file.
            refusal: The reason.
        """
        others = dict.fromkeys(set(Identity.model_fields) - {"path"}, "")
        identity = Identity.model_validate({"path": path} | others)
        lists: dict[str, list[Any]] = {
            name: [] for name in ("neural", "series", "intervals", "gaps", "suspicious", "problems")
        }
        return cls.model_validate({"file": identity, "automatic": Automatic(), "refusal": refusal} | lists)
