"""The page of one session, in the order of a scientist's questions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from xcebra_nwb.assess.power import advice, power
from xcebra_nwb.core.members import recorded_config, seeds
from xcebra_nwb.core.receipts import ORDER, Receipt, load_written
from xcebra_nwb.core.results import Results, from_json
from xcebra_nwb.report import wording
from xcebra_nwb.report.embedding_cloud import cloud
from xcebra_nwb.report.figures.across import across_figure
from xcebra_nwb.report.figures.attribution import MOST_BARS, map_figure, map_spots
from xcebra_nwb.report.figures.decoding import decoding_figure
from xcebra_nwb.report.figures.embedding import embedding_figure
from xcebra_nwb.report.figures.training import training_figure
from xcebra_nwb.report.ground_truth import true_types, truth_section
from xcebra_nwb.report.methods import methods
from xcebra_nwb.report.pages.believe import grounds_table, held_out_views, seeds_and_time
from xcebra_nwb.report.pages.extraction import extraction_section, power_table
from xcebra_nwb.report.pages.render import render
from xcebra_nwb.report.pages.units import units_section
from xcebra_nwb.report.style import counted, number, percent, picture, verdict_style
from xcebra_nwb.report.unit_cards import Cards
from xcebra_nwb.report.unit_map import UnitMap, unit_columns, unit_map, unit_rows
from xcebra_nwb.report.unit_tuning import shown_units, tuning_caption
from xcebra_nwb.training.design.split import split_session

HELD = 2**28  # bytes of an activity that is read once; a larger one is read block by block each time
MOST_UNITS = 12  # whose tuning to a label stands below its maps
SOURCE = ("source", "neural_source", "asset_id", "sha256", "nwb_identifier", "session_start_time", "subject", "species")


def session_page(results: Results, directory: Path) -> str:
    """Return the HTML page of a session that was analysed.

    Args:
        results: the files of the session.
        directory: folder of the session, for its receipts.
    """
    assessed = {label: results.assessed(label) for label in results.labels}
    attrs = results.session.attrs
    verdicts = {label: str(result.get("verdict", "not known")) for label, result in assessed.items()}
    maps = {label: unit_map(results.attribution, label, verdict) for label, verdict in verdicts.items()}
    if results.session["activity"].nbytes <= HELD:
        results.session["activity"].load()  # four parts of the page read it, one of them event by event
    cards, types = Cards(results.session, results.units, maps), true_types(results.session)
    grounds = grounds_table(assessed)
    return render(
        "report.html.j2",
        session=attrs["session"],
        facts=_facts(results),
        sentence=wording.headline(results.session.sizes["unit"], assessed),
        cards=[_card(label, result) | {"grounds": grounds["counts"][label]} for label, result in assessed.items()],
        maps=[_map(results, directory, cards, maps[label], result) for label, result in assessed.items()],
        units=units_section(cards, verdicts, types),
        truth=truth_section(types, maps),
        most_bars=MOST_BARS,
        decoding=_decoding(results, assessed),
        held_out=held_out_views(results),
        grounds=grounds,
        across=_across(results, assessed),
        embeddings=[_embedding(results, label) for label in results.labels],
        training=_training(results),
        extraction=extraction_section(results.session, results.training, assessed, results.inventory, cards.firing),
        power=_power(results, assessed),
        provenance=_provenance(results, directory),
    )


def refused_page(refusal: Receipt, inventory: Any) -> str:
    """Return the HTML page of a session that was refused.

    Args:
        refusal: the receipt that refuses it.
        inventory: the inventory of its file, where there is one.
    """
    return render("refused.html.j2", refusal=refusal, inventory=inventory)


def _facts(results: Results) -> str:
    session, attrs = results.session, results.session.attrs
    seconds = float(session["valid"].sum()) * float(attrs["bin_width"])
    subject = ", ".join(text for text in (attrs["subject"] and f"subject {attrs['subject']}", attrs["species"]) if text)
    about = [
        subject,
        f"{counted(session.sizes['unit'], 'unit')} ({session['activity'].attrs['kind']})",
        f"{seconds:,.0f} s used",
    ]
    about += [f"bins of {number(float(attrs['bin_width']))} s", counted(results.attribution.sizes["seed"], "seed")]
    return " · ".join(
        part for part in [*about, f"{counted(results.attribution.sizes['null'], 'null')} a label"] if part
    )


def _card(label: str, result: dict[str, Any]) -> dict[str, Any]:
    verdict = str(result.get("verdict", "not known"))
    color, sign = verdict_style(verdict)
    because = result.get("because") or "assessment.json does not say why"
    return {"label": label, "verdict": verdict, "tone": color, "sign": sign, "because": because} | {
        "facts": wording.card_facts(result)
    }


def _map(results: Results, directory: Path, cards: Cards, shown: UnitMap, result: dict[str, Any]) -> dict[str, Any]:
    label, columns = shown.label, unit_columns(shown)
    alt = f"Bars of the information and the attribution of {label} per unit, with the band of its nulls, and z."
    words = wording.map_words(shown, str(result.get("resolution") or ""))
    return {
        "label": label,
        "words": words,
        "warning": wording.disagreement(shown),
        "picture": picture(
            lambda: map_figure(shown), f"{alt} {words}", vector=True, spots=lambda drawn: map_spots(drawn, shown)
        ),
        "caption": wording.map_caption(shown, results.attribution.sizes["seed"]),
        "columns": columns,
        "numbers": columns[3:],
        "rows": unit_rows(shown),
        "units": len(shown.units),
        "tuning": _tuning(cards, results.attribution, label),
        "believe": seeds_and_time(results, directory, shown),
    }


def _tuning(cards: Cards, attribution: xr.Dataset, label: str) -> dict[str, Any] | None:
    """Return the tuning of the foremost units to a label; None in results without it."""
    if cards.units is None or not cards.drawn[label]:
        return None
    chosen = shown_units(attribution, label, MOST_UNITS).tolist()
    return {
        "units": [cards.tuning(unit, label) for unit in chosen],
        "caption": tuning_caption(cards.units, label, chosen),
    }


def _decoding(results: Results, assessed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = wording.assessment_rows(assessed)
    scores = "; ".join(f"{row[0]} {number(row[2], 2)}" for row in rows)
    return {
        "picture": picture(
            lambda: decoding_figure(assessed), f"Held-out scores, seeds and nulls: {scores}.", vector=True
        ),
        "metrics": wording.metrics(assessed),
        "p": wording.smallest_p_words(assessed),
        "columns": wording.ASSESSMENT_COLUMNS,
        "rows": rows,
        "reasons": wording.reasons(assessed),
    }


def _across(results: Results, assessed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the other sessions of the space say of this one; no picture where there are none."""
    across = results.assessment.get("across_sessions") or {}
    scores = {label: number(result["score"], 2) for label, result in across.get("labels", {}).items()}
    alt = "Scores from decoders of other sessions: " + "; ".join(f"{label} {score}" for label, score in scores.items())
    return {
        "sessions": wording.listed(across.get("sessions") or []),
        "reason": across.get("reason") or "",
        "picture": picture(lambda: across_figure(across, assessed), f"{alt}.") if scores else None,
    }


def _embedding(results: Results, label: str) -> dict[str, Any]:
    alt = f"The latents of {label} on their principal axes, coloured by {label}: training bins, held-out bins, a null."
    return {
        "label": label,
        "picture": picture(lambda: embedding_figure(results, label), alt),
        "cloud": cloud(results, label, len(results.labels)),
    }


def _training(results: Results) -> dict[str, Any]:
    training = results.training
    held_out = training["held_out_loss"].values[seeds(training)].mean(0)
    names, units = [str(name) for name in training["objective"].values], training["loss"].attrs["units"]
    pairs = zip(names, held_out, training["chance"].values, strict=True)
    alt = "; ".join(f"{name}: held out {number(loss)}, chance {number(chance)} {units}" for name, loss, chance in pairs)
    remarks = [("remark", remark) for remark in from_json(training.attrs.get("remarks", "[]"))]
    return {
        "picture": picture(lambda: training_figure(training), f"Loss per objective over training. {alt}.", vector=True),
        "warning": wording.above_chance(names, held_out, training["chance"].values, units),
        "words": wording.training_words(names, [str(rule) for rule in training["positive"].values]),
        "facts": [
            ("device", training.attrs.get("device", "not known")),
            ("members", training.sizes["member"]),
            *remarks,
        ],
    }


def _power(results: Results, assessed: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What these settings could show: of labels whose nulls are known."""
    settings = recorded_config(results.training)
    split = split_session(results.session, settings)
    counts = {label: (result.get("nulls") or {}).get("count") for label, result in assessed.items()}
    shown = [power(results.session, split, label, settings, n) for label, n in counts.items() if n is not None]
    return power_table(shown, {each.label: advice(each, (), {}, settings) for each in shown}, settings)


def _provenance(results: Results, directory: Path) -> dict[str, Any]:
    attrs = results.session.attrs
    # A page cannot name its own digest.
    written = [receipt for command in ORDER[:-1] if (receipt := load_written(directory, command)) is not None]
    files = [
        {"command": receipt.command, "file": name, "SHA-256": digest}
        for receipt in written
        for name, digest in receipt.files.items()
    ]
    return {
        "source": [(key.replace("_", " "), str(attrs[key]) or "–") for key in SOURCE],
        "software": _merged("software", results.session, results.training, results.attribution),
        "config": _merged("config", results.training, results.attribution),
        "taken": [(receipt.command, str(receipt.taken)) for receipt in written if receipt.taken is not None],
        "files": files,
        "findings": results.findings,
        "methods": methods(results),
        "usable": percent(usable, 1) if (usable := results.assessment.get("usable_bins")) is not None else None,
    }


def _merged(attr: str, *datasets: xr.Dataset) -> dict[str, Any]:
    """What the files of several commands hold as JSON under one attr; the later command wins."""
    merged: dict[str, Any] = {}
    for dataset in datasets:
        content = from_json(dataset.attrs.get(attr, "{}"))
        merged |= content if isinstance(content, dict) else {attr: content}
    return merged
