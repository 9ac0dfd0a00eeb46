"""Reaching monkeys: velocity of the hand, the finger or the cursor, and the conditions of the reaches."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Ragged, Recording

TRIALS = "/intervals/trials"
BEHAVIOR = "/processing/behavior"
CONDITION = ("discrete", "continuous", "circular")


def _reaching(seed: int, about: str) -> tuple[Recording, np.ndarray, np.ndarray, np.ndarray]:
    recording = Recording(seed, "monkey", about)
    position, velocity, directions = signals.reaches(recording.rng, len(signals.times()))
    return recording, position, velocity, directions


def mc_maze(path: Path) -> None:
    """000128 and 000138 to 000140: only the time of the trials has samples."""
    recording, position, velocity, _ = _reaching(
        128, "Data from monkey Jenkins performing center-out delayed reaching task."
    )
    rng, at = recording.rng, signals.times()
    starts = np.arange(0.0, 118.0, 2.0)
    inside = np.mod(at, 2.0) < 1.6
    recording.units(observed=np.stack([starts, starts + 1.6], axis=1), heldout=[u % 4 == 0 for u in range(8)])
    scaled = {"timestamps": at[inside], "conversion": 0.001}
    eye = 30 * signals.noise(rng, len(at), 0.2, 2)
    near = position + rng.normal(0, 0.2, position.shape)
    recording.space("behavior", "cursor_pos", near[inside], "m", description="Cursor position in mm.", **scaled)
    recording.space("behavior", "eye_pos", eye[inside], "m", description="Monkey eye position in mm.", **scaled)
    recording.space("behavior", "hand_pos", position[inside], "m", description="Monkey hand position in mm.", **scaled)
    recording.series(
        "behavior", "hand_vel", velocity[inside], "m/s", description="Monkey hand velocity in mm/s", **scaled
    )
    rows = len(starts)
    columns = {
        "target_on_time": starts + 0.1,
        "go_cue_time": starts + 0.3,
        "move_onset_time": starts + 0.5,
        "split": np.where(np.arange(rows) % 4, "train", "val"),
        "trial_type": rng.integers(0, 6, rows),
        "trial_version": np.arange(rows) % 3,
        "maze_id": np.arange(rows) % 6,
        "success": np.ones(rows, bool),
        "num_targets": rng.choice([1, 3], rows),
        "num_barriers": rng.integers(0, 9, rows),
        "active_target": rng.integers(0, 3, rows),
        "delay": rng.integers(0, 900, rows),
        "rt": rng.integers(200, 400, rows),
        "barrier_pos": Ragged([[[10, 20, 5, 8]] * (row % 3) for row in range(rows)]),
    }
    recording.table("trials", starts, starts + 1.6, columns)
    recording.save(path)


def mc_rtt(path: Path) -> None:
    """000129: one stretch, cut into trials of 600 ms that mean nothing."""
    recording, position, velocity, _ = _reaching(
        129, "Data from monkey Indy performing self-paced random target reaching task."
    )
    recording.units(observed=[[0.0, signals.SECONDS]], heldout=[u % 4 == 0 for u in range(8)])
    depth = 3 * signals.noise(recording.rng, len(position), 2.0)
    recording.space("behavior", "cursor_pos", position, "m", conversion=0.001, description="cursor position in mm")
    recording.space(
        "behavior",
        "finger_pos",
        np.concatenate([depth, position], axis=1),
        "m",
        conversion=0.001,
        description="The position of the fingertip (z, x, y) in mm.",
    )
    target = np.repeat(position[::40], 40, axis=0)[: len(position)]
    recording.space("behavior", "target_pos", target, "m", conversion=0.001, description="target position in mm")
    recording.series(
        "behavior",
        "finger_vel",
        velocity,
        "m/s",
        conversion=0.001,
        description="The x and y velocity of the finger in mm/s.",
    )
    starts = np.arange(0, signals.SECONDS - 0.6, 0.6)
    recording.table("trials", starts, starts + 0.6, {"split": np.where(np.arange(len(starts)) % 4, "train", "val")})
    recording.save(path)


def area2_bump(path: Path) -> None:
    """000127: the hand, and joints and muscles that follow from it."""
    recording, position, velocity, directions = _reaching(127, "monkey Han center-out task, active and passive")
    rng = recording.rng
    recording.units(observed=[[0.0, signals.SECONDS]], heldout=[u % 4 == 0 for u in range(8)])
    joints, muscles = rng.normal(size=(2, 7)), rng.normal(size=(2, 9))
    recording.series("behavior", "force", rng.normal(size=(len(position), 3)), "N")
    recording.space("behavior", "hand_pos", position / 10, "cm")
    recording.series("behavior", "hand_vel", velocity / 10, "cm/s")
    recording.series("behavior", "joint_ang", (position @ joints).astype(np.float32), "degrees")
    recording.series("behavior", "joint_vel", (velocity @ joints).astype(np.float32), "degrees/s")
    recording.series("behavior", "muscle_len", (position @ muscles).astype(np.float32), "m")
    recording.series("behavior", "muscle_vel", (velocity @ muscles).astype(np.float32), "m/s")
    rows = len(directions)
    starts, bump = 0.5 + 2.0 * np.arange(rows), rng.random(rows) < 0.5
    degrees = np.rad2deg(directions)
    columns = {
        "result": np.where(rng.random(rows) < 0.85, "R", "F"),
        "ctr_hold": np.full(rows, 0.5),
        "ctr_hold_bump": bump,
        "bump_dir": np.where(bump, degrees, np.nan),
        "target_dir": np.where(bump, np.nan, degrees),
        "cond_dir": degrees,
        "go_cue_time": starts + 0.2,
        "split": ["train"] * rows,
    }
    recording.table("trials", starts, starts + 1.5, columns)
    recording.save(path)


def center_out(path: Path) -> None:
    """000688: the cursor in containers for position, velocity and acceleration."""
    recording, position, velocity, directions = _reaching(688, "Monkey C performing center-out reaching task.")
    at = signals.times()
    recording.units()
    recording.space(
        "behavior/Position",
        "cursor_pos",
        position / 10,
        "cm",
        timestamps=at,
        description="Cursor position (x, y) on the screen.",
    )
    recording.series(
        "behavior/Velocity:BehavioralTimeSeries",
        "cursor_vel",
        velocity / 10,
        "cm/s",
        timestamps=at,
        description="Cursor velocity (vx, vy).",
    )
    recording.series(
        "behavior/Acceleration:BehavioralTimeSeries",
        "cursor_acc",
        np.gradient(velocity / 10, 1 / signals.RATE, axis=0),
        "cm/s^2",
        timestamps=at,
        description="Cursor acceleration (ax, ay).",
    )
    starts = 0.5 + 2.0 * np.arange(len(directions))
    rows = len(starts)
    columns = {
        "result": ["R"] * rows,
        "target_id": np.round(directions / (np.pi / 4)),
        "target_dir": directions,
        "target_corners": np.tile([6.0, 4.0, 8.0, 2.0], (rows, 1)),
        "target_on_time": starts + 0.05,
        "go_cue_time": starts + 0.2,
    }
    recording.table("trials", starts, starts + 1.5, columns)
    recording.save(path)


def maze_in_position(path: Path) -> None:
    """000070: hand, cursor and eye in one Position, and flags of trials to be thrown away."""
    recording, position, _, _ = _reaching(70, "")
    rng = recording.rng
    recording.units()
    near = position + rng.normal(0, 0.3, position.shape)
    for name, data in (("Cursor", near), ("Eye", 30 * signals.noise(rng, len(near), 0.2, 2)), ("Hand", position)):
        recording.space("behavior/Position", name, data, "m", conversion=0.001)
    starts = np.arange(0.0, 118.0, 2.0)
    rows = len(starts)
    columns = {
        "discard_trial": (rng.random(rows) < 0.15).astype(np.uint8),
        "task_success": np.ones(rows, np.uint8),
        "correct_reach": (rng.random(rows) < 0.8).astype(np.uint8),
        "proto_trial": (rng.random(rows) < 0.2).astype(np.uint8),
        "trial_type": (np.arange(rows) % 9).astype(np.uint8),
        "trial_version": (np.arange(rows) % 3).astype(np.uint8),
        "maze_condition": rng.integers(0, 6, rows).astype(np.uint8),
        "maze_num_targets": rng.choice([1, 3], rows).astype(np.uint8),
        "maze_num_barriers": rng.integers(0, 6, rows).astype(np.uint8),
        "novel_maze": np.zeros(rows, np.uint8),
        "go_cue_time": starts + 0.3,
        "reaction_time": rng.uniform(0.2, 0.4, rows),
    }
    recording.table("trials", starts, starts + 1.8, columns)
    recording.save(path)


def parkinson(path: Path) -> None:
    """000947: two tables of units, and trials with a target and many times."""
    recording = Recording(947, "monkey", "choice reaction time reaching task, MPTP")
    rng = recording.rng
    recording.units(location=["GPi"] * 8, unit_name=[f"u{u}" for u in range(8)])
    recording.units(where="ecephys", location=["GPi"] * 8)
    starts = np.arange(1.0, 117.0, 2.2)
    rows = len(starts)
    right = rng.random(rows) < 0.8
    columns = {
        "target": (rng.choice(["Left", "Right"], rows), "Defines whether the target was on the left or right side."),
        "cue_onset_time": starts + 0.3,
        "movement_start_time": starts + 0.7,
        "reward_start_time": np.where(right, starts + 1.5, np.nan),
        "error_onset_time": np.where(right, np.nan, starts + 1.5),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


MAZE_MAY = (
    Role("hand or cursor position", (f"{BEHAVIOR}/hand_pos", f"{BEHAVIOR}/cursor_pos")),
    Role("condition", (f"{TRIALS}#trial_type", f"{TRIALS}#maze_id", f"{TRIALS}#trial_version"), CONDITION),
    Role("barriers", (f"{TRIALS}#num_barriers",), CONDITION),
    Role("targets", (f"{TRIALS}#num_targets",), CONDITION),
    Role("target", (f"{TRIALS}#active_target",), CONDITION),
)

LAYOUTS = [
    Layout(
        "mc_maze",
        mc_maze,
        wanted=(Role("hand velocity", (f"{BEHAVIOR}/hand_vel",)),),
        may=MAZE_MAY,
        dandiset="000128",
        about="monkey reaching through mazes (NLB MC_Maze)",
    ),
    Layout(
        "mc_rtt",
        mc_rtt,
        wanted=(Role("finger velocity", (f"{BEHAVIOR}/finger_vel",)),),
        may=(
            Role("finger or cursor position", (f"{BEHAVIOR}/finger_pos", f"{BEHAVIOR}/cursor_pos")),
            Role("target", (f"{BEHAVIOR}/target_pos",)),
        ),
        dandiset="000129",
        about="monkey reaching to random targets (NLB MC_RTT)",
    ),
    Layout(
        "area2_bump",
        area2_bump,
        wanted=(Role("hand velocity", (f"{BEHAVIOR}/hand_vel",)),),
        may=(
            Role("hand position", (f"{BEHAVIOR}/hand_pos",)),
            Role("force", (f"{BEHAVIOR}/force",)),
            Role(
                "direction",
                (f"{TRIALS}#bump_dir", f"{TRIALS}#target_dir", f"{TRIALS}#cond_dir"),
                ("circular", "discrete"),
            ),
            Role("bump", (f"{TRIALS}#ctr_hold_bump",), ("discrete",)),
            Role("result", (f"{TRIALS}#result",), ("discrete",)),
        ),
        dandiset="000127",
        about="monkey reaching and being bumped (NLB Area2_Bump)",
    ),
    Layout(
        "center_out",
        center_out,
        wanted=(Role("cursor velocity", (f"{BEHAVIOR}/Velocity/cursor_vel",)),),
        may=(
            Role("cursor position", (f"{BEHAVIOR}/Position/cursor_pos",)),
            Role("cursor acceleration", (f"{BEHAVIOR}/Acceleration/cursor_acc",)),
            Role("target", (f"{TRIALS}#target_dir", f"{TRIALS}#target_id"), ("circular", "discrete")),
        ),
        dandiset="000688",
        about="monkey reaching from the centre out",
    ),
    Layout(
        "maze_in_position",
        maze_in_position,
        wanted=(Role("hand or cursor", (f"{BEHAVIOR}/Position/Hand", f"{BEHAVIOR}/Position/Cursor")),),
        may=(
            Role(
                "condition", (f"{TRIALS}#maze_condition", f"{TRIALS}#trial_type", f"{TRIALS}#trial_version"), CONDITION
            ),
            Role("outcome", (f"{TRIALS}#correct_reach",), CONDITION),
            Role("targets", (f"{TRIALS}#maze_num_targets",), CONDITION),
            Role("barriers", (f"{TRIALS}#maze_num_barriers",), CONDITION),
        ),
        dandiset="000070",
        about="monkey reaching through mazes (Churchland, Shenoy)",
    ),
    Layout(
        "parkinson",
        parkinson,
        wanted=(Role("target", (f"{TRIALS}#target",), ("discrete",)),),
        neural=("/units", "/processing/ecephys/units"),
        dandiset="000947",
        about="monkey reaching left or right, with parkinsonism",
    ),
]
