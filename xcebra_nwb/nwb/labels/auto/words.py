"""Split names and descriptions into words, and list the words that say what is measured.

Names of the field are short forms as often as words: ``hand_vel``, ``HD``, ``whisker_angle_deg``, ``mouseWheelChoice``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from xcebra_nwb.core.hdf5.bounds import MOST_LABEL

PART = re.compile(r"[A-Z]{2,}s(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
MOST_WORDS = 40  # of a description; what a thing is stands in its first sentence


def words(text: str) -> tuple[str, ...]:
    """Return the words of a name or description in small letters.

    >>> words("WheelVelocity"), words("hand_vel"), words("HD angle2"), words("PicIDs")
    (('wheel', 'velocity'), ('hand', 'vel'), ('hd', 'angle', '2'), ('pic', 'ids'))
    """
    found = tuple(part.group().lower() for part in PART.finditer(text[: 4 * MOST_LABEL]))
    return found[:MOST_WORDS]


def has(parts: Iterable[str], vocabulary: frozenset[str]) -> bool:
    """Return whether any word, or its singular, is in a vocabulary.

    >>> has(("loads",), frozenset({"load"}))
    True
    """
    return any(part in vocabulary or part.removesuffix("s") in vocabulary for part in parts)


def one_of(text: str) -> frozenset[str]:
    """Return the words of a vocabulary."""
    return frozenset(text.split())


VELOCITY = one_of("vel velo velocity velocities veloc")
SPEED = one_of("speed speeds spd")
ACCELERATION = one_of("acc accel acceleration accelerations")
POSITION = one_of(
    """
    pos posn position positions loc location locations coord coords coordinate coordinates xy xyz trajectory
    centroid led place linearized linearised track tracking
    """
)
DIRECTION = one_of("hd heading headings yaw azimuth bearing compass headdirection allocentric")
HEAD = one_of("head hd headdirection heading")
EYES = one_of("eye eyes pupil pupils gaze saccade ocular eyelid blink cornea corneal")
HANDS = (
    *("hand", "finger", "fingertip", "wrist", "arm", "paw", "forelimb", "limb", "elbow", "shoulder", "joint"),
    *("joystick", "manipulandum", "lever", "cursor"),
)
"""Effectors, those of the body before what they move."""
WHEELS = one_of("wheel encoder rotary")
RUNNING = one_of(
    """
    running run treadmill ball disk disc belt locomotion walking spherical trackball
    """
)
TARGETS = one_of("target targets goal goals object reward port landmark obstacle predator prey")
BODY = one_of(
    """
    nose snout ear ears tail tongue jaw whisker whiskers paw foot feet hindlimb forelimb leg elbow shoulder
    knee ankle hip spine neck tube limb hand mouth lip chin toe digit wing fin antenna abdomen thorax back
    body wings wingbeat wingbeats wingstroke swim swimming fictive vibrissa vibrissae fins legs arms jaws
    """
)
POSTURE = one_of(
    """
    curvature curvatures angle angles bend amplitude setpoint whisking force torque pressure pumping contraction
    """
)
TRUNK = one_of("body centroid center centre spine bodycenter midbody torso trunk com")
RAW = one_of("raw unfiltered unsmoothed uncorrected unprocessed original")
PROCESSED = one_of(
    """
    filtered filt smoothed smooth processed interpolated corrected cleaned clean linearized linearised
    resampled
    """
)
STIMULATION = one_of("stimulus stim stimuli visual pattern grating gratings panorama display")
COUNTERS = one_of("index indices idx count counts counter framenumber")
FACE = one_of("whisker whiskers vibrissa vibrissae")
UPRIGHT = one_of("azimuth yaw heading")
CHOSEN = one_of("choice choices chosen chose selected picked")
UNSURE = one_of("error errors residual residuals likelihood confidence quality uncertainty")
JUNK = one_of(
    """
    voltage volt volts timestamp timestamps frame frames framenumber ttl sync trigger exposure strobe clock
    counter laser photodiode opto optogenetic optotagging piezo temperature impedance likelihood confidence
    correction shift residual artifact noise camera video lfp eeg emg ecg reference bandpower power gain
    offset error errors quality tracked
    """
)
AROUSAL = EYES | one_of(
    """
    diameter heartbeat heart hr breathing respiration sniff energy arousal lick licks licking
    """
)
STIMULUS = one_of(
    """
    stim stimulus stimuli orientation orientations grating gratings contrast contrasts image images picture
    scene movie odor odour odorant tone sound auditory frequency pitch texture cue cues target coherence
    motion color colour shape category word face sample probe side direction dir angle intensity amplitude
    velocity gabor click item items letter digit load evidence flash visual speaker syllable phoneme
    concentration size position location bump taste tastant instruction instructed solution obj objs tgt trg
    targ odr freq ori sf tf con ctr img pic snd
    """
)
CHOICE = one_of(
    """
    choice choices chosen response resp decision answer action report reported selection selected lick turn
    judgement judgment pressed behavior behaviour poke poked nosepoke turned press pull pulled push pushed
    licked reached saccade went moved touched rsp ans cho chose picked
    """
)
OUTCOME = one_of(
    """
    outcome feedback correct accuracy reward rewarded rewards hit miss error errors result success punished
    punishment incorrect false fa cr win loss fb rew corr
    """
)
CONDITION = one_of(
    """
    condition conditions context rule task type arm maze environment env stage state phase probability
    difficulty treatment group trajectory route lap world room behavior behaviour epoch label class kind name
    change novel go catch drug cond modality strategy mode probe ctx
    """
)
FLAGS = one_of("is has was did")
BOOKKEEPING = one_of(
    """
    block blocks included include exclude excluded split train val validation test index idx number num nr no id
    ids count
    trial trials session quality valid bad good artifact start stop end time times timestamp timestamps
    duration latency rt delay interval onset offset frame frames tag tags timeseries version set fold auto
    aborted sham file filename comment comments note notes user experimenter date length period rep repeat
    repetition since order opto laser photostim opacity mask units hold reaction quiescence volume weight
    control template seed channel corners metadata usable discard keep kept flag
    """
)
