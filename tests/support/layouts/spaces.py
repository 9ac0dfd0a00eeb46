"""Mazes and open fields: mazes of their own names, states of sleep, virtual tracks, quaternions, a worm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Role
from tests.support.layouts.parts import Ragged, Recording

TRIALS = "/intervals/trials"
BEHAVIOR = "/processing/behavior"
TEXT = ("discrete",)
CIRCLE = ("circular",)
STATES = Role("sleep state", (f"{BEHAVIOR}/states#label",), TEXT)


def _new(seed: int, species: str, about: str, **units: Any) -> tuple[Recording, int]:
    recording = Recording(seed, species, about)
    recording.units(**units)
    return recording, len(signals.times())


def _states(recording: Recording, starts: np.ndarray, lasts: float) -> None:
    names = np.array(["Awake", "Non-REM", "REM"])[np.arange(len(starts)) % 3]
    recording.table("states", starts, starts + lasts, {"label": (names, "Sleep state.")}, "behavior")


def raw_sensors(path: Path) -> None:
    """000003: two raw position sensors in acquisition, and sleep states."""
    recording, samples = _new(3, "mouse", "Mouse in open exploration and theta maze.", cell_type=["granule cell"] * 8)
    place, heading, _ = signals.walk(recording.rng, samples, 400.0)
    off = 6 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    for number, at in enumerate((place + off, place - off)):
        words = f"raw sensor data from sensor {number}"
        recording.space("acquisition", f"position_sensor{number}", at, "unknown", description=words)
    _states(recording, np.arange(0.0, 120.0, 8.0), 8.0)
    recording.save(path)


def sleep(path: Path) -> None:
    """000041: nothing but sleep states in a processing module."""
    recording, _ = _new(41, "rat", "The animal was left alone in its home cage.", region=["mPFC"] * 8)
    _states(recording, np.arange(0.0, 120.0, 5.0), 5.0)
    recording.save(path)


def linear_maze(path: Path) -> None:
    """000044: the place on a maze in two dimensions and linearised, in the middle third of the session."""
    recording, _ = _new(44, "rat", "PRE rest, novel MAZE running, POST rest", cell_type=["pyramidal cell"] * 8)
    at = signals.times(start=30.0, stop=100.0)
    along = signals.laps(recording.rng, len(at), 1.6)
    xy = np.column_stack([along, 0.02 * signals.level(recording.rng, len(at), 1.0)])
    recording.space(
        "behavior/1.6mLinearMazePosition:Position",
        "1.6mLinearMazeSpatialSeries",
        xy,
        timestamps=at,
        description="(x,y) coordinates tracking subject movement through the maze.",
    )
    recording.space(
        "behavior/1.6mLinearMazeLinearizedPosition:Position",
        "1.6mLinearMazeLinearizedTimeSeries",
        along,
        timestamps=at,
        description="Linearized position, defined as starting at the edge of reward area.",
    )
    _states(recording, np.r_[np.arange(0.0, 29.0, 3.0), np.arange(101.0, 118.0, 3.0)], 3.0)
    recording.table("epochs", [0.0, 30.0, 100.0], [30.0, 100.0, 120.0], {"label": ["PRE", "MAZE", "POST"]})
    recording.save(path)


def open_field(path: Path) -> None:
    """000053: place, head direction without the unit's type, and two speeds."""
    recording, samples = _new(53, "mouse", "free exploration.", cell_id=[f"c{u}" for u in range(8)])
    place, heading, speed = signals.walk(recording.rng, samples, 75.0)
    at = signals.times()
    recording.space("behavior/Position", "position", place, "meters", conversion=0.01, timestamps=at)
    turning = np.gradient(heading, 1 / signals.RATE)
    recording.series("behavior", "azimuthal_head_velocity", np.rad2deg(turning), "degrees/s", timestamps=at)
    recording.series("behavior", "body_speed", speed, "cm/s", timestamps=at)
    recording.series(
        "behavior", "head_direction", signals.wrapped(heading), "radians", timestamps=at, description="azimuth"
    )
    recording.save(path)


def two_towers(path: Path) -> None:
    """000054: a virtual track in frames of the microscope, with licks, teleports and a morph of the scene."""
    recording = Recording(54, "mouse", "TwoTower_foraging_001_006")
    rng, samples, rate = recording.rng, round(signals.SECONDS * 10), 10.0
    recording.rois(
        "ophys",
        {"Deconvolved": "Fluorescence", "Neuropil": "Fluorescence", "RoiResponseSeries": "Fluorescence"},
        Accepted=[1, 1, 0, 1, 1, 0],
        Rejected=[0, 0, 1, 0, 0, 1],
    )
    place, speed = signals.teleports(rng, samples, 200.0, rate)
    jump = np.r_[False, np.diff(place) < -100]
    lick = rng.poisson(0.1, samples).astype(float)
    series = {
        "dz": (speed / rate, "(virtual cm) raw rotary encoder information"),
        "lick": (lick, "number of licks in 2P frame"),
        "lick rate": (np.convolve(lick, np.ones(10) / 10, "same"), "smooth version of no. licks"),
        "pos": (place, "(virtual cm) position on virtual reality track"),
        "rzone": ((place > 150).astype(float), "information about collisions with objects in virtual track"),
        "speed": (speed, "mouse's speed on ball"),
        "teleport": (jump.astype(float), "information about collisions with objects in virtual track, 0-collision"),
        "tstart": (np.roll(jump, 1).astype(float), "information about collisions with objects in virtual track"),
    }
    for name, (data, words) in series.items():
        recording.series("behavior/BehavioralTimeSeries", name, data, "au", rate=rate, description=words)
    morph = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], 40)[np.cumsum(jump)]
    words = "information about stimulus in arbitrary units"
    recording.series("stimulus", "morph", morph, "au", rate=rate, description=words)
    recording.series("stimulus", "wallJitter", rng.random(40)[np.cumsum(jump)], "au", rate=rate, description=words)
    recording.series(
        "stimulus", "reward", jump.astype(float), "au", rate=rate, description="number of rewards dispensed"
    )
    recording.save(path)


def thalamus(path: Path) -> None:
    """000056: raw LEDs in acquisition, processed ones in SubjectPosition, sleep states."""
    recording, samples = _new(56, "mouse", "head direction in anterior thalamus")
    place, heading, _ = signals.walk(recording.rng, samples, 53.0)
    off = 2 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
    for name, led in (("BlueLED", place + off), ("RedLED", place - off)):
        for start in range(200, samples - 100, 400):
            led[start : start + 20] = -1.0
        raw = "Raw sensor data. Values of -1 indicate that LED detection failed."
        recording.space("acquisition", name, 10 * np.where(led < 0, -0.1, led), "pixels", description=raw)
        words = "(x,y) coordinates tracking subject movement through the maze. Values of -1 indicate lost tracking."
        recording.space("behavior/SubjectPosition:Position", name, led, "meters", conversion=0.01, description=words)
    _states(recording, np.arange(0.0, 120.0, 8.0), 8.0)
    recording.save(path)


def cooling(path: Path) -> None:
    """000059: place in three dimensions, speed, temperature of the brain, left and right trials."""
    recording, samples = _new(59, "rat", "cooling of the medial septum", quality=["good"] * 8)
    rng, at = recording.rng, signals.times()
    place, _, speed = signals.walk(rng, samples, 1.0)
    xyz = np.column_stack([place, 0.3 + 0.01 * signals.level(rng, samples, 1.0)])
    recording.space(
        "behavior/SubjectPosition:Position",
        "SpatialSeries",
        xyz,
        timestamps=at,
        description="(x,y,z) coordinates tracking subject movement through the maze.",
    )
    recording.series("behavior", "SubjectSpeed", speed, "meters/s", timestamps=at)
    acceleration = np.gradient(speed, 1 / signals.RATE)
    recording.series("behavior", "Acceleration", acceleration, "meters/s^2", timestamps=at)
    warmth = 36 + np.sin(at / 40)
    recording.series(
        "behavior", "Temperature", warmth, "Celsius", timestamps=at, description="Internal brain temperature"
    )
    starts = np.arange(1.0, 117.0, 2.4)
    rows = len(starts)
    columns = {
        "error": (rng.random(rows) < 0.25, "Whether the subject made a mistake."),
        "condition": (rng.choice(["left", "right"], rows), "Whether the maze condition was left or right."),
        "cooling state": (
            np.repeat(["Cooling off", "Cooling on", "Recovery"], rows // 3 + 1)[:rows],
            "The labeled cooling state of the subject during the trial.",
        ),
    }
    recording.table("trials", starts, starts + 2.2, columns)
    recording.save(path)


def septum(path: Path) -> None:
    """000213: an orientation as a quaternion, an error of tracking, and trials with a direction in words."""
    recording, samples = _new(213, "rat", "hippocampal-lateral septal circuit", location=["LS"] * 8)
    rng = recording.rng
    place, heading, _ = signals.walk(rng, samples, 1.0)
    xyz = np.column_stack([place, 0.2 + 0.01 * signals.level(rng, samples, 1.0)])
    zero = np.zeros(samples)
    frame = "processing/behavior/allocentric_frame_tracking"
    recording.typed(frame, "CompassDirection")
    recording.typed(  # four columns, which pynwb no longer writes
        f"{frame}/orientation",
        "SpatialSeries",
        data=np.column_stack([zero, zero, np.sin(heading / 2), np.cos(heading / 2)]).astype(np.float32),
        data__unit="n.a.",
        timestamps=signals.times(),
        description="(x, y, z, w) orientation coordinates, orientation type: quaternion",
    )
    maze = "behavior/wheel_alternation_task:Position"
    recording.space(maze, "position", xyz, description="(x,y,z) coordinates tracking subject movement.")
    recording.space(
        maze,
        "error_per_marker",
        rng.uniform(0, 0.002, samples),
        description="Estimated error for marker tracking from optitrack system.",
    )
    starts = np.arange(1.0, 117.0, 2.4)
    columns = {
        "direction": (rng.choice(["clockwise", "counter_clockwise"], len(starts)), "direction of the trial"),
        "trial_type": (rng.choice(["central_alternation", "wheel"], len(starts)), "type of trial"),
    }
    recording.table("trials", starts, starts + 2.2, columns)
    recording.save(path)


def w_track(path: Path) -> None:
    """000447: a position without a description, trials by wells and by inbound or outbound."""
    recording, samples = _new(447, "rat", "Novel familiar novel experiment")
    rng = recording.rng
    place, _, _ = signals.walk(rng, samples, 100.0)
    recording.space("behavior/Position", "SpatialSeries", place, "cm", timestamps=signals.times())
    starts = np.arange(1.0, 117.0, 2.0)
    rows = len(starts)
    outbound = np.arange(rows) % 2 == 0
    outer = rng.integers(2, 4, rows).astype(float)
    columns = {
        "start_well": (np.where(outbound, 1.0, outer), "well ID at trajectory start (Well-1 Center; Well-2 Left)"),
        "end_well": (np.where(outbound, outer, 1.0), "well ID at trajectory end (Well-1 Center; Well-2 Left)"),
        "trajectory_type": (np.where(outbound, 0.0, 1.0), "Inbound = 1; Outbound = 0"),
        "correct": ((rng.random(rows) < 0.75).astype(float), "correct or incorrect"),
    }
    recording.table("trials", starts, starts + 1.9, columns)
    recording.table("epoch intervals", [0.0, 40.0, 80.0], [40.0, 80.0, 120.0], {})
    recording.save(path)


def pulsed_track(path: Path) -> None:
    """000568: raw and linearised position on a track, visited arms, sleep states that overlap."""
    recording, samples = _new(568, "mouse", "pulsed optogenetics", cell_type=["Pyramidal Cell"] * 8)
    rng = recording.rng
    along = signals.laps(rng, samples, 110.0)
    xy = np.column_stack([along, 0.5 * signals.level(rng, samples, 1.0)])
    track = "behavior/LinearMazePositionTracking:Position"
    recording.space(
        track, "SpatiaLSeriesLinearized", along, "cm", description="Linearized position of the subject on the track."
    )
    recording.space(track, "SpatialSeriesRaw", xy, "cm", description="(x,y) coordinates tracking subject movement")
    starts = np.arange(1.0, 117.0, 3.0)
    visited = (np.arange(len(starts)) % 2).astype(np.uint8)
    recording.table(
        "trials", starts, starts + 2.8, {"visited_arm": (visited, "Which side of the linear track was visited")}
    )
    states = np.arange(0.0, 118.0, 1.5)
    names = np.array(["WAKEstate", "WAKEtheta", "QWake_ThDt"])[np.arange(len(states)) % 3]
    recording.table("SleepStates", states, states + 2.5, {"label": (names, "Sleep state.")}, "behavior")
    epochs = {"environment": ["home cage", "linear track", "home cage"], "manipulation": ["none", "pulses", "none"]}
    recording.table("epochs", [0.0, 1.0, 119.0], [1.0, 119.0, 120.0], epochs)
    recording.save(path)


def worm(path: Path) -> None:
    """000776: velocity, curvatures in radians, pumping and reversals of a worm, in a module with a capital."""
    recording = Recording(776, "Caenorhabditis elegans", "Bouts of pumping at baseline")
    rng, samples, rate = recording.rng, round(signals.SECONDS * 10), 10.0
    recording.rois("CalciumActivity", {"SignalCalciumImResponseSeries": "SignalRawFluor:Fluorescence"}, rate=2.0)
    behaviour = {
        "velocity": (0.1 * signals.level(rng, samples, 3.0, rate), "mm/s", "a signed scalar: the animal's velocity"),
        "angular_velocity": (signals.level(rng, samples, 1.0, rate), "rad/s", "turning of the animal"),
        "head_curvature": (0.6 * signals.level(rng, samples, 0.5, rate), "rad", "angle between the points 1, 5, and 8"),
        "body_curvature": (np.abs(0.4 * signals.level(rng, samples, 1.0, rate)), "rad", "standard deviation of angles"),
        "pumping": (np.clip(2 + signals.level(rng, samples, 4.0, rate), 0, None), "pumps/s", "pumping rate"),
    }
    for name, (data, unit, words) in behaviour.items():
        recording.series(f"Behavior/{name}:BehavioralTimeSeries", name, data, unit, rate=rate, description=words)
    at = np.sort(rng.uniform(0, 120, 20))
    recording.series("Behavior/reversal_events:BehavioralEvents", "reversal_events", np.ones(20), "n.a.", timestamps=at)
    recording.save(path)


def postsubiculum(path: Path) -> None:
    """000939: head direction with a hyphen, place, an accelerometer in volts and a pseudo EMG."""
    recording, samples = _new(939, "mouse", "Open field and sleep recording", is_head_direction=[1] * 8)
    rng = recording.rng
    place, heading, _ = signals.walk(rng, samples, 80.0)
    recording.space(
        "behavior/CompassDirection",
        "head-direction",
        np.mod(heading, 2 * np.pi),
        "radians",
        description="Horizontal angle of the head (yaw)",
    )
    recording.space(
        "behavior/Position", "position", place, "centimeters", description="(x,y) position in the open field"
    )
    recording.series("behavior", "accelerometer", signals.noise(rng, samples, 0.2, 3), "V")
    recording.series("ecephys", "pseudoEMG", rng.random(samples), "a.u.", description="Pseudo EMG from the LFP")
    nrem = np.arange(90.0, 118.0, 2.0)
    recording.table("nrem", nrem, nrem + 1.5, {"tags": Ragged([["nrem", "sleep"]] * len(nrem))})
    recording.table("rem", [118.5], [119.5], {"tags": Ragged([["rem"]])})
    recording.table("epochs", [0.0, 90.0], [90.0, 120.0], {"tags": Ragged([["wake_square"], ["sleep"]])})
    recording.save(path)


def retrosplenial(path: Path) -> None:
    """000987: x, y and z apart, three angles of the head, UP and DOWN states."""
    recording, samples = _new(987, "mouse", "Freely behaving mouse retrosplenial cortex data", location=["RSC"] * 8)
    rng = recording.rng
    place, heading, _ = signals.walk(rng, samples, 1.0)
    at = signals.times()
    for name, data in zip("xyz", [place[:, 0], 0.05 * signals.level(rng, samples, 1.0), place[:, 1]], strict=True):
        recording.space("acquisition/Position", name, data, timestamps=at)
    angles = [
        0.2 * signals.level(rng, samples, 1.0),
        np.mod(heading, 2 * np.pi),
        0.2 * signals.level(rng, samples, 1.0),
    ]
    for name, data in zip(("rx", "ry", "rz"), angles, strict=True):
        recording.space("acquisition/CompassDirection", name, data, "radians", timestamps=at)
    ups = np.arange(0.0, 118.0, 1.0)
    recording.table("UP", ups, ups + 0.7, {"tags": Ragged([["UP"]] * len(ups))})
    recording.table("DOWN", ups + 0.7, ups + 1.0, {"tags": Ragged([["DOWN"]] * len(ups))})
    recording.table("position_time_support", [0.0], [120.0], {})
    recording.save(path)
