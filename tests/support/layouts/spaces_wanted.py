"""The right labels of the layouts of spaces.py."""

from __future__ import annotations

from tests.support.layouts import spaces
from tests.support.layouts.model import Layout, Role

TRIALS, BEHAVIOR = spaces.TRIALS, spaces.BEHAVIOR
TEXT, CIRCLE, STATES = spaces.TEXT, spaces.CIRCLE, spaces.STATES
SENSORS = ("/acquisition/position_sensor0", "/acquisition/position_sensor1")
TRACKED = tuple(f"{BEHAVIOR}/SubjectPosition/{led}LED" for led in ("Blue", "Red"))
VIRTUAL = f"{BEHAVIOR}/BehavioralTimeSeries"
TRACK = f"{BEHAVIOR}/LinearMazePositionTracking"
WORM = "/processing/Behavior"
XYZ = tuple(f"/acquisition/Position/{axis}" for axis in "xyz")

LAYOUTS = [
    Layout(
        "raw_sensors",
        spaces.raw_sensors,
        wanted=(Role("position", SENSORS),),
        may=(Role("direction", (SENSORS,), CIRCLE), STATES),
        dandiset="000003",
        about="mouse in a maze, raw position sensors",
    ),
    Layout(
        "sleep",
        spaces.sleep,
        wanted=(STATES,),
        dandiset="000041",
        about="rat asleep and awake in its cage",
    ),
    Layout(
        "linear_maze",
        spaces.linear_maze,
        wanted=(
            Role(
                "position",
                (
                    f"{BEHAVIOR}/1.6mLinearMazePosition/1.6mLinearMazeSpatialSeries",
                    f"{BEHAVIOR}/1.6mLinearMazeLinearizedPosition/1.6mLinearMazeLinearizedTimeSeries",
                ),
            ),
        ),
        dandiset="000044",
        about="rat on a novel linear maze, between two rests",
    ),
    Layout(
        "open_field",
        spaces.open_field,
        wanted=(
            Role("position", (f"{BEHAVIOR}/Position/position",)),
            Role("head direction", (f"{BEHAVIOR}/head_direction",), CIRCLE),
            Role("speed", (f"{BEHAVIOR}/body_speed",)),
        ),
        may=(Role("turning", (f"{BEHAVIOR}/azimuthal_head_velocity",)),),
        dandiset="000053",
        about="mouse exploring an open field (entorhinal cortex)",
    ),
    Layout(
        "two_towers",
        spaces.two_towers,
        wanted=(
            Role("position", (f"{VIRTUAL}/pos",)),
            Role("speed", (f"{VIRTUAL}/speed", f"{VIRTUAL}/dz")),
        ),
        may=(
            Role("scene", ("/stimulus/presentation/morph",), ("continuous", "discrete")),
            Role("licks", (f"{VIRTUAL}/lick", f"{VIRTUAL}/lick rate"), ("continuous", "discrete")),
        ),
        neural=("/processing/ophys/Fluorescence/Deconvolved", "/processing/ophys/Fluorescence/RoiResponseSeries"),
        dandiset="000054",
        about="mouse on a virtual track, two-photon",
    ),
    Layout(
        "thalamus",
        spaces.thalamus,
        wanted=(Role("position", TRACKED), Role("direction", (TRACKED,), CIRCLE)),
        may=(STATES,),
        dandiset="000056",
        about="mouse foraging, two LEDs (head direction in thalamus)",
    ),
    Layout(
        "cooling",
        spaces.cooling,
        wanted=(
            Role("position", (f"{BEHAVIOR}/SubjectPosition/SpatialSeries",)),
            Role("speed", (f"{BEHAVIOR}/SubjectSpeed",)),
            Role("condition", (f"{TRIALS}#condition",), TEXT),
        ),
        may=(
            Role("error", (f"{TRIALS}#error",), TEXT),
            Role("cooling", (f"{TRIALS}#cooling state",), TEXT),
            Role("temperature", (f"{BEHAVIOR}/Temperature",)),
            Role("acceleration", (f"{BEHAVIOR}/Acceleration",)),
        ),
        dandiset="000059",
        about="rat in a maze while its septum is cooled",
    ),
    Layout(
        "septum",
        spaces.septum,
        wanted=(Role("position", (f"{BEHAVIOR}/wheel_alternation_task/position",)),),
        may=(
            Role("direction of the trial", (f"{TRIALS}#direction",), TEXT),
            Role("type of trial", (f"{TRIALS}#trial_type",), TEXT),
        ),
        dandiset="000213",
        about="rat alternating in a maze (lateral septum)",
    ),
    Layout(
        "w_track",
        spaces.w_track,
        wanted=(
            Role("position", (f"{BEHAVIOR}/Position/SpatialSeries",)),
            Role(
                "trajectory",
                (f"{TRIALS}#start_well", f"{TRIALS}#end_well", f"{TRIALS}#trajectory_type"),
                ("discrete", "continuous"),
                most=3,
            ),
        ),
        may=(Role("accuracy", (f"{TRIALS}#correct",), TEXT),),
        dandiset="000447",
        about="rat on a W track",
    ),
    Layout(
        "pulsed_track",
        spaces.pulsed_track,
        wanted=(Role("position", (f"{TRACK}/SpatiaLSeriesLinearized", f"{TRACK}/SpatialSeriesRaw")),),
        may=(
            Role("arm", (f"{TRIALS}#visited_arm",), TEXT),
            Role("sleep state", (f"{BEHAVIOR}/SleepStates#label",), TEXT),
        ),
        dandiset="000568",
        about="mouse on a linear track with pulses of light",
    ),
    Layout(
        "worm",
        spaces.worm,
        wanted=(Role("velocity", (f"{WORM}/velocity/velocity",)),),
        may=(
            Role("turning", (f"{WORM}/angular_velocity/angular_velocity",)),
            Role("curvature", (f"{WORM}/head_curvature/*", f"{WORM}/body_curvature/*"), most=2),
            Role("pumping", (f"{WORM}/pumping/pumping",)),
        ),
        neural=("/processing/CalciumActivity/SignalRawFluor/SignalCalciumImResponseSeries",),
        dandiset="000776",
        about="worm crawling and feeding, whole-brain calcium",
    ),
    Layout(
        "postsubiculum",
        spaces.postsubiculum,
        wanted=(
            Role("position", (f"{BEHAVIOR}/Position/position",)),
            Role("head direction", (f"{BEHAVIOR}/CompassDirection/head-direction",), CIRCLE),
        ),
        dandiset="000939",
        about="mouse in an open field (head direction in postsubiculum)",
    ),
    Layout(
        "retrosplenial",
        spaces.retrosplenial,
        wanted=(Role("position", (XYZ,)),),
        may=(Role("direction", tuple(f"/acquisition/CompassDirection/r{axis}" for axis in "xyz"), CIRCLE),),
        dandiset="000987",
        about="mouse in an arena (retrosplenial cortex)",
    ),
]
