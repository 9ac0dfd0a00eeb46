"""The page over all sessions of a run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from xcebra_nwb.assess.over_sessions.comparison import MAY, MAY_NOT, Comparison
from xcebra_nwb.assess.over_sessions.counts import of_first_method
from xcebra_nwb.core.safe_text import printable
from xcebra_nwb.report.columns import as_category, packed_columns
from xcebra_nwb.report.figures.across import space_figure
from xcebra_nwb.report.forest import (
    NAMES,
    forest_rows,
    forest_svg,
    interval_words,
    label_search,
    part_name,
    records,
    share_words,
    spread_words,
)
from xcebra_nwb.report.outcome import Outcome, why
from xcebra_nwb.report.pages.render import render
from xcebra_nwb.report.style import STATES, VERDICTS, Picture, number, picture, verdict_style
from xcebra_nwb.report.unit_address import unit_address
from xcebra_nwb.report.unit_map import rounded

MOST_UNITS = 200_000  # rows of units and labels on the page
STILL = 50  # rows that stand on the page without a script
MOST_SPACE = 40  # sessions of a matrix
SCRIPTS = ("pointed.js", "explain.js", "save.js", "select.js", "table.js", "search.js", "summary.js")
FILES = {  # of a session: name, and what it is called on the page; {} is the session
    "attribution.nc": "maps",
    "units.nc": "tuning",
    "assessment.json": "assessment",
    "{}_desc-xcebra.nwb": "NWB",
    "training.nc": "training",
}
BESIDE = ("atlas.parquet", "atlas.csv", "sessions.csv", "estimates.csv", "reproducibility.csv")
UNITS = {  # columns of units, and their names in the atlas
    **{name: name for name in ("session", "subject", "region", "unit", "label", "verdict", "carries", "information")},
    "low": "information_low",
    "high": "information_high",
    "q": "information_q",
    "z": "z",
    "q of z": "q",
}
TEXTS = ("session", "subject", "region", "unit", "label", "verdict", "carries")
EXACT = ("q", "q of z")  # small numbers at a threshold
ODD = re.compile(r"[^A-Za-z0-9._-]")  # in the name of a unit whose address is not its name
ADDRESSED = 80  # characters of a name that an address has
YES = {True: "yes", False: "no"}


def summary_page(results: Path, outcomes: list[Outcome], atlas: pd.DataFrame, compared: Comparison) -> str:
    """Return the HTML page over all sessions of a run.

    Args:
        results: folder of the results.
        outcomes: the outcome of every session.
        atlas: the atlas over all sessions.
        compared: its comparison over sessions, by region.
    """
    counts = Counter(outcome.state for outcome in outcomes)
    verdicts = Counter((label, word) for outcome in outcomes for label, word in outcome.verdicts.items())
    units, addresses = unit_rows(atlas)
    total = int(of_first_method(atlas).sum()) if len(atlas) else 0
    sessions = [_session(results, outcome) for outcome in outcomes]
    described, packed = packed_columns(units, EXACT)
    lines = forest_rows(compared)
    return render(
        "summary.html.j2",
        SCRIPTS,
        sentence=" ".join([_sentence(counts, verdicts), *_refusals(outcomes)]),
        counts=[{"state": state, "count": counts[state], "tone": STATES[state][0]} for state in STATES],
        labels=_labels(compared, verdicts),
        words=[{"word": word, "tone": VERDICTS[word][0], "sign": VERDICTS[word][1]} for word in VERDICTS],
        forest=forest_svg(compared),
        estimates=_estimates(lines),
        estimate_columns=ESTIMATES,
        returns=[_returned(row) for row in records(compared.returns)],
        may=MAY,
        may_not=MAY_NOT,
        sessions=sessions,
        still=STILL,
        failures=[outcome.status for outcome in outcomes if outcome.status is not None and outcome.state == "failed"],
        space=_space(outcomes),
        stored_sessions=[[session[name] for name in STORED] for session in sessions],
        stored_names=STORED,
        styles={**STATES, **VERDICTS},
        files=FILES,
        units=units.head(STILL).to_dict("records"),
        unit_columns=list(UNITS),
        texts=TEXTS,
        described={**described, "odd": addresses},
        packed=packed,
        shown=len(units),
        total=total,
        beside=BESIDE,
        address=lambda row: unit_link(row["session"], addresses.get(row["unit"]) or unit_address(row["unit"])),
        rounded=rounded,
    )


# Labels over sessions
# --------------------

ESTIMATES = (
    *("label", "region", "share", "low", "high", "carriers", "units", "sessions", "subjects", "interval over"),
    *("information", "info low", "info high", "measure", "supported in"),
)


def _estimates(lines: pd.DataFrame) -> list[list[Any]]:
    return [
        [
            *(row.label, "all units" if row.total else part_name(row, "region")),
            *(rounded(value) for value in (row.share, row.share_low, row.share_high)),
            *(row.carriers, row.units, row.sessions, row.subjects, row.over),
            *(rounded(value) for value in (row.information, row.information_low, row.information_high)),
            *(NAMES.get(row.measure, row.measure), row.supported),
        ]
        for row in records(lines)
    ]


def _labels(compared: Comparison, verdicts: Counter[tuple[str, str]]) -> list[dict[str, Any]]:
    """The verdict counts of each label and its share: labels that may be believed first."""
    totals = {row.label: row for row in records(compared.totals)}
    names = list(dict.fromkeys([*totals, *(label for label, _ in verdicts)]))
    made = []
    for name in names:
        counts = {word: verdicts[name, word] for word in VERDICTS}
        row = totals.get(name)
        made.append(
            {
                "label": name,
                "search": f"#search={quote(label_search(name))}",
                "counts": [(word, count, verdict_style(word)[0]) for word, count in counts.items() if count],
                "words": {word: counts[word] for word in VERDICTS},
                "share": "–" if row is None else share_words(row.share, row.share_low, row.share_high),
                "units": "–" if row is None else f"{row.carriers:,} of {row.units:,}",
                "believed": row is not None and bool(row.believed),
            }
        )
    return made


def _returned(row: Any) -> dict[str, str]:
    profile = interval_words(row.profile, row.profile_low, row.profile_high)
    null = number(row.profile_null_high, 2)
    return {
        "label": row.label,
        "between": row.between if row.between == "subjects" else "sessions of a subject",
        "profile": profile,
        "null": null,
        "profile_p": number(row.profile_p, 2),
        "spread": spread_words(row.spread, row.spread_low, row.spread_high),
        "spread_p": number(row.spread_p, 2),
        "compared": f"{row.compared:,} {row.between}" if row.compared else "",
        "reason": row.reason,
    }


def _space(outcomes: list[Outcome]) -> Picture | None:
    """How sessions of a shared latent space read each other; None without such sessions, or with too many."""
    by_label: dict[str, dict[tuple[str, str], float]] = {}
    for outcome in outcomes:
        for label, scores in outcome.across.items():
            by_label.setdefault(label, {}).update(
                {(name, outcome.row.session): score for name, score in scores.items()}
            )
    if not by_label or sum(bool(outcome.across) for outcome in outcomes) > MOST_SPACE:
        return None
    between = {label: [score for (a, b), score in matrix.items() if a != b] for label, matrix in by_label.items()}
    ranges = "; ".join(
        f"{label} {number(min(scores), 2)} to {number(max(scores), 2)}" for label, scores in between.items() if scores
    )
    return picture(lambda: space_figure(by_label), f"Scores from session to session: {ranges}.")


def _sentence(counts: Counter[str], verdicts: Counter[tuple[str, str]]) -> str:
    run = counts.total() - counts["left out"]
    supported = [f"{label} in {count:,}" for (label, word), count in sorted(verdicts.items()) if word == "supported"]
    text = f"{counts['done']:,} of {run:,} sessions {'is' if counts['done'] == 1 else 'are'} done"
    return f"{text}; a code is supported for {', '.join(supported)}." if supported else f"{text}; no code is supported."


def _refusals(outcomes: list[Outcome]) -> list[str]:
    """How many sessions were refused for which reason, the commonest first; nothing where none was."""
    codes = Counter(outcome.status.code for outcome in outcomes if outcome.status is not None and outcome.status.code)
    return [f"Refused: {', '.join(f'{code} ({count})' for code, count in codes.most_common())}."] if codes else []


# Sessions and units
# ------------------

STORED = ("name", "subject", "state", "page", "verdicts", "why", "found", "files", "logs")


def _session(results: Path, outcome: Outcome) -> dict[str, Any]:
    name = outcome.row.session
    tone, sign = STATES[outcome.state]
    page = outcome.status is not None and outcome.state != "failed" and (results / name / "report.html").is_file()
    there = [file for file in FILES if outcome.state == "done" and (results / name / file.format(name)).is_file()]
    return {
        "name": name,
        "subject": outcome.subject,
        "state": outcome.state,
        "page": int(page),
        "verdicts": list(outcome.verdicts.items()),
        "why": why(outcome),
        "found": outcome.row.found,
        "files": [list(FILES).index(file) for file in there],
        "logs": int((results / "logs" / name).is_dir()),
        "tone": tone,
        "sign": sign,
        "link": f"{quote(name, safe='')}/report.html" if page else "",
        "folder": quote(name, safe=""),
        "badges": [(label, word, *verdict_style(word)) for label, word in outcome.verdicts.items()],
        "linked": [(f"{quote(name, safe='')}/{quote(file.format(name))}", FILES[file]) for file in there],
    }


def of_sessions(outcomes: list[Outcome]) -> pd.DataFrame:
    """Return a row for every session: state, reason, and the verdict on each label.

    Args:
        outcomes: the outcome of every session.
    """
    labels = dict.fromkeys(label for outcome in outcomes for label in outcome.verdicts)
    rows = [
        {
            "session": outcome.row.session,
            "subject": outcome.subject,
            "state": outcome.state,
            **{f"verdict on {label}": outcome.verdicts.get(label, "") for label in labels},
            "why": why(outcome),
            "contents": outcome.row.found,
            "source": outcome.row.source,
        }
        for outcome in outcomes
    ]
    return pd.DataFrame(rows)


def of_units(atlas: pd.DataFrame) -> pd.DataFrame:
    """Return the columns :data:`UNITS` of the atlas, a row for each unit and label.

    Args:
        atlas: the atlas over all sessions.
    """
    rows = atlas[of_first_method(atlas)] if len(atlas) else atlas
    made = rows[list(UNITS.values())].set_axis(list(UNITS), axis="columns")
    return made.assign(carries=as_category(YES, made["carries"])).reset_index(drop=True)


def unit_rows(atlas: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows of units for the page: carriers of supported labels first, by information.

    Args:
        atlas: the atlas over all sessions.

    Returns:
        The rows, and the addresses of units whose shown name does not give it.
    """
    made = of_units(atlas)
    carries, supported = made["carries"] == "yes", made["verdict"] == "supported"
    told = made["information"].fillna(-np.inf)
    order = np.lexsort((-told.to_numpy(), ~carries.to_numpy(), ~(carries & supported).to_numpy()))[:MOST_UNITS]
    shown = made.iloc[order].reset_index(drop=True)
    addresses: dict[str, str] = {}
    for name in TEXTS:
        texts = shown[name].cat.remove_unused_categories()
        originals = [str(text) for text in texts.cat.categories]
        written = _told_apart([printable(text) for text in originals])
        shown[name] = texts.cat.rename_categories(written)
        if name == "unit":
            pairs = zip(written, map(unit_address, originals), strict=True)
            addresses = {text: address for text, address in pairs if ODD.search(text) or len(text) > ADDRESSED}
    return shown, addresses


def _told_apart(texts: list[str]) -> list[str]:
    """Texts of which two became alike, as a file may want it, get a number."""
    seen: Counter[str] = Counter()
    made = []
    for text in texts:
        seen[text] += 1
        made.append(text if seen[text] == 1 else f"{text} ({seen[text]})")
    return made


def unit_link(session: str, address: str) -> str:
    """Return the address of a unit's card from the page over all sessions.

    >>> unit_link("sub-a_ses-1", "unit-12")
    'sub-a_ses-1/report.html#unit-12'
    """
    return f"{quote(session, safe='')}/report.html#{address}"
