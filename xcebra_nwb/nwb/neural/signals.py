"""Say what the responses of regions of interest are, and which of them an encoder should have."""

from __future__ import annotations

import re
from typing import NamedTuple


class Signal(NamedTuple):
    """A kind of response.

    Attributes:
        rank: The lower one is taken first.
        name: Its name in messages.
        because: Why it stands where it does.
    """

    rank: int
    name: str
    because: str


RELATIVE = Signal(0, "dF/F", "fluorescence relative to each cell's own baseline, with a value in every bin")
CORRECTED = Signal(1, "corrected fluorescence", "fluorescence without neuropil or noise; no dF/F is there")
RAW = Signal(2, "raw fluorescence", "a value in every bin; no dF/F or corrected fluorescence is there")
EVENTS = Signal(3, "deconvolved activity", "the only responses; they are zero in most bins, and nothing smooths them")
OTHER_CHANNEL = Signal(4, "second channel", "the only responses; a second channel mostly shows structure")
BACKGROUND = Signal(9, "neuropil or background", "not neurons")

AROUND = r"(neuropil|npil|background|surround|halo|fneu|f_neu|contaminat\w*)"
LONGEST = 100  # characters of a name or a unit that are asked
FIRST_WORDS = 60  # characters of a description
# The first that fits names the signal.
PATTERNS = (
    (CORRECTED, rf"{AROUND}[\W_]*(correct|subtract|remov|free)|(correct|subtract|remov)\w*[\W_]*{AROUND}|decontaminat"),
    (BACKGROUND, AROUND),
    (OTHER_CHANNEL, r"chan(nel)?_?2|\bred\b|(?<![a-z])red(?![a-z])|tdtomato|mcherry|structural|static_?channel"),
    (EVENTS, r"deconv|spike|spks|(?<![a-z])events?(?![a-z])|inferred|oasis|cascade|binar|raster|true_?false"),
    (RELATIVE, r"(?<![a-z])d(elta)?[\W_]*f(?![a-z])|df_?(over|f|/)|d_?f_?f|delta_?f|\bΔf"),
    (CORRECTED, r"denois|demix|(?<!motion)(?<!motion_)(?<!motion )correct|detrend|(?<![a-z])clean|unmixed"),
    (RAW, r"raw|fluor|trace|(?<![a-z])f(?![a-z])"),
)


def signal_of(name: str, container: str, kind: str, table: str = "", unit: str = "", description: str = "") -> Signal:
    """Return what the responses of a series are.

    Args:
        name: Name of the series.
        container: Name of the object that holds it.
        kind: Type of that object, such as ``DfOverF``.
        table: Name of the table of its regions of interest.
        unit: Unit of its values.
        description: Description of the series; only its first words are asked, if the names say nothing.

    >>> signal_of("plane0", "Deconvolved", "Fluorescence").name
    'deconvolved activity'
    >>> signal_of("neuropil_corrected", "Fluorescence", "Fluorescence").name
    'corrected fluorescence'
    """
    if re.search(AROUND, table[:LONGEST], re.IGNORECASE):
        return BACKGROUND
    named = _named(name) or (None if container in {"Fluorescence", "DfOverF"} else _named(container))
    vague = named is None or (named is RAW and "raw" not in name.lower())
    if vague and (kind == "DfOverF" or _named(unit) is RELATIVE):
        return RELATIVE
    return named or _named(description[:FIRST_WORDS]) or RAW


def _named(text: str) -> Signal | None:
    text = text[:LONGEST]
    split = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text)
    for signal, pattern in PATTERNS:
        if re.search(pattern, text, re.IGNORECASE) or re.search(pattern, split, re.IGNORECASE):
            return signal
    return None
