"""A label that ``auto`` may take, and its place in the order of what analyses ask for."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from xcebra_nwb.core.config.labels import Label as LabelConfig


class Role(IntEnum):
    """What a label is to an experiment; a smaller number is taken first."""

    PLACE = 10
    DIRECTION = 20
    EFFECTOR = 30
    CHOICE = 40
    STIMULUS = 41
    RUNNING = 45
    OUTCOME = 50
    CONDITION = 55
    POSTURE = 60
    POSE = 70
    AROUSAL = 80
    UNKNOWN = 90

    @property
    def words(self) -> str:
        """The role in words."""
        return WORDS[self]


WORDS = {
    Role.PLACE: "a position of the animal",
    Role.DIRECTION: "a direction of the animal",
    Role.EFFECTOR: "a movement of the task",
    Role.CHOICE: "the animal's choice",
    Role.STIMULUS: "a stimulus",
    Role.RUNNING: "a speed of the animal",
    Role.OUTCOME: "the outcome",
    Role.CONDITION: "a condition of the task",
    Role.POSTURE: "other behaviour",
    Role.POSE: "a pose",
    Role.AROUSAL: "eyes or arousal",
    Role.UNKNOWN: "a column with few classes",
}
MOST_OF = {
    Role.PLACE: 1,
    Role.DIRECTION: 2,
    Role.EFFECTOR: 1,
    Role.CHOICE: 1,
    Role.STIMULUS: 2,
    Role.RUNNING: 2,
    Role.OUTCOME: 1,
    Role.CONDITION: 1,
    Role.POSTURE: 2,
    Role.POSE: 1,
    Role.AROUSAL: 1,
    Role.UNKNOWN: 3,
}
"""How many labels of a role ``auto`` takes."""
OF_TABLES = {Role.CHOICE, Role.STIMULUS, Role.OUTCOME, Role.CONDITION, Role.UNKNOWN}
OF_MOVEMENT = {Role.PLACE, Role.DIRECTION, Role.EFFECTOR, Role.RUNNING}


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A label that ``auto`` may take.

    Attributes:
        role: What it is to the experiment.
        name: The name that it would have.
        config: Its section of the config.
        because: What shows its role, in words.
        quantity: What it measures, such as ``velocity``; "" for columns of tables.
        subject: What moves, such as ``hand``; "" for the animal.
        preference: Order among candidates of the same role; smaller numbers come first.
    """

    role: Role
    name: str
    config: LabelConfig
    because: str
    quantity: str = ""
    subject: str = ""
    preference: tuple[float, ...] = ()

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths in the file, with ``#`` before a column."""
        return self.config.sources

    @property
    def source(self) -> str:
        """The paths in one text."""
        return ", ".join(self.paths)

    @property
    def asked_for(self) -> str:
        """The line of the config that asks for this label."""
        keys = self.config.model_dump(mode="json", exclude_defaults=True)
        held = [f"{key}: {value if isinstance(value, list) else shown(str(value))}" for key, value in keys.items()]
        return f"{self.name}: {{{', '.join(held)}}}"


def shown(value: str) -> str:
    """Return a text as it stands in a config.

    >>> shown("/intervals/trials#choice"), shown("velocity")
    ('"/intervals/trials#choice"', 'velocity')
    """
    return f'"{value}"' if "#" in value or "*" in value else value
