"""Small files that show one thing each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Recording

TRIALS = "/intervals/trials"
BEHAVIOR = "/processing/behavior"
ANY = ("discrete", "continuous", "circular")


def _new(seed: int, species: str = "mouse") -> tuple[Recording, int]:
    recording = Recording(seed, species)
    recording.units()
    return recording, len(signals.times())


def short_name_of_a_velocity(path: Path) -> None:
    """A velocity that only its unit and ``_vel`` name, and a copy in another unit."""
    recording, samples = _new(1)
    velocity = signals.noise(recording.rng, samples, 0.3, 2)
    recording.series("behavior", "hand_vel", velocity, "m/s", description="Hand velocity")
    recording.series("behavior/Velocity:BehavioralTimeSeries", "cursor_vel", velocity * 2, "cm/s")
    recording.save(path)


def eyes_and_twins(path: Path) -> None:
    """Eyes outside EyeTracking, and the hand and the cursor as near copies."""
    recording, samples = _new(2)
    place = signals.noise(recording.rng, samples, 2.0, 2)
    recording.space("behavior", "eye_pos", signals.noise(recording.rng, samples, 0.3, 2), "m")
    recording.space("behavior", "hand_pos", place, "m")
    recording.space("behavior", "cursor_pos", place + 1e-4 * recording.rng.normal(size=place.shape), "m")
    recording.save(path)


def wheel_on_change(path: Path) -> None:
    """An encoder with samples only where the wheel moves, beside its regular velocity."""
    recording, samples = _new(3)
    at = signals.times()
    velocity = signals.level(recording.rng, samples, 0.2) * (np.sin(at / 3) > 0.6)
    angle = np.round(np.cumsum(velocity) / signals.RATE / 0.0015) * 0.0015
    moved = np.r_[True, np.diff(angle) != 0]
    recording.space(
        "wheel",
        "WheelPosition",
        angle[moved],
        "radians",
        timestamps=at[moved],
        reference_frame="Initial angle at start time is zero.",
        description="Absolute unwrapped angle of the wheel. Event-driven sampling (timestamps only when wheel moves).",
    )
    recording.series("wheel", "WheelVelocity", velocity, "rad/s")
    recording.save(path)


def bookkeeping_first(path: Path) -> None:
    """Columns about the running of the task before those about the behaviour."""
    recording, _ = _new(4)
    rng, starts = recording.rng, np.arange(0.0, 119.0)
    rows = len(starts)
    columns = {
        "included": rng.random(rows) < 0.8,
        "split": rng.choice(["train", "val"], rows),
        "contrast_left": rng.choice([0, 0.25, 0.5, 1.0], rows),
        "contrast_right": rng.choice([0, 0.25, 0.5, 1.0], rows),
        "choice": rng.choice([-1, 0, 1], rows),
        "feedback_type": rng.choice([-1, 1], rows),
    }
    recording.table("trials", starts, starts + 0.9, columns)
    recording.save(path)


def region_by_peak_channel(path: Path) -> None:
    """Units that name an electrode in a column, and a running speed."""
    recording = Recording(5)
    recording.units(peak_channel_id=[u % 4 for u in range(8)], quality=["good", "noise"] * 4)
    recording.series("running", "running_speed", signals.running(recording.rng, len(signals.times())), "cm/s")
    recording.save(path)


def lost_leds(path: Path) -> None:
    """Two LEDs in a Position of its own name, with -1 where they were lost."""
    recording, samples = _new(6, "rat")
    place, heading, _ = signals.walk(recording.rng, samples, 50.0)
    off = 3 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    for name, led in (("BlueLED", place + off), ("RedLED", place - off)):
        for start in range(50, samples - 100, 150):
            led[start : start + 50] = -1.0
        recording.space(
            "behavior/SubjectPosition:Position",
            name,
            led,
            conversion=0.01,
            description="Values of -1 indicate that LED detection failed",
        )
    recording.save(path)


def azimuth_pitch_roll(path: Path) -> None:
    """Three angles of the head in one series."""
    recording, samples = _new(7)
    azimuth = signals.wrapped(np.cumsum(3 * signals.level(recording.rng, samples, 0.5)) / signals.RATE)
    tilt = 0.2 * signals.noise(recording.rng, samples, 1.0, 2)
    angles = np.column_stack([azimuth, tilt])
    recording.series("behavior", "head_direction", angles, "radians", description="azimuth, pitch, roll")
    recording.save(path)


def stimuli_and_running(path: Path) -> None:
    """Four tables of stimuli that a running speed must not shut out."""
    recording, samples = _new(8)
    rng = recording.rng
    recording.series("running", "running_speed", signals.running(rng, samples), "cm/s")
    for block, name in enumerate(["drifting_gratings", "static_gratings", "natural_scenes", "flashes"]):
        starts = block * 30 + np.arange(0.0, 29.0)
        rows = len(starts)
        columns = {
            "stimulus_name": [name] * rows,
            "stimulus_block": np.full(rows, float(block)),
            "orientation": rng.choice([0, 45, 90, 135.0], rows),
            "frame": rng.integers(0, 118, rows).astype(float),
            "color": rng.choice(["-1.0", "1.0"], rows),
        }
        recording.table(f"{name}_presentations", starts, starts + 0.8, columns)
    recording.save(path)


def many_key_points(path: Path) -> None:
    """000149: every key point a SpatialSeries of Position, a wheel and a choice."""
    recording, samples = _new(9)
    rng = recording.rng
    slow = round(signals.SECONDS * 10)
    parts = ["nose_tip", "paw_l", "paw_r", "pupil_bottom_r", "pupil_top_r", "tongue_end_l", "tube_bottom", "tube_top"]
    for camera in ("leftCamera", "rightCamera"):
        for part in parts:
            points = (300 + 5 * signals.noise(rng, slow, 0.5, 2, 10.0)).astype(np.float32)
            recording.space("behavior/Position", f"{part}_{camera}", points, "px", rate=10.0, reference_frame="camera")
    _, velocity = signals.wheel(rng, samples)
    recording.series("behavior/BehavioralTimeSeries", "wheel_velocity", velocity, "rad/s")
    starts = np.arange(0.0, 119.0)
    recording.table("trials", starts, starts + 0.9, {"choice": rng.choice([-1, 1], len(starts))})
    recording.save(path)


def axes_apart(path: Path) -> None:
    """000987: x, y and z as three series, and three angles."""
    recording, samples = _new(10)
    for name in ("x", "y", "z"):
        recording.space("acquisition/Position", name, signals.level(recording.rng, samples, 2.0))
    for name in ("rx", "ry", "rz"):
        angle = 0.3 * signals.level(recording.rng, samples, 2.0)
        recording.space("acquisition/CompassDirection", name, angle, "radians")
    recording.save(path)


def benchmark_test(path: Path) -> None:
    """A test split of the Neural Latents Benchmark: trials without behaviour."""
    recording, _ = _new(11, "monkey")
    starts = np.arange(0.0, 119.0)
    columns = {"split": ["test"] * len(starts), "move_onset_time": starts + 0.25}
    recording.table("trials", starts, starts + 0.7, columns)
    recording.save(path)


def benchmark_train(path: Path) -> None:
    """Trials that say no more than train and val."""
    recording, _ = _new(12, "monkey")
    starts = np.arange(0.0, 119.0)
    columns = {"split": np.where(np.arange(len(starts)) % 4, "train", "val")}
    recording.table("trials", starts, starts + 0.7, columns)
    recording.save(path)


STIMULI = tuple(f"/intervals/{name}_presentations" for name in ("drifting_gratings", "static_gratings"))
PLACES = tuple(f"/acquisition/Position/{axis}" for axis in "xyz")

LAYOUTS = [
    Layout(
        "short_name_of_a_velocity",
        short_name_of_a_velocity,
        wanted=(Role("velocity", (f"{BEHAVIOR}/hand_vel", f"{BEHAVIOR}/Velocity/cursor_vel")),),
    ),
    Layout(
        "eyes_and_twins",
        eyes_and_twins,
        wanted=(Role("position", (f"{BEHAVIOR}/hand_pos", f"{BEHAVIOR}/cursor_pos")),),
    ),
    Layout(
        "wheel_on_change",
        wheel_on_change,
        wanted=(Role("wheel velocity", ("/processing/wheel/WheelVelocity",)),),
    ),
    Layout(
        "bookkeeping_first",
        bookkeeping_first,
        wanted=(
            Role("choice", (f"{TRIALS}#choice",), ("discrete",)),
            Role("contrast", (f"{TRIALS}#contrast_left", f"{TRIALS}#contrast_right"), ANY, most=2),
        ),
        may=(Role("feedback", (f"{TRIALS}#feedback_type",), ("discrete",)),),
    ),
    Layout(
        "region_by_peak_channel",
        region_by_peak_channel,
        wanted=(Role("running speed", ("/processing/running/running_speed",)),),
    ),
    Layout(
        "lost_leds",
        lost_leds,
        wanted=(
            Role("position", (f"{BEHAVIOR}/SubjectPosition/BlueLED", f"{BEHAVIOR}/SubjectPosition/RedLED")),
            Role(
                "direction",
                ((f"{BEHAVIOR}/SubjectPosition/BlueLED", f"{BEHAVIOR}/SubjectPosition/RedLED"),),
                ("circular",),
            ),
        ),
    ),
    Layout(
        "azimuth_pitch_roll",
        azimuth_pitch_roll,
        wanted=(Role("head direction", (f"{BEHAVIOR}/head_direction",), ("circular",)),),
    ),
    Layout(
        "stimuli_and_running",
        stimuli_and_running,
        wanted=(
            Role("running speed", ("/processing/running/running_speed",)),
            Role(
                "stimulus",
                (STIMULI, "/intervals/*_presentations#stimulus_name", f"{STIMULI[0]}#orientation"),
                ("discrete", "circular"),
                most=2,
            ),
        ),
    ),
    Layout(
        "axes_apart",
        axes_apart,
        wanted=(Role("position", (PLACES,)),),
        may=(Role("direction", tuple(f"/acquisition/CompassDirection/r{axis}" for axis in "xyz"), ("circular",)),),
    ),
    Layout(
        "many_key_points",
        many_key_points,
        wanted=(
            Role("wheel velocity", (f"{BEHAVIOR}/BehavioralTimeSeries/wheel_velocity",)),
            Role("choice", (f"{TRIALS}#choice",), ("discrete",)),
        ),
        may=(Role("pose", (f"{BEHAVIOR}/Position*",)),),
    ),
    Layout("benchmark_test", benchmark_test, may=(Role("time", (f"{TRIALS}#move_onset_time",), ANY),)),
    Layout("benchmark_train", benchmark_train),
]
