"""People that remember and try to move: category, load, old and new, the cued finger."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.support.layouts.model import Layout, Role
from tests.support.layouts.parts import Recording

TRIALS = "/intervals/trials"
ANY = ("discrete", "continuous")
TEXT = ("discrete",)


def _new(seed: int, about: str) -> tuple[Recording, np.ndarray]:
    recording = Recording(seed, "human", about)
    recording.units()
    return recording, np.arange(1.0, 117.0, 2.2)


def _markers(recording: Recording, at: np.ndarray, codes: list[float]) -> None:
    """Add the numbers of the experiments and the TTL markers, as this lab's files have them."""
    order = np.argsort(at)
    recording.series("acquisition", "experiment_ids", np.asarray(codes)[order], "NA", timestamps=at[order])
    ttl = np.tile([1.0, 2.0, 3.0, 4.0], len(at) // 4 + 1)[: len(at)]
    words = "The events correspond to the TTL markers for each trial."
    recording.series("acquisition", "events", ttl, "NA", timestamps=at[order], description=words)


def recognition(path: Path) -> None:
    """000004: names of categories beside their codes, a phase of learning and one of recognition."""
    recording, starts = _new(4, "New/Old recognition task for ID: 7.")
    rng, rows = recording.rng, len(starts)
    category = rng.integers(1, 6, rows)
    names = np.array(["", "houses", "landscapes", "mobility", "phones", "smallAnimal"])
    learning = np.arange(rows) < rows // 2
    _markers(recording, starts + 0.1, [80.0 if phase else 81.0 for phase in learning])
    new = rng.integers(0, 2, rows)
    columns = {
        "stim_on_time": (starts + 0.2, "The Time when the Stimulus is Shown"),
        "stim_off_time": (starts + 1.2, "The Time when the Stimulus is Off"),
        "delay1_time": (starts + 1.4, "The Time when Delay1 is Off"),
        "stim_phase": (np.where(learning, "learn", "recog"), "Learning/Recognition Phase During the Trial"),
        "stimCategory": (category.astype(np.uint8), "The Category ID of the Stimulus"),
        "category_name": (names[category], "The Category Name of the Stimulus"),
        "external_image_file": ([f"C:\\images\\{i}.jpg" for i in range(rows)], "The File Path to the Stimulus"),
        "new_old_labels_recog": (
            np.where(learning, "NA", new.astype(str)),
            "The Ground truth Labels for New or Old Stimulus. 0 == Old Stimuli, 1 == New Stimuli",
        ),
        "response_value": (np.where(learning, 20.0, 31.0 + 5 * new), "The Response for Each Stimulus"),
        "response_time": (starts + 1.8, "The Response Time for each Stimulus"),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def boundaries(path: Path) -> None:
    """000207: three tables for three tasks, one after the other, none of them called trials."""
    recording, _ = _new(207, "cognitive boundary task")
    rng = recording.rng
    tasks = {
        "encoding_table": np.arange(1.0, 48.0, 1.0),
        "recognition_table": np.arange(50.0, 86.0, 0.8),
        "timediscrimination_table": np.arange(88.0, 118.0, 0.8),
    }
    boundary = "1=no boundary (NB), 2=soft boundary (SB), 3=hard boundary (HB)"
    for number, (name, starts) in enumerate(tasks.items()):
        rows = len(starts)
        kind = rng.integers(1, 4, rows).astype(np.uint8)
        columns: dict[str, object] = {"fixcross_time": (starts - 0.2, "fix cross time. TTL=11")}
        if number == 0:
            columns["stimCategory"] = (kind, boundary)
            columns["Clip_name"] = ([f"clip_{i}.mp4" for i in range(rows)], "video clip shown during this trial")
            columns["boundary1_time"] = (starts + 0.3, "time of first boundary")
        else:
            columns |= {
                "RT": (rng.uniform(0.3, 2, rows), "Reaction time"),
                "accuracy": (rng.integers(1, 3, rows).astype(np.uint8), "correct = 2, incorrect 1, no response = 0"),
                "boundary_type": (kind, boundary),
                "confidence": (rng.integers(1, 4, rows).astype(np.uint8), "3 = high, 2 = medium, 1 = low"),
                "frameName": ([f"frame_{i}.png" for i in range(rows)], "name of image shown"),
                "trial_num": (1 + np.arange(rows), "trial nr"),
            }
        if number == 1:
            columns["old_new"] = (rng.integers(1, 3, rows).astype(np.uint8), "Response Old = 2, New = 1")
            columns["stimuli_type"] = (rng.integers(0, 2, rows).astype(np.uint8), "target (ground truth) = 1, foil = 0")
        if number == 2:
            columns["leftright"] = (rng.integers(1, 3, rows).astype(np.uint8), "Left = 1, Right = 2")
        columns["ExperimentID"] = (np.full(rows, 70.0 + number), "EXPERIMENT_ID")
        recording.table(name, starts, starts + 0.6, columns)
    at = np.sort(np.concatenate(list(tasks.values())))
    codes = [70.0 + sum(t > border for border in (49, 87)) for t in at]
    _markers(recording, at, codes)
    recording.save(path)


def sternberg(path: Path) -> None:
    """000469: the load, pictures by number, and a probe that was seen or not."""
    recording, starts = _new(469, "Sternberg working memory task")
    rng, rows = recording.rng, len(starts)
    ttl = np.tile([1.0, 3.0, 4.0], rows)[: 3 * rows]
    at = np.sort(np.concatenate([starts, starts + 0.7, starts + 1.4]))
    recording.series("acquisition", "events", ttl, "NA", timestamps=at, description="The TTL markers of each trial.")
    loads = rng.integers(1, 4, rows)
    pictures = rng.integers(1, 6, (rows, 3))
    columns = {
        "loads": (loads, "memory load: the number of pictures shown"),
        "loadsEnc1_PicIDs": (pictures[:, 0], "picture shown first"),
        "loadsEnc2_PicIDs": (np.where(loads > 1, pictures[:, 1], 0), "picture shown second, 0 if none"),
        "loadsEnc3_PicIDs": (np.where(loads > 2, pictures[:, 2], 0), "picture shown third, 0 if none"),
        "loadsProbe_PicIDs": (rng.integers(1, 6, rows), "picture shown as the probe"),
        "probe_in_out": (rng.integers(0, 2, rows), "1 if the probe was in the memory set"),
        "response_accuracy": ((rng.random(rows) < 0.8).astype(int), "1 if the response was correct"),
        "timestamps_FixationCross": starts,
        "timestamps_Encoding1": starts + 0.2,
        "timestamps_Maintenance": starts + 0.9,
        "timestamps_Probe": starts + 1.3,
        "timestamps_Response": starts + 1.8,
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.save(path)


def verbal_memory(path: Path) -> None:
    """000574: the size of the set and the solution; a table of phases covers the same time."""
    recording, starts = _new(574, "Running experiment as described in the experiment description")
    rng, rows = recording.rng, len(starts)
    columns = {
        "set_size": (rng.choice([4, 6, 8], rows), "Number of letters shown during encoding period"),
        "set_letters": (["not available"] * rows, "Letters shown during encoding period."),
        "probe_letter": (
            rng.choice(list("BCDFGHJKLMNPQRST"), rows),
            "The letter presented to the participant during the retrieval period",
        ),
        "solution": (rng.random(rows) < 0.5, "Was the letter at hand present in the encoding set?"),
        "artifact": (rng.random(rows) < 0.2, "Whether the trial data was visually marked as an artifact"),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    phases = np.ravel(starts[:, None] + [0.0, 0.4, 0.8, 1.4])
    ends = np.ravel(starts[:, None] + [0.4, 0.8, 1.4, 2.0])
    names = ["fixation", "encoding", "maintenance", "recall"] * rows
    recording.table("epochs", phases, ends, {"phase": names})
    answer = rng.integers(0, 2, rows).astype(float)
    words = "The participant's answer to the question whether the letter was present in the encoding set"
    recording.series(
        "behavior/BehavioralEvents.response:BehavioralEvents",
        "response",
        answer,
        "NA",
        timestamps=starts + 1.6,
        description=words,
    )
    recording.save(path)


def fingers(path: Path) -> None:
    """000147: the cued finger, the place of the cue, and what a decoder made of it."""
    recording, starts = _new(147, "individual-finger press, main task")
    rng, rows = recording.rng, len(starts)
    names = np.array(["Thumb", "Index", "Middle", "Ring", "Pinky"])
    finger = rng.integers(0, 5, rows)
    decoded = np.where(rng.random(rows) < 0.92, finger, rng.integers(0, 5, rows))
    columns = {
        "Run": np.arange(rows) // 14,
        "TrialNumber": np.arange(rows),
        "cue_location": (rng.integers(1, 7, rows), "screen location (index) where text cue was displayed"),
        "finger": (names[finger], "the finger cued during the trial"),
        "finger_pred": (names[decoded], "the finger predicted by the decoder during the trial"),
    }
    recording.table("trials", starts, starts + 2.0, columns)
    recording.table("epochs", [0.0, 60.0], [59.0, 120.0], {"Run": [0, 1]})
    recording.save(path)


TABLES = tuple(f"/intervals/{name}_table" for name in ("encoding", "recognition", "timediscrimination"))

LAYOUTS = [
    Layout(
        "recognition",
        recognition,
        wanted=(Role("category", (f"{TRIALS}#category_name",), TEXT),),
        may=(
            Role("old or new", (f"{TRIALS}#new_old_labels_recog",), TEXT),
            Role("response", (f"{TRIALS}#response_value",), ANY),
            Role("phase", (f"{TRIALS}#stim_phase",), TEXT),
        ),
        dandiset="000004",
        about="people recognising pictures",
    ),
    Layout(
        "fingers",
        fingers,
        wanted=(Role("finger", (f"{TRIALS}#finger",), TEXT),),
        may=(Role("place of the cue", (f"{TRIALS}#cue_location",), ANY),),
        dandiset="000147",
        about="person attempting to move single fingers",
    ),
    Layout(
        "boundaries",
        boundaries,
        wanted=(
            Role(
                "boundary, or old and new",
                (
                    f"{TABLES[0]}#stimCategory",
                    f"{TABLES[1]}#boundary_type",
                    f"{TABLES[2]}#boundary_type",
                    f"{TABLES[1]}#old_new",
                    f"{TABLES[1]}#stimuli_type",
                    f"{TABLES[2]}#leftright",
                ),
                TEXT,
                most=4,
            ),
        ),
        may=(
            Role("accuracy", (f"{TABLES[1]}#accuracy", f"{TABLES[2]}#accuracy"), TEXT, most=2),
            Role("confidence", (f"{TABLES[1]}#confidence", f"{TABLES[2]}#confidence"), ANY, most=2),
        ),
        dandiset="000207",
        about="people watching film clips and remembering them",
    ),
    Layout(
        "sternberg",
        sternberg,
        wanted=(Role("memory load", (f"{TRIALS}#loads",), ANY),),
        may=(
            Role("picture", (f"{TRIALS}#loads*_PicIDs",), TEXT, most=4),
            Role("probe in the set", (f"{TRIALS}#probe_in_out",), TEXT),
            Role("accuracy", (f"{TRIALS}#response_accuracy",), TEXT),
        ),
        dandiset="000469",
        about="people keeping pictures in mind",
    ),
    Layout(
        "verbal_memory",
        verbal_memory,
        wanted=(
            Role("size of the set", (f"{TRIALS}#set_size",), ANY),
            Role("solution", (f"{TRIALS}#solution",), TEXT),
        ),
        may=(
            Role("phase", ("/intervals/epochs#phase",), TEXT),
            Role("probe", (f"{TRIALS}#probe_letter",), TEXT),
            Role("response", ("/processing/behavior/BehavioralEvents.response*",), ANY),
        ),
        dandiset="000574",
        about="people keeping letters in mind",
    ),
]
