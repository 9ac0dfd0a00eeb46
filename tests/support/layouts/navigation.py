"""Animals that move through space: place, head direction, speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Recording

BEHAVIOR = "/processing/behavior"


def _leds(path: Path, count: int) -> None:
    recording = Recording(53 + count, "rat", "grid cells in an open field")
    recording.units()
    place, heading, _ = signals.walk(recording.rng, len(signals.times()), 100.0)
    off = 3 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    for number in range(1, count + 1):
        recording.space(
            "behavior/Position",
            f"SpatialSeriesLED{number}",
            place + (off if number == 1 else -off),
            conversion=0.01,
            description=f"Position (x, y) for the {'first' if number == 1 else 'second'} tracking LED.",
            timestamps=signals.times(),
        )
    recording.save(path)


def one_led(path: Path) -> None:
    """000582, a session in which one LED was tracked."""
    _leds(path, 1)


def two_leds(path: Path) -> None:
    """000582, a session in which two LEDs were tracked."""
    _leds(path, 2)


LEDS = tuple(f"{BEHAVIOR}/Position/SpatialSeriesLED{number}" for number in (1, 2))

LAYOUTS = [
    Layout(
        "one_led",
        one_led,
        wanted=(Role("position", LEDS[:1], named="position"),),
        dandiset="000582",
        about="rat foraging, one LED (grid cells)",
    ),
    Layout(
        "two_leds",
        two_leds,
        wanted=(
            Role("position", LEDS, named="position"),
            Role("direction", (LEDS,), ("circular",), named="direction|heading"),
        ),
        dandiset="000582",
        about="rat foraging, two LEDs (grid cells)",
    ),
]
