"""Say what a column of a table of trials or stimuli is to the experiment, by the words of its name."""

from __future__ import annotations

from xcebra_nwb.nwb.labels.auto.candidate import Role
from xcebra_nwb.nwb.labels.auto.words import (
    BODY,
    BOOKKEEPING,
    CHOICE,
    CHOSEN,
    CONDITION,
    FLAGS,
    HANDS,
    OUTCOME,
    STIMULUS,
    has,
    one_of,
    words,
)

UNITS = one_of(
    """
    1 2 3 a b cm current db deg degree degrees hz khz l left m mean mm ms pct percent presented previous px r
    rad radians right s sec shown u ul value x y
    """
)
"""Words after the noun that a name is about, such as the unit or the side."""
GENERIC = {"type", "name", "label", "kind", "class", "category", "identity", "value", "status", "variable"}
CODES = {"id", "ids", "index", "idx", "code", "number", "num", "nr"}
NEVER = one_of(
    """
    num aborted artifact auto channel comment comments corners count cumulative discard exclude excluded
    experimenter filename fold hold include included keep laser last mask next notes opacity opto photostim
    prev previous quality rep repeat repetition session sham since split tag tags template timeseries trials
    units usable valid version start stop end frame frames onset offset time times timestamp timestamps
    duration photo random early good bad protocol derived peak estimated measured dlc
    """
)
"""A name with one of these words is bookkeeping, whatever else it says."""
FIRST_STIMULI = (
    "stimulus", "stim", "image", "images", "category", "odor", "odour", "odorant", "direction", "dir",
    "orientation", "tone", "sound", "word", "face", "object", "picture", "item", "contrast", "target",
    "coherence", "side", "position", "location", "frequency",
)  # fmt: skip
"""Which of several columns of stimuli analyses ask for first."""


def column_role(name: str) -> tuple[Role | None, tuple[float, ...]]:
    """Return the role of a column, None for bookkeeping, and its place among columns of that role.

    Args:
        name: Name of the column.

    >>> column_role("mouse_wheel_choice")[0], column_role("response_time")[0], column_role("trial_type")[0]
    (<Role.CHOICE: 40>, None, <Role.CONDITION: 55>)
    >>> column_role("feedback_type")[0], column_role("included")[0]
    (<Role.OUTCOME: 50>, None)
    """
    parts = [part for part in words(name) if not part.isdigit()]
    if NEVER.intersection(parts):
        return None, ()
    code = bool(parts) and parts[-1] in CODES
    nouns = [part for part in reversed(parts) if part not in UNITS and part not in CODES]
    if not nouns:
        return (None if code else Role.UNKNOWN), ()
    if nouns[0] in BOOKKEEPING - CONDITION - GENERIC:
        return None, ()
    general = nouns[0] in GENERIC
    for depth, noun in enumerate(nouns[1:] if general else nouns):
        role = _role(noun)
        if role is not None:
            role = Role.CHOICE if role is Role.STIMULUS and CHOSEN.intersection(parts) else role
            flag = parts[0] in FLAGS and role in {Role.STIMULUS, Role.CONDITION}
            preference = (float(flag), *_preference(role, noun, code, parts, depth))
            return (Role.CONDITION if flag else role), preference
    if code:
        return None, ()
    known = Role.CONDITION if general or CONDITION.intersection(nouns) else Role.UNKNOWN
    return known, (0.0, *_preference(known, "", code, parts, 0))


def _role(noun: str) -> Role | None:
    by_role = {
        Role.CHOICE: CHOICE,
        Role.OUTCOME: OUTCOME,
        Role.STIMULUS: STIMULUS,
        Role.CONDITION: CONDITION | BODY | frozenset(HANDS),
    }
    return next((role for role, vocabulary in by_role.items() if has([noun], vocabulary)), None)


def _preference(role: Role, noun: str, code: bool, parts: list[str], depth: int) -> tuple[float, ...]:
    """Return the place of a column in its role: the noun of the name that tells it, names before codes, short names."""
    order = FIRST_STIMULI.index(noun) if noun in FIRST_STIMULI else len(FIRST_STIMULI)
    return float(order if role is Role.STIMULUS else depth), float(code), float(len(parts))
