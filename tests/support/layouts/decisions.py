"""Mice, rats, monkeys and people that decide: the choice, the stimulus, the outcome, and the wheel they turn."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Recording

TRIALS = "/intervals/trials"
ANY = ("discrete", "continuous", "circular")


def steinmetz(path: Path) -> None:
    """000017: a wheel read as a position, contrasts on both sides, and columns that say how the task ran."""
    recording = Recording(17, "mouse", "Neuropixels recording during visual discrimination in awake mice.")
    rng, samples = recording.rng, len(signals.times())
    recording.units(phy_annotations=[2] * 8, sampling_rate=[30000.0] * 8)
    angle, velocity = signals.wheel(rng, samples)
    recording.series(
        "acquisition",
        "wheel_position",
        np.round(angle * 300),
        "mm",
        conversion=0.135,
        description="The position reading of the rotary encoder attached to the rubber wheel that the mouse pushes "
        "left and right with his forelimbs.",
    )
    recording.series(
        "acquisition",
        "lickPiezo",
        rng.standard_normal(samples),
        "V",
        description="Voltage values from a thin-film piezo connected to the lick spout",
    )
    starts = np.arange(1.0, 117.0, 2.2)
    rows = len(starts)
    left, right = rng.choice([0, 0.25, 0.5, 1.0], rows), rng.choice([0, 0.25, 0.5, 1.0], rows)
    wanted = np.sign(left - right)
    choice = np.where(rng.random(rows) < 0.7, wanted, rng.choice([-1.0, 0.0, 1.0], rows))
    moves = np.ravel(np.stack([starts + 0.8, starts + 1.2], axis=1))
    recording.typed("processing/behavior/BehavioralEpochs", "BehavioralEpochs")
    recording.typed(
        "processing/behavior/BehavioralEpochs/wheel_moves",
        "IntervalSeries",
        data=np.tile([1, -1], rows).astype(np.int8),
        timestamps=moves,
        description="Detected wheel movements.",
    )
    recording.series("behavior/BehavioralEvents", "lick_times", np.ones(rows), "", timestamps=starts + 1.5)
    energy = np.abs(velocity) + 2 * rng.random(samples)
    recording.series("behavior/BehavioralTimeSeries", "face_motion_energy", energy, "arb. unit")
    eye = "Features extracted from the video of the right eye."
    area = 0.01 + 0.002 * signals.level(rng, samples, 6.0)
    recording.series("behavior/PupilTracking", "eye_area", area, "arb. unit", description=eye)
    gaze = signals.noise(rng, samples, 1.0, 2)
    recording.series("behavior/PupilTracking", "eye_xy_positions", gaze, "arb. unit", description=eye)
    columns = {
        "included": rng.random(rows) < 0.8,
        "go_cue": starts + 0.5,
        "visual_stimulus_time": starts + 0.3,
        "visual_stimulus_left_contrast": left,
        "visual_stimulus_right_contrast": right,
        "response_time": starts + 1.2,
        "response_choice": choice,
        "feedback_time": starts + 1.25,
        "feedback_type": np.where(choice == wanted, 1, -1),
        "rep_num": rng.integers(1, 4, rows).astype(float),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.table("spontaneous", [0.0, 118.0], [0.9, 120.0], {})
    recording.save(path)


def brain_wide_map(path: Path) -> None:
    """000409: the wheel three times, key points, and a choice in words."""
    recording = Recording(409, "mouse", "IBL brainwide map")
    rng, at = recording.rng, signals.times()
    samples = len(at)
    recording.units(
        ibl_quality_score=[1.0] * 8,
        probe_name=["NeuropixelsProbe00"] * 8,
        kilosort2_label=["good"] * 8,
        beryl_location=["CA1"] * 8,
    )
    angle, velocity = signals.wheel(rng, samples)
    ticks = np.round(angle / (2 * np.pi / 4096))
    moved = np.r_[True, np.diff(ticks) != 0]
    recording.space(
        "wheel",
        "WheelPosition",
        ticks[moved] * 2 * np.pi / 4096,
        "radians",
        timestamps=at[moved],
        reference_frame="Initial angle at start time is zero. Counter-clockwise is positive.",
        description="Absolute unwrapped angle of the wheel from session start. Event-driven sampling.",
    )
    recording.space("wheel", "WheelPositionFiltered", angle, "radians", description="interpolated and filtered")
    recording.series("wheel", "WheelVelocity", velocity, "rad/s", description="Wheel angular velocity")
    acceleration = np.gradient(velocity, 1 / signals.RATE)
    recording.series("wheel", "WheelAcceleration", acceleration, "rad/s^2", description="Wheel angular acceleration")
    starts = np.arange(1.0, 117.0, 2.2)
    rows = len(starts)
    side, choice, correct = signals.choices(rng, rows)
    recording.table(
        "WheelMovementIntervals", starts + 0.7, starts + 1.0, {"peak_amplitude": rng.uniform(0.2, 1, rows)}, "wheel"
    )
    recording.typed(
        "processing/lick_times/EventsLickTimes", "Events", "ndx-events", description="licks", timestamps=starts + 1.4
    )
    recording.pose("processing/pose_estimation/LeftCamera", ["nose_tip", "paw_l", "paw_r", "tongue_end_l"])
    pupil = 20 + 3 * signals.level(rng, samples, 8.0)
    recording.series("pupil/LeftPupilTracking:PupilTracking", "LeftRawPupilDiameter", pupil, "px")
    recording.series("video", "LeftCameraMotionEnergy", np.abs(signals.level(rng, samples, 0.5)), "a.u.")
    block = np.repeat([0.5, 0.2, 0.8], [rows - 30, 15, 15])
    columns = {
        "quiescence_period": rng.uniform(0.4, 0.7, rows),
        "gabor_stimulus_onset_time": starts + 0.4,
        "wheel_movement_onset_time": starts + 0.7,
        "choice_registration_time": starts + 1.0,
        "feedback_time": starts + 1.01,
        "gabor_stimulus_contrast": rng.choice([0, 6.25, 12.5, 25, 100.0], rows),
        "gabor_stimulus_side": np.where(side > 0, "right", "left"),
        "mouse_wheel_choice": np.where(choice > 0, "right", "left"),
        "is_mouse_rewarded": correct,
        "reward_volume_uL": 1.5 * correct,
        "probability_left": block,
        "block_type": [{0.5: "unbiased", 0.2: "right_block", 0.8: "left_block"}[b] for b in block],
        "block_index": np.repeat([0, 1, 2], [rows - 30, 15, 15]),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.table("epochs", [0.0, 117.5], [117.5, 120.0], {"protocol_type": ["task", "passive"]})
    recording.save(path)


LAYOUTS = [
    Layout(
        "steinmetz",
        steinmetz,
        wanted=(
            Role("wheel velocity", ("/acquisition/wheel_position",), named="vel|speed"),
            Role("choice", (f"{TRIALS}#response_choice",), ("discrete",)),
        ),
        may=(
            Role("contrast", (f"{TRIALS}#visual_stimulus_*_contrast",), ANY, most=2),
            Role("feedback", (f"{TRIALS}#feedback_type",), ("discrete",)),
            Role("movement of the face", ("/processing/behavior/BehavioralTimeSeries/face_motion_energy",)),
        ),
        dandiset="000017",
        about="mouse deciding between contrasts with a wheel",
    ),
    Layout(
        "brain_wide_map",
        brain_wide_map,
        wanted=(
            Role("wheel velocity", ("/processing/wheel/WheelVelocity",)),
            Role("choice", (f"{TRIALS}#mouse_wheel_choice",), ("discrete",)),
        ),
        may=(
            Role("side of the stimulus", (f"{TRIALS}#gabor_stimulus_side",), ("discrete",)),
            Role("contrast", (f"{TRIALS}#gabor_stimulus_contrast",), ANY),
            Role("prior", (f"{TRIALS}#probability_left", f"{TRIALS}#block_type"), ANY),
            Role("reward", (f"{TRIALS}#is_mouse_rewarded", f"{TRIALS}#reward_volume_uL"), ANY),
            Role("pose", ("/processing/pose_estimation/LeftCamera*",)),
            Role("movement of the face", ("/processing/video/LeftCameraMotionEnergy",)),
        ),
        dandiset="000409",
        about="mouse deciding with a wheel (IBL brain-wide map)",
    ),
]
