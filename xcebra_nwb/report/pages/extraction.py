"""What was extracted: a section of the page of a session, and the page that is made before training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from xcebra_nwb.assess.power import Outlook, Power
from xcebra_nwb.assess.verdict import MOST_PREDICTED
from xcebra_nwb.core.config.schema import Config
from xcebra_nwb.core.results import from_json
from xcebra_nwb.core.session import label_axes, labels
from xcebra_nwb.report import wording
from xcebra_nwb.report.figures.extraction import coverage_figure, label_figure, label_spots, rates_figure, rates_spots
from xcebra_nwb.report.figures.quality import correlation_figure, correlation_words, correlations, masks_figure
from xcebra_nwb.report.firing import Firing, firing
from xcebra_nwb.report.hover import cell_spots
from xcebra_nwb.report.pages.render import render
from xcebra_nwb.report.style import counted, number, percent, picture
from xcebra_nwb.report.timeline import timeline
from xcebra_nwb.xcebra.sampling.windows import HELD_OUT, TRAIN

POWER = (
    "label", "nulls", "p of its decoding", "units to stand out by share", "shuffled labels", "q of a lone carrier",
    "units to carry it",
)  # fmt: skip
Assessed = Mapping[str, dict[str, Any]]


def extraction_page(session: xr.Dataset, inventory: Any, foreseen: Outlook, config: Config) -> str:
    """Return the HTML page of an extraction before training.

    Args:
        session: session.nc.
        inventory: of its file, where there is one.
        foreseen: what the settings can show of it.
        config: the config with which it is to be trained.
    """
    ready, limits = foreseen.ready, foreseen.limits
    train, held_out = (ready.split.numbers(part) for part in (TRAIN, HELD_OUT))
    assessed: Assessed = {
        name: {"predicted_by": scores, "confounded_with": [o for o, score in scores.items() if score > MOST_PREDICTED]}
        for name, scores in foreseen.predicted.items()
    }
    split = xr.Dataset({"split": ("time", ready.split.part)})
    attrs = session.attrs
    about = [
        counted(session.sizes["unit"], "unit"),
        f"{len(train):,} bins of {number(float(attrs['bin_width']))} s to train on",
        f"{len(held_out):,} held out",
    ]
    return render(
        "extraction.html.j2",
        session=attrs["session"],
        facts=" · ".join(about),
        sentence=_sentence(limits),
        power=power_table(foreseen.shown, limits, config),
        remarks=[*ready.remarks, *(f"nulls of {d.label}: {len(d.nulls)}; {d.reason}" for d in ready.designs)],
        extraction=extraction_section(session, split, assessed, inventory, firing(session)),
    )


def _sentence(limits: Mapping[str, list[str]]) -> str:
    """Whether anything is in the way, in a sentence."""
    free = [label.replace("_", " ") for label, said in limits.items() if not said]
    if len(free) == len(limits):
        return "These settings can show every label of this session, and every unit that carries one."
    rest = wording.listed([label.replace("_", " ") for label, said in limits.items() if said])
    return f"These settings limit what can be shown of {rest}: the list below says how, and what to change."


def power_table(shown: Sequence[Power], limits: Mapping[str, list[str]], config: Config) -> dict[str, Any]:
    """Return the table of what settings can show, and what to change.

    Args:
        shown: of each label.
        limits: what limits each label, and what to change.
        config: of the training.
    """
    rows = [
        [
            each.label,
            number(each.nulls) if each.nulls == each.wanted else f"{each.nulls} of {each.wanted}",
            _least(each.decoding_p),
            _several(each.together),
            number(each.shuffles),
            _least(each.unit_q),
            _several(each.carriers_together),
        ]
        for each in shown
    ]
    return {
        "columns": POWER,
        "rows": rows,
        "seeds": counted(config.training.seeds, "seed"),
        "limits": [f"{label}: {said}" for label, lines in limits.items() for said in lines],
    }


def _least(value: float) -> str:
    return f"at least {number(value, 2)}" if np.isfinite(value) else "–"


def _several(units: int) -> str:
    return f"at least {number(units)}" if units else "cannot"


def extraction_section(
    session: xr.Dataset, split: xr.Dataset, assessed: Assessed, inventory: Any, fired: Firing
) -> dict[str, Any]:
    """Return what a page shows of an extraction.

    Args:
        session: session.nc.
        split: holds the split of the bins, such as training.nc.
        assessed: of each label, what predicts it.
        inventory: of the file, where there is one.
        fired: what the units do.
    """
    choices, masks = from_json(session.attrs["choices"]), from_json(session.attrs["masks"])
    valid = float(session["valid"].mean())
    segment = session["segment"].values
    return {
        "choices": choices if isinstance(choices, list) else [choices],
        "masks": _masks(masks, session.sizes["time"]),
        "bins": [
            ("bins", number(session.sizes["time"])),
            ("valid", percent(valid, 1)),
            ("segments", len(np.unique(segment[segment >= 0]))),
        ],
        "timeline": timeline(session, split, fired.population, fired.units),
        "coverage": picture(
            lambda: coverage_figure(session, split),
            f"Use of bins over time: {percent(valid)} are valid; activity.",
        ),
        "masked": picture(lambda: masks_figure(session), f"When bins were taken out, by reason: {'; '.join(masks)}.")
        if "masked_by" in session and masks
        else None,
        "correlations": _correlations(session, dict(assessed)),
        "rates": picture(
            lambda: rates_figure(session), "Histogram of the units' mean activity.", vector=True, spots=rates_spots
        ),
        "labels": [_label(session, name) for name in labels(session)],
        "inventory": inventory,
    }


def _correlations(session: xr.Dataset, assessed: dict[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Return the figure and text on how strongly the labels correlate; None for one label."""
    names, matrix = correlations(session)
    if len(names) < 2:
        return None
    words = f"{correlation_words(names, matrix)} {wording.prediction_words(assessed)}".rstrip()
    alt = f"Correlations between {wording.listed(names)}. {words}"
    return {
        "words": words,
        "picture": picture(
            lambda: correlation_figure(names, matrix),
            alt,
            vector=True,
            spots=lambda drawn: cell_spots(drawn, drawn.axes[0], names, matrix),
        ),
    }


def _label(session: xr.Dataset, name: str) -> dict[str, Any]:
    attrs = session[name].attrs
    frame = f"reference frame: {attrs['reference_frame']}" if attrs["reference_frame"] else ""
    return {
        "label": name,
        "attrs": " · ".join(str(part) for part in (attrs["kind"], attrs["units"], attrs["source"], frame) if part),
        "picture": picture(
            lambda: label_figure(session, name),
            f"{name} over time and its occupancy.",
            spots=lambda drawn: label_spots(drawn, session[name]),
        ),
        "caption": "Left: the bins in use. Right: how many of them lie at each value"
        + (", by colour: dark where few do, bright where many do." if label_axes(session[name]) > 1 else "."),
    }


def _masks(masks: Any, bins: int) -> Any:
    """Bins taken out by reason, with their share; as it stands where the attr holds something else."""
    if not isinstance(masks, dict):
        return masks
    return {why: f"{number(n)} bins ({percent(n / bins, 1)})" if isinstance(n, int) else n for why, n in masks.items()}
