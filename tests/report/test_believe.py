"""What lets a reader believe a map or not: errors of decoding, seeds, maps over time, grounds, words and power."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import h5netcdf
import numpy as np
import pytest
import xarray as xr

from tests.support.html import Page
from tests.support.make_results import make_results, make_session
from xcebra_nwb.assess.conditions import RULES
from xcebra_nwb.assess.power import advice, nulls_for_one, power
from xcebra_nwb.attribution.null_test import false_discovery_rate
from xcebra_nwb.commands.preview import preview
from xcebra_nwb.core import netcdf
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.config.schema import Config, validate
from xcebra_nwb.core.results import Results, load
from xcebra_nwb.report import style
from xcebra_nwb.report.glossary import explained, reasons, words
from xcebra_nwb.report.held_out import held_out_view
from xcebra_nwb.report.over_time import over_time
from xcebra_nwb.report.pages import believe
from xcebra_nwb.report.trials import in_trial
from xcebra_nwb.report.unit_map import unit_map
from xcebra_nwb.training.design.split import split_session


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    directory = tmp_path_factory.mktemp("results")
    rng = np.random.default_rng(0)
    make_results(directory, rng, session=make_session(rng, bins=4000))
    return directory, load(directory)


def lines_of(chart: str, kind: str) -> list[np.ndarray]:
    """The heights at which the lines of a chart of a kind lie."""
    paths = re.findall(rf'<path class="{kind}" d="([^"]*)"', chart)
    return [heights(path) for path in paths]


def heights(path: str) -> np.ndarray:
    y, found = 0, []
    for command, _, step in re.findall(r"([Ml ]?)(-?\d+) ?([+-]?\d+)", path):
        y = int(step) if command == "M" else y + int(step)
        found.append(y)
    return np.array(found)


def test_an_error_is_shown_where_it_was_made(made: tuple[Path, Results]) -> None:
    _, results = made
    assert results.decoded is not None
    decoded = results.decoded.copy(deep=True)
    angle = np.mod(decoded["head_direction_true"].values, 2 * np.pi)
    wrong = angle < np.pi / 2
    decoded["head_direction_decoded"] += np.where(wrong, 1.0, 0.0)
    view = held_out_view(dataclasses.replace(results, decoded=decoded), "head_direction")
    assert view is not None
    charts = dict(view.panels)
    found = heights(re.findall(r'<path class="c" d="([^"]*)"', charts["error by direction"])[0])
    # 18 places of 20 degrees; the first four are wrong by a radian, and a higher error lies higher
    assert found[:4].max() < found[5:].min() - 20
    assert "Half of 800 held-out bins are decoded to within" in view.words
    part = decoded.isel(sample=slice(None, None, 2))
    thinned = held_out_view(dataclasses.replace(results, decoded=part), "head_direction")
    assert thinned is not None
    assert "Half of 400 held-out bins (evenly spaced, of 800) are decoded to within" in thinned.words
    assert re.search(
        r"; (\d+° to )?\d+° by nulls; \d+° if the mean direction of training is always guessed", view.words
    )


def test_classes_that_are_taken_for_others_are_counted(made: tuple[Path, Results]) -> None:
    _, results = made
    assert results.decoded is not None
    decoded = results.decoded.copy(deep=True)
    decoded["choice_true"][:] = np.arange(800) % 2
    decoded["choice_decoded"][:] = 1
    view = held_out_view(dataclasses.replace(results, decoded=decoded), "choice")
    assert view is not None
    chart = dict(view.panels)["confusion of choice (% of the bins of a class, mean over seeds)"]
    assert re.findall(r"<text[^>]*>(\d+)</text>", chart) == ["0", "100", "0", "100"]
    assert 'aria-label="left is right in 0 %; right is right in 100 %"' in chart
    assert "50 % of 800 held-out bins get a wrong class" in view.words
    assert {"error by trial", "error by the time in the trial"} <= dict(view.panels).keys()


def test_results_of_older_versions_have_no_such_figures(made: tuple[Path, Results]) -> None:
    _, results = made
    assert believe.held_out_views(dataclasses.replace(results, decoded=None)) == []


def test_a_map_over_time_is_that_of_its_bins(made: tuple[Path, Results], tmp_path: Path) -> None:
    _, results = made
    session, path = results.session, tmp_path / "attribution.nc"
    usable = np.flatnonzero(session["valid"].values)[7:]
    late = usable >= 3000
    maps = np.ones((3, len(usable), 12), np.float32)
    maps[0, :, 5] += 4 * late
    shown = unit_map(results.attribution, "position", "supported")
    assert over_time(made[0] / "attribution.nc", session, shown) is None
    with h5netcdf.File(path, "w") as file:
        file.dimensions = {"label": 3, "time": len(usable), "unit": 12}
        netcdf.new_variable(file, "attribution_over_time", ("label", "time", "unit"), np.float32)[:] = maps
        file.create_variable("time", ("time",), float)[:] = session["time"].values[usable]
        file.create_variable("label", ("label",), "S20")[:] = np.array(["position", "head_direction", "choice"], "S20")
    found = over_time(path, session, shown)
    assert found is not None
    assert [title for title, _ in found.charts] == ["over the session", "aligned to trials"]
    rows = over_time_rows(path, session, shown)
    assert np.nanmax(rows[0][5, :149]) == 1
    assert np.nanmin(rows[0][5, 151:]) == 5
    assert np.nanmax(np.delete(rows[0], 5, axis=0)) == 1


def over_time_rows(path: Path, session: xr.Dataset, shown: object) -> list[np.ndarray]:
    from xcebra_nwb.report import over_time as module

    bins = np.minimum(np.arange(4000) * 200 // 4000, 199)
    read = module._read(path, session["time"].values, shown, np.arange(12), [(bins, 200)])  # type: ignore[arg-type]
    assert read is not None
    return read[0]


def test_the_time_in_a_trial_is_in_whole_bins() -> None:
    session = make_session(np.random.default_rng(0))
    trial = contract.trial_numbers(session, "choice")
    assert trial is not None
    phase = in_trial(session, trial, 24)
    assert phase is not None
    assert phase.end == pytest.approx(51 * 0.05)  # 50 bins, in parts of 3
    first = np.flatnonzero(trial == 2)
    assert phase.part[first].tolist() == (np.arange(50) // 3).tolist()
    assert in_trial(session, np.full(600, -1), 24) is None


def test_the_grounds_of_every_verdict_are_a_row_with_a_reason(made: tuple[Path, Results]) -> None:
    _, results = made
    table = believe.grounds_table({label: results.assessed(label) for label in results.labels})
    assert len(table["rows"]) == 5 + len(RULES)
    assert all(row["address"].removeprefix("why-") in reasons() for row in table["rows"])
    first = [row["address"] for row in table["rows"][:6]]
    assert first == [f"why-{n}" for n in ("score", "nulls", "excess", "shown_map", "predicted_by", "fewest_visits")]
    score = table["rows"][0]
    assert score["needed"] == "at least 0.05"
    assert [cell["sign"] for cell in score["cells"]] == ["✔", "✔", "✖"]
    assert [cell["value"] for cell in score["cells"]] == ["0.6", "0.2", "0.02"]
    assert table["counts"]["position"] == "All 30 grounds hold"
    assert believe.grounds_table({"old": {"verdict": "weak"}})["rows"] == []


def test_every_ground_has_its_reason_in_the_docs() -> None:
    assert {rule.name for rule in RULES} | {"score", "nulls", "excess", "shown_map", "predicted_by"} == set(reasons())
    assert all(entry.text.endswith(".") for entry in reasons().values())


def test_a_word_leads_to_its_explanation_once() -> None:
    said = explained("Null-corrected maps of <seeds> carry the rank trap; seeds, Jacobian.")
    addresses = re.findall(r'href="#([^"]+)"', said)
    assert addresses == ["term-null-corrected-map", "term-seed", "term-carry", "term-rank-trap", "term-jacobian"]
    assert "&lt;<a" in said and said.count("seeds") == 2
    assert set(addresses) <= {entry.address for entry in words()}
    assert len({entry.address for entry in words()}) == len(words())
    assert explained("a unit and a label") == "a unit and a label"
    assert "term-unit" in explained("a unit", True)


# Power


def test_the_fewest_units_that_can_be_found_can_be_found() -> None:
    session = make_session(np.random.default_rng(0), units=30, bins=3000)
    for nulls in (3, 8, 20):
        config = validate({"training": {"nulls": nulls}})
        shown = power(session, split_session(session, config), "position", config, nulls)
        for together, enough in ((shown.together, True), (shown.together - 1, False)):
            if together:
                p = np.where(np.arange(30) < together, 1 / (1 + 30 * nulls), 1.0)
                assert (false_discovery_rate(p)[0] <= 0.05) == enough
    assert shown.together == 1
    assert nulls_for_one(30) == 20
    assert shown.decoding_p == pytest.approx(1 / 21)
    assert shown.unit_q <= 0.05
    assert advice(shown, (), {}, config) == []


def test_what_limits_a_label_is_said_with_what_to_change() -> None:
    session, config = make_session(np.random.default_rng(0)), validate({"training": {"null_kind": "shift"}})
    shown = power(session, split_session(session, config), "choice", config, 8)
    assert shown.shuffles == 11  # of 12 trials
    said = advice(dataclasses.replace(shown, nulls=2), (), {"position": 0.7}, validate({"training": {"seeds": 1}}))
    assert [re.split(r"[,:]", line)[0] for line in said] == [
        "as 2 nulls are left of 8",
        "no unit can be found to carry it",
        "with one seed the verdict is weak at best",
        "position predicts it (0.70)",
    ]


@pytest.mark.parametrize(
    ("shuffles", "reason"),
    [
        (10_000, "as at most 10,000 shuffled labels are drawn: 2 units must carry it together."),
        (1_200, "as there are only 1,200 shuffled labels: 2 units must carry it together. More trials would help."),
    ],
)
def test_more_trials_are_asked_for_only_where_they_would_help(shuffles: int, reason: str) -> None:
    session, config = make_session(np.random.default_rng(0)), validate({})
    shown = power(session, split_session(session, config), "choice", config, 20)
    said = advice(dataclasses.replace(shown, shuffles=shuffles, carriers_together=2), (), {}, config)
    assert said[-1] == f"a unit that carries it alone cannot be found, {reason}"


@pytest.mark.slow
def test_the_page_before_training_says_what_can_be_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(style, "_data_uri", lambda drawn, colors=256: "data:image/png;base64,")
    contract.save(make_session(np.random.default_rng(0), labels=["choice"], bins=2000), tmp_path / "session.nc")
    page = Page(preview(tmp_path, Config())[0])
    assert page.ids == ["extraction"]
    assert page.stored[0][0][:3] == ["choice", "8", "at least 0.11"]
    assert "nulls of choice: 8; " in page.text
    assert "choice: a unit whose share alone stands out cannot have q of at most 0.05: 3 units" in page.text
