"""Animals and people that look: which stimulus, its orientation, its category, and the running speed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.layouts import signals
from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Ragged, Recording

ANGLE = ("circular", "discrete")
ANY = ("discrete", "continuous", "circular")


def visual_coding(path: Path) -> None:
    """000021: a table for each kind of stimulus, a running speed with two shadows, voltages."""
    recording = Recording(21, "mouse", "Data and metadata for an Ecephys session")
    rng, at = recording.rng, signals.times()
    samples = len(at)
    recording.units(quality=["good"] * 8, peak_channel_id=list(range(8)), snr=[3.0] * 8, firing_rate=[5.0] * 8)
    speed = signals.running(rng, samples)
    recording.series("acquisition", "raw_running_wheel_rotation", np.cumsum(speed) / signals.RATE, "radians")
    recording.series("acquisition", "running_wheel_signal_voltage", rng.random(samples), "V")
    recording.series("acquisition", "running_wheel_supply_voltage", np.full(samples, 5.0), "V")
    recording.series("running", "running_speed", speed, "cm/s", timestamps=at)
    recording.series("running", "running_speed_end_times", np.full(samples, np.nan), "cm/s", timestamps=at)
    recording.series("running", "running_wheel_rotation", speed / signals.RATE / 5.5, "radians", timestamps=at)
    recording.series("stimulus", "timestamps", np.arange(samples), "s", timestamps=at)

    def shown(name: str, start: float, stop: float, every: float, lasts: float, **columns: object) -> None:
        starts = np.arange(start, stop, every)
        rows = len(starts)
        content: dict[str, object] = {
            "stimulus_name": [name] * rows,
            "stimulus_block": np.full(rows, start // 30),
            "color": ["[1.0, 1.0, 1.0]"] * rows,
            "contrast": np.full(rows, 0.8),
            "size": ["[250.0, 250.0]"] * rows,
            "stimulus_index": np.zeros(rows),
            "tags": Ragged([["stimulus_time_interval"]] * rows),
        }
        for column, values in columns.items():
            content[column] = rng.choice(np.asarray(values), rows)
        recording.table(f"{name}_presentations", starts, starts + lasts, content)

    shown("flashes", 3.0, 14.0, 0.5, 0.25, color=["-1.0", "1.0"])
    oriented = [0.0, 45.0, 90.0, 135.0, 180.0, 225.0, 270.0, 315.0]
    shown("drifting_gratings", 15.0, 85.0, 1.5, 1.2, orientation=oriented, temporal_frequency=[1.0, 2.0, 4.0])
    shown("natural_movie_one", 86.0, 94.0, 1 / 20, 1 / 20, frame=np.arange(900.0))
    shown("static_gratings", 95.0, 114.0, 0.25, 0.25, orientation=[0.0, 30.0, 60.0], spatial_frequency=[0.02, 0.08])
    recording.table("spontaneous_presentations", [0.0, 85.0], [3.0, 86.0], {"stimulus_name": ["spontaneous"] * 2})
    pulses = np.arange(115.0, 119.0, 0.25)
    recording.table(
        "optogenetic_stimulation",
        pulses,
        pulses + 0.01,
        {"condition": rng.choice(["a single square pulse", "half-period of a cosine wave"], len(pulses))},
        "optotagging",
    )
    recording.table("invalid_times", [60.0], [61.0], {})
    recording.save(path)


def brain_observatory(path: Path) -> None:
    """000049 and other two-photon sessions: five traces of each ROI, and gratings as epochs."""
    recording = Recording(49, "mouse", "OphysSession")
    rng, samples, module = recording.rng, len(signals.times()), "brain_observatory_pipeline"
    recording.rois(
        module,
        {
            "DfOverF": "Fluorescence",
            "demixed_traces": "Fluorescence",
            "neuropil_traces": "Fluorescence",
            "raw_traces": "Fluorescence",
            "dff_events": "l0_events:Fluorescence",
            "true_false_events": "l0_events:Fluorescence",
        },
    )
    running = f"{module}/RunningBehavior:BehavioralTimeSeries"
    recording.series(running, "running_speed", signals.running(rng, samples), "cm/s")
    eyes = f"{module}/EyeBehavior:BehavioralTimeSeries"
    recording.series(eyes, "eye_area", 50 + signals.level(rng, samples, 5.0), "pixels")
    recording.series(eyes, "pupil_area", 20 + signals.level(rng, samples, 5.0), "pixels")
    recording.series(eyes, "screen_coordinates_spherical", signals.noise(rng, samples, 1.0, 2), "degrees")
    recording.series(module, "MotionCorrection", rng.integers(-3, 4, (samples, 2)).astype(float), "pixels")
    recording.series("stimulus", "timestamps", np.arange(samples), "s")
    starts = np.arange(3.0, 116.0, 2.0)
    rows = len(starts)
    columns = {
        "tags": Ragged([["drifting_gratings"]] * rows),
        "contrast": np.full(rows, 0.8),
        "direction": rng.choice([0.0, 45, 90, 135, 180, 225, 270, 315], rows),
        "spatial_frequency": rng.choice([0.02, 0.04, 0.08, 0.16, 0.32], rows),
        "temporal_frequency": rng.choice([1.0, 2, 4, 8, 15], rows),
    }
    recording.table("epochs", starts, starts + 1.6, columns)
    recording.save(path)


def visual_behavior(path: Path) -> None:
    """000713: images in a stream, frame numbers, codes beside names."""
    recording = Recording(713, "mouse", "EPHYS_1_images_G_3uL_reward")
    rng, at = recording.rng, signals.times()
    samples = len(at)
    recording.units(quality=["good"] * 8, snr=[3.0] * 8, peak_channel_id=list(range(8)))
    recording.series("acquisition", "v_in", np.full(samples, 5.0), "V", timestamps=at)
    recording.series("acquisition", "v_sig", rng.random(samples), "V", timestamps=at)
    speed = signals.running(rng, samples)
    recording.series("running", "speed", speed, "cm/s", timestamps=at)
    noisy = speed + 0.5 * rng.standard_normal(samples)
    recording.series("running", "speed_unfiltered", noisy, "cm/s", timestamps=at)
    change = "Running wheel angular change, computed during data collection"
    recording.series("running", "dx", speed / 60, "cm", timestamps=at, description=change)
    licks = np.sort(rng.uniform(0, 120, 80))
    frames = "Timestamps and stimulus presentation frame indices for lick events"
    recording.series("licking", "licks", (licks * 60).astype(int), "frame", timestamps=licks, description=frames)
    recording.series("rewards", "volume", np.full(15, 0.003), "mL", timestamps=np.arange(8.0, 118.0, 7.5))
    recording.series("stimulus", "timestamps", np.arange(samples), "s", timestamps=at)
    starts = np.arange(2.0, 118.0, 0.75)
    rows = len(starts)
    image = np.repeat(rng.integers(0, 8, rows), 8)[:rows]
    is_change = np.r_[False, np.diff(image) != 0]
    omitted = ~is_change & (rng.random(rows) < 0.05)
    names = np.array(["im036_r", "im044_r", "im047_r", "im078_r", "im083_r", "im111_r", "im012_r", "im115_r"])
    shown = {
        "stimulus_block": np.zeros(rows, int),
        "image_name": np.where(omitted, "omitted", names[image]),
        "image_index": np.where(omitted, 8, image),
        "is_change": is_change,
        "omitted": omitted,
        "active": np.ones(rows, bool),
        "duration": np.full(rows, 0.25),
        "start_frame": (starts * 60).astype(int),
        "flashes_since_change": np.arange(rows) % 8,
        "trials_id": np.arange(rows) // 10,
        "is_image_novel": np.zeros(rows, bool),
        "stimulus_name": ["Natural_Images_Lum_Matched_set_ophys_G_2019"] * rows,
        "rewarded": is_change & (rng.random(rows) < 0.6),
    }
    recording.table("Natural_Images_Lum_Matched_set_ophys_G_2019_presentations", starts, starts + 0.25, shown)
    changes = starts[is_change]
    hit = rng.random(len(changes)) < 0.6
    trials = {
        "initial_image_name": names[image[:-1][is_change[1:]]],
        "change_image_name": names[image[1:][is_change[1:]]],
        "change_time": changes,
        "go": np.ones(len(changes), bool),
        "hit": hit,
        "miss": ~hit,
        "aborted": np.zeros(len(changes), bool),
        "response_time": np.where(hit, changes + 0.4, np.nan),
        "change_frame": (changes * 60).astype(int),
    }
    recording.table("trials", changes - 2.0, changes + 3.0, trials)
    recording.save(path)


def credit_assignment(path: Path) -> None:
    """000037: Gabors and moving squares in one table of trials, with the frames of two clocks."""
    recording = Recording(37, "mouse", "OpenScope: responses to inconsistent stimuli")
    rng, samples = recording.rng, len(signals.times())
    recording.rois("ophys", {"RoiResponseSeries": "DfOverF"})
    where = "behavior/BehavioralTimeSeries"
    recording.series(where, "running_velocity", signals.running(rng, samples), "cm/s")
    recording.series("behavior/PupilTracking", "pupil_diameter", 1 + 0.1 * signals.level(rng, samples, 5.0), "mm")
    starts = np.arange(1.0, 117.0, 1.0)
    rows = len(starts)
    gabors = np.arange(rows) < rows // 2
    frame = np.array(["A", "B", "C", "D", "U", "G"])[rng.integers(0, 6, rows)]
    columns = {
        "stimulus_type": (np.where(gabors, "gabors", "visflow"), "Type of stimulus presented during the trial."),
        "stimulus_template_name": (np.where(gabors, "gabor_stim", "square_stim"), "Name of the stimulus template"),
        "unexpected": (np.where(rng.random(rows) < 0.15, 1.0, 0.0), "expected (0) or unexpected (1)."),
        "gabor_frame": (np.where(gabors, frame, ""), "Gabor frame or set (A, B, C, D or U, G)."),
        "gabor_kappa": np.where(gabors, 16.0, np.nan),
        "gabor_mean_orientation": (
            np.where(gabors, rng.choice([0.0, 45.0, 90.0, 135.0], rows), np.nan),
            "Mean orientation of the von Mises distribution used to sample Gabor patch orientations (degrees).",
        ),
        "main_flow_direction": (
            np.where(gabors, "", rng.choice(["left (temp)", "right (nasal)"], rows)),
            "Main direction of flow for the squares",
        ),
        "square_size": np.where(gabors, np.nan, 128.0),
        "start_frame_stim": (starts * 60).astype(int),
        "stop_frame_stim": (starts * 60).astype(int) + 60,
        "start_frame_twop": (starts * 30).astype(int),
        "num_frames_twop": np.full(rows, 30),
    }
    recording.table("trials", starts, starts + 1.0, columns)
    recording.save(path)


def contrast_tuning(path: Path) -> None:
    """000039: direction and contrast of gratings as epochs, units without spikes."""
    recording = Recording(39, "mouse", "OphysSession")
    rng, samples, module = recording.rng, len(signals.times()), "brain_observatory_pipeline"
    traces = dict.fromkeys(("DfOverF", "demixed_traces", "neuropil_traces", "raw_traces"), "Fluorescence")
    recording.rois(module, traces | {"dff_events": "l0_events:Fluorescence"})
    running = f"{module}/RunningBehavior:BehavioralTimeSeries"
    words = "Speed of the mouse on a rotating wheel"
    recording.series(running, "running_speed", signals.running(rng, samples), "cm/s", description=words)
    words = "Number of pixels shifts measured during motion correction"
    shifts = rng.integers(-3, 4, (samples, 2)).astype(float)
    recording.series(module, "MotionCorrection", shifts, "pixels", description=words)
    recording.series("stimulus", "timestamps", np.arange(samples), "s")
    recording.nwb.add_unit_column("cell_id", "no description")
    for cell in range(6):
        recording.nwb.add_unit(cell_id=540000 + cell)
    starts = np.arange(3.0, 116.0, 1.5)
    columns = {
        "contrast": (rng.choice([0.05, 0.1, 0.2, 0.4, 0.6, 0.8], len(starts)), "no description"),
        "direction": (rng.choice([0.0, 45, 90, 135, 180, 225, 270, 315], len(starts)), "no description"),
        "spatial_frequency": (np.full(len(starts), 0.04), "no description"),
        "temporal_frequency": (np.full(len(starts), 1.0), "no description"),
    }
    recording.table("epochs", starts, starts + 1.2, columns)
    recording.save(path)


SHOWN = "/intervals/Natural_Images_Lum_Matched_set_ophys_G_2019_presentations"
STIMULUS = Role(
    "stimulus",
    (
        "/intervals/drifting_gratings_presentations#orientation",
        "/intervals/static_gratings_presentations#orientation",
        "/intervals/*_presentations#stimulus_name",
        ("/intervals/drifting_gratings_presentations", "/intervals/static_gratings_presentations"),
    ),
    ANGLE,
    most=2,
)

LAYOUTS = [
    Layout(
        "visual_coding",
        visual_coding,
        wanted=(Role("running speed", ("/processing/running/running_speed",)), STIMULUS),
        may=(Role("temporal frequency", ("/intervals/drifting_gratings_presentations#temporal_frequency",), ANY),),
        dandiset="000021",
        about="mouse seeing gratings and movies (Allen Visual Coding, Neuropixels)",
    ),
    Layout(
        "brain_observatory",
        brain_observatory,
        wanted=(
            Role(
                "running speed",
                ("/processing/brain_observatory_pipeline/RunningBehavior/running_speed",),
            ),
            Role("direction of the grating", ("/intervals/epochs#direction",), ANGLE),
        ),
        may=(
            Role("temporal frequency", ("/intervals/epochs#temporal_frequency",), ANY),
            Role("spatial frequency", ("/intervals/epochs#spatial_frequency",), ANY),
        ),
        neural=("/processing/brain_observatory_pipeline/Fluorescence/DfOverF",),
        dandiset="000049",
        about="mouse seeing gratings (Allen Brain Observatory, two-photon)",
    ),
    Layout(
        "visual_behavior",
        visual_behavior,
        wanted=(
            Role("running speed", ("/processing/running/speed",)),
            Role("image", (f"{SHOWN}#image_name",), ("discrete",)),
        ),
        may=(
            Role("change of the image", (f"{SHOWN}#is_change",), ("discrete",)),
            Role("reward", (f"{SHOWN}#rewarded",), ("discrete",)),
            Role("outcome", ("/intervals/trials#hit", "/intervals/trials#miss"), ("discrete",)),
        ),
        dandiset="000713",
        about="mouse detecting changes of images (Allen Visual Behavior, Neuropixels)",
    ),
    Layout(
        "credit_assignment",
        credit_assignment,
        wanted=(
            Role("running velocity", ("/processing/behavior/BehavioralTimeSeries/running_velocity",)),
            Role(
                "stimulus",
                (
                    "/intervals/trials#gabor_mean_orientation",
                    "/intervals/trials#gabor_frame",
                    "/intervals/trials#main_flow_direction",
                    "/intervals/trials#stimulus_type",
                ),
                ANGLE,
                most=3,
            ),
        ),
        may=(Role("surprise", ("/intervals/trials#unexpected",), ("discrete",)),),
        neural=("/processing/ophys/DfOverF/RoiResponseSeries",),
        dandiset="000037",
        about="mouse seeing expected and unexpected stimuli (OpenScope)",
    ),
    Layout(
        "contrast_tuning",
        contrast_tuning,
        wanted=(
            Role("running speed", ("/processing/brain_observatory_pipeline/RunningBehavior/running_speed",)),
            Role("direction of the grating", ("/intervals/epochs#direction",), ANGLE),
            Role("contrast", ("/intervals/epochs#contrast",), ("discrete", "continuous")),
        ),
        neural=("/processing/brain_observatory_pipeline/Fluorescence/DfOverF",),
        dandiset="000039",
        about="mouse seeing gratings of several contrasts (Allen, two-photon)",
    ),
]
