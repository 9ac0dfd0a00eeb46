"""Whiskers, licks and levers: the instruction, the choice, the outcome, and how the face moves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Recording

TRIALS = "/intervals/trials"
ANY = ("discrete", "continuous", "circular")
TEXT = ("discrete",)


def _new(seed: int, about: str, **units: Any) -> tuple[Recording, int, np.ndarray]:
    """Return a recording of a mouse, its number of samples and the starts of its trials."""
    recording = Recording(seed, "mouse", about)
    recording.units(**units)
    return recording, len(signals.times()), np.arange(1.0, 117.0, 2.2)


def object_location(path: Path) -> None:
    """000005: three whiskers in acquisition, each with an angle, a curvature and touches."""
    recording, samples, starts = _new(5, "Chronic Silicon probe recordings in VPM during active tactile behavior.")
    rng, rows = recording.rng, len(starts)
    common = 20 * signals.level(rng, samples, 0.2)
    recording.series("acquisition/lick_trace:BehavioralTimeSeries", "lick_trace", rng.random(samples) < 0.02, "a.u.")
    for whisker in ("principal_whisker_b2", "whisker_b1"):
        where = f"acquisition/{whisker}:BehavioralTimeSeries"
        angle = common + 2 * signals.level(rng, samples, 0.2)
        words = "(degree) the angle of the whisker relative to medialateral axis of the animal"
        recording.series(where, "whisker_angle", angle, "degree", description=words)
        bend = 0.01 * signals.level(rng, samples, 0.1)
        words = "the change in whisker curvature"
        recording.series(where, "whisker_curvature", bend, "a.u.", description=words)
        touch = (rng.random(samples) < 0.02).astype(np.uint8)
        words = "binary array of all touch onset times (1 = onset)"
        recording.series(where, "touch_onset", touch, "a.u.", description=words)
    side, choice, _ = signals.choices(rng, rows)
    columns = {
        "type": np.where(side > 0, "Go", "Nogo"),
        "response": np.where(
            side > 0, np.where(choice > 0, "Hit", "Miss"), np.where(choice > 0, "FalseAlarm", "CorrectRejection")
        ),
        "stim_present": rng.integers(0, 2, rows),
        "first_touch_time": starts + 0.6,
        "first_lick_time": starts + 1.0,
        "pole_in_time": starts + 0.3,
        "pole_position": rng.choice([1.2, 2.1, 3.3, 4.7], rows),
        "photo_stim_mode": rng.choice(["none", "VPM"], rows),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def delay_response(path: Path) -> None:
    """000006: the type of trial and the response in words, licks as events, good and bad trials."""
    recording, _, starts = _new(6, "", quality=["good"] * 8, cell_type=["pyramidal"] * 8)
    rng, rows = recording.rng, len(starts)
    for spout in ("left", "right"):
        at = np.sort(rng.uniform(0, 118, 60))
        recording.series(
            "acquisition/lick_times:BehavioralEvents", f"lick_{spout}_times", np.ones(60), "a.u.", timestamps=at
        )
    side, _, correct = signals.choices(rng, rows)
    columns = {
        "type": np.where(side > 0, "lick right", "lick left"),
        "response": np.where(correct, "correct", rng.choice(["incorrect", "early lick"], rows)),
        "stim_present": (rng.integers(0, 2, rows), "is this a stim or no-stim trial"),
        "is_good": (rng.integers(0, 2, rows), "good/bad status of trial (bad trials are not analyzed)"),
        "pole_in_time": (starts + 0.3, "onset of sample period"),
        "pole_out_time": (starts + 0.8, "onset of the delay period"),
        "cue_start_time": (starts + 1.2, "onset of response period"),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def ibl_draft(path: Path) -> None:
    """000149: names of numpy files, the wheel as an absolute position, a likelihood beside each key point."""
    recording, samples, starts = _new(149, "Ephys recording with acute probe(s)", label=[1.0] * 8)
    rng, rows, slow = recording.rng, len(starts), round(signals.SECONDS * 10)
    for part in ("nose_tip", "paw_l", "paw_r", "tongue_end_l", "tube_top"):
        points = 300 + 5 * signals.noise(rng, slow, 0.5, 2, 10.0)
        words = "Raw DLC output for Camera as numpy array"
        recording.space("behavior/Position", f"{part}_leftCamera", points, "px", rate=10.0, description=words)
        sure = rng.uniform(0.8, 1.0, slow)
        recording.series("behavior", f"{part}_likelihood_leftCamera", sure, "n.a.", rate=10.0, description=words)
    angle, _ = signals.wheel(rng, samples)
    recording.series(
        "behavior/BehavioralTimeSeries", "position.npy", angle, "rad", description="Absolute position of wheel."
    )
    moves = {"peakAmplitude.npy": (rng.uniform(0.2, 1.0, rows), "amplitude of the wheel move")}
    recording.table("BehavioralEpochs", starts + 0.7, starts + 1.0, moves, "behavior")
    side, choice, correct = signals.choices(rng, rows)
    contrast = rng.choice([0.0625, 0.125, 0.25, 1.0], rows)
    words = "which choice was made in choiceworld: -1 (turn CCW), +1 (turn CW), or 0 (nogo)"
    columns = {
        "contrastLeft.npy": np.where(side < 0, contrast, np.nan),
        "contrastRight.npy": np.where(side > 0, contrast, np.nan),
        "choice.npy": (choice, words),
        "feedbackType.npy": np.where(correct, 1, -1),
        "feedback_times.npy": starts + 1.1,
        "goCue_times.npy": starts + 0.4,
        "probabilityLeft.npy": np.repeat([0.5, 0.2, 0.8], [rows - 30, 15, 15]),
        "rewardVolume.npy": 1.5 * correct,
        "stimOn_times.npy": starts + 0.4,
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def shapes(path: Path) -> None:
    """000231: which shape the whiskers felt, which side was rewarded for it, what the mouse chose."""
    recording, _, starts = _new(231, "Mice discriminate concave and convex shapes with whiskers")
    rng, rows = recording.rng, len(starts)
    side, choice, correct = signals.choices(rng, rows)
    columns = {
        "direct_delivery": np.arange(rows) < 10,
        "stim_is_random": np.arange(rows) >= 10,
        "optogenetic": np.zeros(rows, bool),
        "outcome": np.where(correct, "correct", "error"),
        "choice": np.where(choice > 0, "right", "left"),
        "rewarded_side": np.where(side > 0, "right", "left"),
        "servo_position": rng.choice(["close", "medium", "far"], rows),
        "stimulus": np.where(side > 0, "concave", "convex"),
        "ignore_trial": np.arange(rows) < 10,
        "choice_time": starts + 1.2,
        "trial": np.arange(rows),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def whisker_surface(path: Path) -> None:
    """000301: every whisker angle, curvature and tracked point a Position of its own."""
    recording, _, starts = _new(301, "mouse in whisker guided virtual navigation task")
    rng, rows, slow = recording.rng, len(starts), round(signals.SECONDS * 10)
    common = 15 * signals.level(rng, slow, 0.3, 10.0)
    for number in range(1, 5):
        angle = common + 3 * signals.level(rng, slow, 0.3, 10.0)
        spatial: dict[str, tuple[np.ndarray, str, str]] = {
            f"Curvature W{number}": (0.01 * signals.level(rng, slow, 0.2, 10.0), "1/mm", "Curvature of each whisker"),
            f"Whisker_angle L{number}": (angle, "degrees", f"{number} whisker angle of each label"),
            f"Whisker_label {number}": (
                200 + 5 * signals.noise(rng, slow, 0.3, 2, 10.0),
                "pixels",
                f"{number} whisker label [x,y] on whiskers",
            ),
        }
        for name, (data, unit, words) in spatial.items():
            recording.space(f"behavior/{name}:Position", "SpatialSeries", data, unit, rate=10.0, description=words)
    words = "Surface movement to either rostral:3,4 or caudal location:1,2; 1,3 are shorter movements"
    columns = {
        "surface_excursion_start_time": starts + 0.3,
        "surface_location": (rng.integers(1, 5, rows).astype(float), words),
        "surface_return_start_time": starts + 1.3,
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def mesoscale_map(path: Path) -> None:
    """000363: the instruction and the outcome in words, x, y and likelihood of jaw, nose and tongue."""
    recording, samples, starts = _new(363, "", classification=["good"] * 8, anno_name=["ALM"] * 8)
    rng, rows = recording.rng, len(starts)
    for part in ("Jaw", "Nose", "Tongue"):
        points = np.column_stack([150 + 5 * signals.noise(rng, samples, 0.3, 2), rng.uniform(0.5, 1, samples)])
        words = f"('{part.lower()}_x', '{part.lower()}_y', '{part.lower()}_likelihood')"
        recording.series(
            "acquisition/BehavioralTimeSeries", f"Camera0_side_{part}Tracking", points, "px", description=words
        )
    licks = np.sort(rng.uniform(0, 118, 60))
    for spout in ("left", "right"):
        recording.series("acquisition/BehavioralEvents", f"{spout}_lick_times", np.ones(60), "a.u.", timestamps=licks)
    recording.series("acquisition/BehavioralEvents", "go_start_times", np.ones(rows), "a.u.", timestamps=starts + 1)
    side, _, correct = signals.choices(rng, rows)
    stimulated = rng.random(rows) < 0.25
    columns = {
        "trial": np.arange(rows),
        "photostim_onset": np.where(stimulated, "1.2", "N/A"),
        "photostim_power": np.where(stimulated, "1.5", "N/A"),
        "trial_uid": 1000 + np.arange(rows),
        "task": ["audio delay"] * rows,
        "task_protocol": np.ones(rows, int),
        "trial_instruction": np.where(side > 0, "right", "left"),
        "early_lick": np.where(rng.random(rows) < 0.15, "early", "no early"),
        "outcome": np.where(correct, "hit", np.where(rng.random(rows) < 0.5, "miss", "ignore")),
        "auto_water": np.zeros(rows, int),
        "free_water": np.zeros(rows, int),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


WHISKERS = tuple(f"/acquisition/{whisker}/whisker_angle" for whisker in ("principal_whisker_b2", "whisker_b1"))
DLC = "/processing/behavior/Position"
FACE = tuple(f"/acquisition/BehavioralTimeSeries/Camera0_side_{part}Tracking" for part in ("Jaw", "Nose", "Tongue"))

LAYOUTS = [
    Layout(
        "object_location",
        object_location,
        wanted=(
            Role("whisker angle", WHISKERS, ("continuous", "circular")),
            Role("type or response", (f"{TRIALS}#type", f"{TRIALS}#response"), TEXT, most=2),
        ),
        may=(
            Role("pole position", (f"{TRIALS}#pole_position",), ANY),
            Role("whisker curvature", ("/acquisition/*whisker*/whisker_curvature",), most=2),
            Role("touch", ("/acquisition/*whisker*/touch_onset",), ANY),
            Role("licks", ("/acquisition/lick_trace*",), ANY),
            Role("stimulation", (f"{TRIALS}#stim_present", f"{TRIALS}#photo_stim_mode"), TEXT),
        ),
        dandiset="000005",
        about="mouse locating a pole with its whiskers",
    ),
    Layout(
        "delay_response",
        delay_response,
        wanted=(
            Role("type of trial", (f"{TRIALS}#type",), TEXT),
            Role("response", (f"{TRIALS}#response",), TEXT),
        ),
        may=(
            Role("stimulation", (f"{TRIALS}#stim_present",), TEXT),
            Role("licks", ("/acquisition/lick_times*",), ANY),
        ),
        dandiset="000006",
        about="mouse licking left or right after a delay",
    ),
    Layout(
        "ibl_draft",
        ibl_draft,
        wanted=(
            Role("choice", (f"{TRIALS}#choice.npy",), TEXT),
            Role("wheel velocity", ("/processing/behavior/BehavioralTimeSeries/position.npy",), named="vel|speed"),
        ),
        may=(
            Role("contrast", (f"{TRIALS}#contrastLeft.npy", f"{TRIALS}#contrastRight.npy"), ANY, most=2),
            Role("feedback", (f"{TRIALS}#feedbackType.npy", f"{TRIALS}#rewardVolume.npy"), ANY),
            Role("prior", (f"{TRIALS}#probabilityLeft.npy",), ANY),
            Role("pose", (f"{DLC}*",)),
        ),
        dandiset="000149",
        about="mouse deciding with a wheel (IBL, first files)",
    ),
    Layout(
        "shapes",
        shapes,
        wanted=(
            Role("stimulus", (f"{TRIALS}#stimulus", f"{TRIALS}#rewarded_side"), TEXT),
            Role("choice", (f"{TRIALS}#choice",), TEXT),
        ),
        may=(
            Role("outcome", (f"{TRIALS}#outcome",), TEXT),
            Role("distance of the shape", (f"{TRIALS}#servo_position",), TEXT),
        ),
        dandiset="000231",
        about="mouse telling shapes apart with its whiskers",
    ),
    Layout(
        "whisker_surface",
        whisker_surface,
        wanted=(Role("place of the surface", (f"{TRIALS}#surface_location",), ANY),),
        may=(
            Role("whisker angle", ("/processing/behavior/Whisker_angle*",), ("continuous", "circular"), most=2),
            Role("whisker curvature", ("/processing/behavior/Curvature*",), most=2),
            Role("pose of the whiskers", ("/processing/behavior/Whisker_label*",)),
        ),
        dandiset="000301",
        about="mouse feeling a surface with its whiskers",
    ),
    Layout(
        "mesoscale_map",
        mesoscale_map,
        wanted=(
            Role("instruction", (f"{TRIALS}#trial_instruction",), TEXT),
            Role("outcome", (f"{TRIALS}#outcome",), TEXT),
        ),
        may=(
            Role("pose of the face", (FACE, *FACE)),
            Role("early lick", (f"{TRIALS}#early_lick",), TEXT),
            Role("stimulation", (f"{TRIALS}#photostim_onset", f"{TRIALS}#photostim_power"), TEXT),
        ),
        dandiset="000363",
        about="mouse licking left or right after a delay (Mesoscale Activity Map)",
    ),
]
