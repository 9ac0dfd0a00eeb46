"""Sentences and tables of the session page: the meaning of its numbers, and how far to trust them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xcebra_nwb.attribution.null_test import smallest_p
from xcebra_nwb.core.carriers import LEVEL
from xcebra_nwb.report.style import VERDICTS, counted, latents, number
from xcebra_nwb.report.unit_map import UnitMap, method_name

AGREE = 0.5  # Spearman correlation under which the two methods are said to disagree
RANK = list(VERDICTS)


def listed(names: Sequence[str]) -> str:
    """Return names as English lists them.

    >>> listed(["a"]), listed(["a", "b", "c"]), listed([])
    ('a', 'a, b and c', '')
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""


def headline(units: int, assessed: dict[str, dict[str, Any]]) -> str:
    """Return one sentence on the codes in the session.

    Args:
        units: number of units.
        assessed: ``labels`` of assessment.json.

    >>> headline(12, {"position": {"verdict": "supported"}})
    'In the activity of 12 units, a code of position is supported.'
    >>> headline(19, {"head_direction": {"verdict": "weak"}})
    'In the activity of 19 units, head direction can be decoded, but not without a doubt.'
    """
    groups: dict[str, list[str]] = {}
    for label, result in assessed.items():
        groups.setdefault(str(result.get("verdict", "not known")), []).append(_readable(label))
    parts = []
    for verdict in sorted(groups, key=lambda v: RANK.index(v) if v in RANK else len(RANK)):
        names = groups[verdict]
        verb = "is" if len(names) == 1 else "are"
        parts.append(_phrase(verdict, listed(names), verb))
    if not parts:
        return f"The activity of {counted(units, 'unit')} was analysed, and there is no label to judge."
    return f"In the activity of {counted(units, 'unit')}, {'; '.join(parts)}."


def _phrase(verdict: str, names: str, verb: str) -> str:
    if verdict == "supported":
        return f"a code of {names} {verb} supported"
    if verdict == "weak":
        return f"{names} can be decoded, but not without a doubt"
    if verdict == "not encoded":
        return f"{names} {verb} not encoded as far as this analysis can see"
    return f"{names} {verb} {verdict}"


def _readable(label: str) -> str:
    return label.replace("_", " ")


def score_words(decoding: dict[str, Any]) -> str:
    r"""Return z and p of a held-out score, with the smallest p there can be.

    Args:
        decoding: ``decoding`` of a label in assessment.json.

    >>> score_words({"z": 3.0, "p": 0.25, "nulls": [0.1, 0.0, 0.2]})
    'z 3   p 0.25\n3 nulls: p of at least 0.25'
    """
    known = [f"{name} {number(decoding[name], 2)}" for name in ("z", "p") if decoding.get(name) is not None]
    nulls = _known_nulls(decoding)
    if decoding.get("p") is None or not nulls:
        return "   ".join(known)
    return f"{'   '.join(known)}\n{counted(len(nulls), 'null')}: p of at least {number(smallest_p(len(nulls)), 2)}"


def smallest_p_words(assessed: dict[str, dict[str, Any]]) -> str:
    """Return the meaning of z and p of the held-out scores, and the smallest p.

    Args:
        assessed: ``labels`` of assessment.json.
    """
    counts = {len(_known_nulls(result.get("decoding") or {})) for result in assessed.values()} - {0}
    if not counts:
        return ""
    floors = listed(
        [f"1/{count + 1} ({number(smallest_p(count), 2)}) with {counted(count, 'null')}" for count in sorted(counts)]
    )
    return (
        "z: how far the mean lies from that of the nulls, in their standard deviations. p: its rank among the nulls, "
        f"itself counted; it cannot be under {floors}, however far below all nulls lie."
    )


def _known_nulls(decoding: dict[str, Any]) -> list[float]:
    return [value for value in decoding.get("nulls") or [] if value is not None]


def card_facts(result: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the few numbers of a label's assessment for its card: those that its verdict's reason does not say."""
    decoding, said = result.get("decoding") or {}, str(result.get("because") or "")
    nulls, predictors = _known_nulls(decoding), listed(_predictors(result))
    facts = [
        ("" if "nulls" in said else "its nulls are decoded up to", number(max(nulls), 2) if nulls else "no nulls"),
        ("" if "carry it" in said or "carries it" in said else "units that carry it", _carrying(result)),
        ("" if "predicts it" in said else "other labels that predict it", predictors or "none"),
        ("kind", _kind(result)),
    ]
    return [(name, value) for name, value in facts if name]


def _carrying(result: dict[str, Any]) -> str:
    if result.get("carrying_units") is None:
        return "not tested"
    return f"{number(result['carrying_units'])} of {number(result.get('tested_units'))} (q of at most {LEVEL})"


def prediction_words(assessed: dict[str, dict[str, Any]]) -> str:
    """Return which labels are predicted by others.

    A correlation does not see every dependence; nearest neighbours do.

    Args:
        assessed: ``labels`` of assessment.json.
    """
    said = [
        f"{_readable(label)} follows from {listed(predictors)}"
        for label, result in assessed.items()
        if (predictors := _predictors(result, "held-out score "))
    ]
    return f"By nearest neighbours, which also see dependence that is not linear, {'; '.join(said)}." if said else ""


def _predictors(result: dict[str, Any], what: str = "") -> list[str]:
    scores = result.get("predicted_by") or {}
    return [
        f"{_readable(other)} ({what}{number(scores.get(other), 2)})" for other in result.get("confounded_with") or []
    ]


def _kind(result: dict[str, Any]) -> str:
    first, last = (result.get("outputs") or [None, None])[:2]
    where = f", {latents(first, last)}" if first is not None and last is not None else ""
    return f"{result.get('kind', 'not known')}, {number(result.get('dimensions'))}-D{where}"


def map_words(shown: UnitMap, resolution: str) -> str:
    """Return in a few sentences which units carry the label, and which contribute most to its code.

    Args:
        shown: the maps of the label.
        resolution: a sentence on how small q can get.
    """
    if not np.isfinite(shown.information_q).any():
        return f"No unit was tested. {_sentence(resolution)}".rstrip()
    return " ".join(part for part in (_carrier_words(shown), _sentence(resolution), _share_words(shown)) if part)


def _carrier_words(shown: UnitMap) -> str:
    carrying = np.flatnonzero(shown.carries)
    label, units = _readable(shown.label), len(shown.units)
    if not len(carrying):
        return f"None of {counted(units, 'unit')} carries {label} at a false discovery rate of 5 %."
    first = carrying[np.argsort(-shown.information[carrying])][:5]
    names = listed([shown.units[unit] for unit in first])
    which = f"most of all {names}" if len(carrying) > len(first) else names
    verb = "carries" if len(carrying) == 1 else "carry"
    most = f"{number(float(shown.information[first[0]]), 2)} {information_units(shown)}"
    share = f"{len(carrying):,} of {counted(units, 'unit')} {verb} {label}"
    return f"{share} at a false discovery rate of 5 %: {which} (up to {most})."


def _share_words(shown: UnitMap) -> str:
    """Return whether the shares may be read, and whose are the largest."""
    if not np.isfinite(shown.z).any():
        return "The shares could not be compared with nulls."
    if not shown.readable:
        return "The verdict on the label speaks against reading the shares of the population's code."
    first = np.argsort(-np.nan_to_num(shown.z, nan=-np.inf))[:5]
    return (
        f"The largest shares of the population's code, against their nulls: {listed([shown.units[u] for u in first])}."
    )


def information_units(shown: UnitMap) -> str:
    """Return the units of the information, for people."""
    return "bits a spike" if shown.information_units == "bit/spike" else "of the variance"


def map_caption(shown: UnitMap, seeds: int) -> str:
    """Return the meaning of a map's intervals and its methods' config names.

    Args:
        shown: the maps of the label.
        seeds: number of seeds.
    """
    called = [
        f"{name} is {method}" for method in shown.methods if (name := method_name(method)) != method.replace("_", " ")
    ]
    named = f"In the config and the files {listed(called)}. " if called else ""
    if seeds < 2:
        return f"A single seed: no interval. {named}"
    meaning = "what other seeds would give on this recording, not what another recording would"
    return f"Whiskers: 95 % interval over {seeds} seeds: {meaning}. {named}"


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}." if words else ""


def disagreement(shown: UnitMap) -> str:
    """Return a warning where two methods give different maps, or nothing.

    Args:
        shown: the maps of the label.
    """
    if shown.partner is None or not shown.agreement < AGREE:
        return ""
    return (
        f"The two methods disagree on {_readable(shown.label)} (Spearman ρ = {number(shown.agreement, 2)}): the "
        f"{method_name(shown.methods[0])} and the {method_name(shown.methods[shown.partner])} rank units differently. "
        "Such a map may be the map of a direction that the label does not use; look at the effective rank, and trust "
        "only units that both methods put first."
    )


def training_words(objectives: Sequence[str], rules: Sequence[str]) -> str:
    """Return the parts of the losses of a training.

    Args:
        objectives: names of the objectives.
        rules: rule for the positive pairs of each.

    >>> training_words(["time", "place"], ["time", "time_delta"])
    'Rules for positive pairs: time: time; place: time_delta.'
    """
    if set(rules) == {"supervised"}:
        return "Supervised: mean squared error between each label and its block."
    return f"Rules for positive pairs: {'; '.join(map(': '.join, zip(objectives, rules, strict=True)))}."


def above_chance(objectives: Sequence[str], held_out: NDArray[Any], chance: NDArray[Any], units: str) -> str:
    """Return a warning of the objectives that learnt nothing that holds, or nothing.

    Args:
        objectives: names of the objectives.
        held_out: held-out loss of each, mean over seeds, (objective,).
        chance: chance level of each, (objective,).
        units: of the losses.

    >>> above_chance(["time"], np.array([1.0]), np.array([2.0]), "nat")
    ''
    """
    above = [
        f"{_readable(name)} ({number(loss)} against {number(level)} {units})"
        for name, loss, level in zip(objectives, held_out, chance, strict=True)
        if loss >= level
    ]
    if not above:
        return ""
    return (
        f"On held-out bins the loss of {listed(above)} is no better than chance: the fit does not hold beyond "
        "the training bins. A verdict asks this of its own label only."
    )


def metrics(assessed: dict[str, dict[str, Any]]) -> list[str]:
    """Return the metric of each label's held-out score.

    >>> metrics({"speed": {"decoding": {"metric": "R2"}}})
    ['speed: R²']
    """
    named = {label: str((result.get("decoding") or {}).get("metric")) for label, result in assessed.items()}
    return [f"{label}: {metric.replace('R2', 'R²')}" for label, metric in named.items()]


def assessment_rows(assessed: dict[str, dict[str, Any]]) -> list[list[Any]]:
    """Return a row for each label: the columns of :data:`ASSESSMENT_COLUMNS`."""
    return [_assessment_row(label, result) for label, result in assessed.items()]


ASSESSMENT_COLUMNS = (
    "label", "verdict", "score", "z", "p", "smallest p", "maps agree", "null maps agree", "null-corrected agree",
    "embedding R²", "condition number",
)  # fmt: skip


def _assessment_row(label: str, result: dict[str, Any]) -> list[Any]:
    decoding, consistency = result.get("decoding") or {}, result.get("consistency") or {}
    row = [label, result.get("verdict", "not known")]
    nulls = len(_known_nulls(decoding))
    row += [*(decoding.get(key) for key in ("score", "z", "p")), smallest_p(nulls) if nulls else None]
    row += [consistency.get(key) for key in ("maps", "null_maps", "null_corrected_maps", "embedding_r2")]
    return [*row, result.get("condition")]


def reasons(assessed: dict[str, dict[str, Any]]) -> list[str]:
    """Return why numbers of the assessment are missing, a line each.

    >>> reasons({"speed": {"leak": {"reason": "there are no other latents"}}})
    ['speed, leak: there are no other latents']
    """
    lines = []
    for label, result in assessed.items():
        for name in ("decoding", "leak", "consistency"):
            reason = (result.get(name) or {}).get("reason")
            if reason:
                lines.append(f"{label}, {name}: {reason}")
    return lines
