"""The page of one session: whole, safe, readable without a network, and honest about what is not known."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import xarray as xr

from tests.support.html import EVIL, Page
from tests.support.make_results import REMARK, make_results, make_session
from xcebra_nwb.benchmark.simulate.truth import auroc_against_cell_types
from xcebra_nwb.commands.report import report
from xcebra_nwb.core import netcdf
from xcebra_nwb.core.carriers import DRAWS, INFORMATION
from xcebra_nwb.core.config.schema import Method
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.files import read_json, write_json
from xcebra_nwb.core.receipts import Receipt, save
from xcebra_nwb.core.refusals import Code
from xcebra_nwb.core.shared_cache.entries import Made, Taken
from xcebra_nwb.report import style
from xcebra_nwb.report.figures.attribution import map_figure
from xcebra_nwb.report.figures.decoding import decoding_figure
from xcebra_nwb.report.figures.extraction import rates_figure
from xcebra_nwb.report.style import number, of_median_unit, plain, told_apart
from xcebra_nwb.report.unit_map import method_name, unit_columns, unit_map, unit_rows
from xcebra_nwb.report.wording import (
    ASSESSMENT_COLUMNS,
    above_chance,
    card_facts,
    prediction_words,
    score_words,
    training_words,
)

SECTIONS = [
    "verdicts",
    "attribution",
    "units",
    "decoding",
    "conditions",
    "embedding",
    "training",
    "extraction",
    "provenance",
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a session with three labels and its page."""
    directory = tmp_path_factory.mktemp("results") / "sub-a_ses-1"
    make_results(directory)
    made = Made(by="somebody@<host>", at="2026-11-29", version="0.5.0")
    taken = Taken(cache="s3://lab/cache", key="0" * 64, machine="1" * 64, made=made)
    save(Receipt(command="train", session="sub-a_ses-1", state="done", taken=taken), directory)
    assert report(directory) == [directory / "report.html", directory / "atlas.json"]
    return directory


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made and not drawn, where a test is about the words of a page: drawing is most of a report."""
    monkeypatch.setattr(style, "_data_uri", lambda drawn, colors=256: "data:image/png;base64,")
    monkeypatch.setattr(style, "_vector_uri", lambda drawn: "data:image/svg+xml,")


def small(labels: list[str] | None = None, units: int = 12) -> xr.Dataset:
    """A session that is quick to draw."""
    return make_session(np.random.default_rng(0), labels=labels or ["choice"], units=units)


@pytest.mark.slow
def test_page_has_every_section_in_order_and_needs_no_network(made: Path) -> None:
    page = Page(made / "report.html")
    assert page.ids == SECTIONS
    assert all(address.startswith(("data:image/png;base64,", "data:image/svg+xml,", "#")) for address in page.addresses)
    plain_page = re.sub(r"data:image/(png;base64|svg.xml),[^\"]*", "", page.html).replace("http-equiv", "")
    assert "http" not in plain_page.replace("http://www.w3.org/2000/svg", "")  # the name of a language, not an address
    assert all(image.get("alt") for image in page.images)
    # Maps, sets, places, addresses and rows of units, assessment, conditions, clouds, timeline, and what runs.
    assert page.scripts == ["application/json"] * 13 + [None]


@pytest.mark.slow
def test_page_says_what_assessment_says(made: Path) -> None:
    page = Page(made / "report.html")
    assessed = read_json(made / "assessment.json")["labels"]
    for label, result in assessed.items():
        assert label in page.text
        assert result["because"][1:] in page.text  # with a large letter
    sentence, reason = "a code of position is supported", "no leak score for classes"
    for words in ("✔ supported", "◐ weak", "○ not encoded", sentence, reason):
        assert words in page.text
    for words in ("How to read this", "When not to believe it"):
        assert page.text.count(words) == len(SECTIONS) - 1  # provenance needs no doubt


@pytest.mark.slow
def test_page_says_which_conditions_are_broken(made: Path) -> None:
    page = Page(made / "report.html")
    judged = read_json(made / "assessment.json")["labels"]
    shown = page.text[page.text.index("Grounds of every verdict") :]
    for result in judged.values():
        for ground in (*result["grounds"], *result["conditions"]):
            assert ground["question"] in shown
    broken = sum(g["holds"] is False for r in judged.values() for g in (*r["grounds"], *r["conditions"]))
    assert shown.count("✖") == broken == 3
    assert "27 of 30 grounds hold" in page.text


@pytest.mark.slow
def test_page_says_what_was_taken_from_a_shared_cache_and_from_where(made: Path) -> None:
    text = Page(made / "report.html").text
    said = text[text.index("Taken from a shared cache") :]
    assert "taken from s3://lab/cache (made by somebody@<host>, 2026-11-29, version 0.5.0)" in said


@pytest.mark.slow
def test_page_says_what_training_remarked(made: Path) -> None:
    assert REMARK in Page(made / "report.html").text


@pytest.mark.slow
def test_table_holds_every_unit_in_order_of_attribution(made: Path) -> None:
    attribution = netcdf.load_dataset(made / "attribution.nc")
    shown = unit_map(attribution, "position", "supported")
    rows = Page(made / "report.html").stored[0]
    assert rows == unit_rows(shown)
    assert len(rows) == attribution.sizes["unit"]
    share = unit_columns(shown).index("attribution")
    assert [row[share] for row in rows] == sorted((float(str(row[share])) for row in rows), reverse=True)
    column = unit_columns(shown).index("z")
    by_unit = dict(zip(shown.units, attribution["z"].sel(label="position").values, strict=True))
    assert all(row[column] == pytest.approx(by_unit[str(row[0])], abs=0.006, rel=1e-2) for row in rows)


@pytest.mark.slow
def test_maps_are_compared_with_their_median_unit(made: Path) -> None:
    attribution = netcdf.load_dataset(made / "attribution.nc")
    shown, larger = unit_map(attribution, "position", "supported"), attribution.copy(deep=True)
    larger["attribution_seeds"] *= 7.0
    assert np.allclose(unit_map(larger, "position", "supported").mean, shown.mean)
    assert np.allclose(np.median(of_median_unit(attribution["attribution"].values), axis=-1), 1)
    assert (shown.null_low <= shown.null_high).all()


@pytest.mark.slow
def test_text_of_files_stays_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    session = make_session(rng, unit_ids=[f"$x_{i}$" for i in range(12)])
    session["region"] = ("unit", [EVIL if unit % 2 else "$\\frac$" for unit in range(12)])
    session["position"].attrs |= {"source": EVIL, "units": "$m$", "reference_frame": "</style>" + EVIL}
    session["choice"].attrs["classes"] = json.dumps([EVIL, "$\\left$ & <b>"])
    session.attrs |= {"subject": EVIL, "choices": json.dumps([EVIL]), "masks": json.dumps({EVIL: 20})}
    make_results(tmp_path, session=session)
    write_json(
        tmp_path / "inventory.json", {"neural": [{"path": EVIL, "n": 1}], EVIL: ["</details>"], "d": {"e": EVIL}}
    )
    write_json(tmp_path / "check.json", {"new": [{"message": EVIL}]})
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert EVIL not in page.html
    assert page.scripts == ["application/json"] * 13 + [None]
    assert page.text.count(EVIL) > 8
    assert page.stored[0][0][1] in (EVIL, "$\\frac$")
    assert "$x_3$" in page.text


@pytest.mark.parametrize(
    ("text", "drawn"),
    [
        ("$x$", r"\$x\$"),
        ("a\nb\t c", "a b c"),
        ("abcdefghijklmnop", "abcdef…nop"),
        ("\x1b[1mz", r"\u001b[1mz"),
        (None, "None"),
    ],
)
def test_figures_draw_text_as_it_stands(text: str, drawn: str) -> None:
    assert plain(text, 10) == drawn


@pytest.mark.parametrize(
    ("value", "shown"), [(None, "–"), (float("nan"), "–"), (12345, "12,345"), (-0.12345, "−0.123"), ("word", "word")]
)
def test_numbers_for_reading(value: object, shown: str) -> None:
    assert number(value) == shown


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
def test_disagreement_of_methods_is_said_in_words(tmp_path: Path) -> None:
    make_results(tmp_path, session=small())
    attribution = netcdf.load_dataset(tmp_path / "attribution.nc")
    attribution["agreement"].loc[{"label": "choice"}] = 0.2
    netcdf.save_dataset(attribution, tmp_path / "attribution.nc")
    report(tmp_path)
    text = Page(tmp_path / "report.html").text
    assert text.count("The two methods disagree") == 1
    assert "disagree on choice (Spearman ρ = 0.2)" in text


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("seeds", "nulls"), [(1, 0), (1, 1), (2, 2)])
def test_page_without_enough_nulls_says_so(tmp_path: Path, seeds: int, nulls: int) -> None:
    make_results(tmp_path, session=small(), seeds=seeds, nulls=nulls)
    report(tmp_path)
    text = Page(tmp_path / "report.html").text
    assert ("The shares could not be compared with nulls" in text) == (nulls < 2)


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("nulls", [4, 8])
def test_a_p_stands_beside_the_smallest_that_so_many_nulls_can_give(nulls: int, tmp_path: Path) -> None:
    make_results(tmp_path, session=small(), nulls=nulls)
    decoding = read_json(tmp_path / "assessment.json")["labels"]["choice"]["decoding"]
    least = number(1 / (nulls + 1), 2)
    assert score_words(decoding).endswith(f"p {least}\n{nulls} nulls: p of at least {least}")
    decoding["nulls"][0] = None  # could not be scored
    assert score_words(decoding).endswith(f"{nulls - 1} nulls: p of at least {number(1 / nulls, 2)}")
    assert score_words({"z": None, "p": None, "nulls": []}) == ""
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert f"it cannot be under 1/{nulls + 1} ({least}) with {nulls} nulls" in page.text
    assert page.stored[-2][0][ASSESSMENT_COLUMNS.index("smallest p")] == pytest.approx(1 / (nulls + 1))


@pytest.mark.slow
def test_only_the_foremost_of_many_units_are_drawn(tmp_path: Path) -> None:
    make_results(tmp_path, session=small(["position"], units=100))
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert (
        "The figure shows the 60 of 100 units, carriers and the largest z first, in order of attribution; the table "
        "holds all." in page.text
    )
    assert len(page.stored[0]) == 100
    shown = unit_map(netcdf.load_dataset(tmp_path / "attribution.nc"), "position", "supported")
    drawn = shown.foremost(60)
    assert set(np.flatnonzero(shown.carries)) < set(drawn)
    left_out = np.setdiff1d(np.arange(100), drawn)
    assert shown.z[left_out].max() <= shown.z[np.setdiff1d(drawn, np.flatnonzero(shown.carries))].min()
    assert np.all(np.diff(shown.mean[0, drawn]) <= 0)


@pytest.mark.slow
def test_eight_methods_stay_readable(tmp_path: Path) -> None:
    methods = get_args(Method)
    make_results(tmp_path, session=small(["position"]), methods=methods)
    shown = unit_map(netcdf.load_dataset(tmp_path / "attribution.nc"), "position", "supported")
    names = [method_name(method) for method in methods]
    assert set(names[1:]) <= set(unit_columns(shown))
    assert not any("_" in name for name in names)
    drawn = map_figure(shown)
    assert drawn.get_figheight() < 13  # a row of bars each would be twice that
    assert set(names) <= {text.get_text() for axes in drawn.axes for text in axes.get_yticklabels()}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("methods", "other"),
    [
        (["inverted_neuron_gradient"], None),
        (["inverted_neuron_gradient", "kernel_shap"], 1),
        (["inverted_neuron_gradient", "kernel_shap", "neuron_gradient"], 2),
        (["neuron_gradient", "kernel_shap"], 1),
    ],
)
def test_the_tested_method_is_compared_with_the_neuron_gradient_where_that_is(
    methods: list[str], other: int | None, tmp_path: Path
) -> None:
    make_results(tmp_path, session=small(["position"]), methods=methods)
    shown = unit_map(netcdf.load_dataset(tmp_path / "attribution.nc"), "position", "supported")
    assert shown.partner == other
    titles = {axes.get_ylabel() for axes in map_figure(shown).axes}
    assert other is None or method_name(methods[other]) in titles


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        (["time", "time_delta"], "Rules for positive pairs: time: time; position: time_delta."),
        (["supervised", "supervised"], "Supervised: mean squared error between each label and its block."),
    ],
)
def test_the_page_says_what_the_loss_is_made_of(rules: list[str], words: str) -> None:
    assert training_words(["time", "position"], rules) == words


def test_a_held_out_loss_at_chance_is_a_warning() -> None:
    said = above_chance(["time", "head_direction"], np.array([6.17, 5.0]), np.array([5.55, 5.55]), "nat")
    assert "the loss of time (6.17 against 5.55 nat) is no better than chance" in said
    assert "direction" not in said
    assert above_chance(["time"], np.array([5.0]), np.array([5.55]), "nat") == ""


def test_no_carrier_is_told_from_units_that_were_not_tested() -> None:
    def said(carrying: int | None) -> str:
        return dict(card_facts({"carrying_units": carrying, "tested_units": 30}))["units that carry it"]

    assert said(3) == "3 of 30 (q of at most 0.05)"
    assert said(0) == "0 of 30 (q of at most 0.05)"
    assert said(None) == "not tested"


def test_a_label_that_another_predicts_is_named_where_labels_are_compared() -> None:
    assessed = {
        "position": {"predicted_by": {"velocity": 0.2}, "confounded_with": []},
        "velocity": {"predicted_by": {"position": 0.85}, "confounded_with": ["position"]},
    }
    assert prediction_words(assessed) == (
        "By nearest neighbours, which also see dependence that is not linear, velocity follows from position "
        "(held-out score 0.85)."
    )
    assert prediction_words({"position": assessed["position"]}) == ""


@pytest.mark.slow
@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize(("seeds", "said"), [(1, "A single seed: no interval."), (3, "95 % interval over 3 seeds: ")])
def test_the_page_says_what_its_intervals_are_over_and_what_methods_are_called(
    seeds: int, said: str, tmp_path: Path
) -> None:
    make_results(tmp_path, session=small(), seeds=seeds)
    report(tmp_path)
    page = Page(tmp_path / "report.html")
    assert said in page.text
    assert "In the config and the files inverse is inverted_neuron_gradient." in page.text
    assert "98.0\u00a0%" in page.text  # of bins are usable: a share, not a number of bins


@pytest.mark.parametrize("mean", [np.geomspace(0.25, 6.0, 12), np.linspace(-0.0011, 0.0011, 12), np.full(12, 2.0)])
def test_numbers_on_the_axis_of_mean_activity_do_not_overlap(mean: np.ndarray) -> None:
    session = small()
    units = "count" if mean.max() > 5 else "none"
    activity = np.broadcast_to(mean * (float(session.attrs["bin_width"]) if units == "count" else 1), (600, 12))
    session["activity"] = session["activity"].copy(data=activity.astype(np.float32)).assign_attrs(units=units)
    drawn = rates_figure(session)
    drawn.canvas.draw()
    axes = drawn.axes[0]
    low, high = axes.get_xlim()
    ticks = [*zip(axes.get_xticks(), axes.get_xticklabels(), strict=True)]
    ticks += zip(axes.get_xticks(minor=True), axes.get_xticklabels(minor=True), strict=True)
    shown = [text.get_window_extent() for place, text in ticks if low <= place <= high and text.get_text()]
    assert len(shown) >= 2
    assert not any(one.overlaps(other) for n, one in enumerate(shown) for other in shown[:n])
    assert "none" not in axes.get_xlabel()


@pytest.mark.parametrize("score", [0.02, 0.4, 0.95])
def test_z_and_p_of_a_score_hide_no_dot(score: float) -> None:
    seeds, nulls = [score - 0.01, score + 0.01], list(np.linspace(-0.03, 0.02, 8))
    decoding = {"score": score, "seeds": seeds, "nulls": nulls, "z": 31.7, "p": 1 / 9}
    drawn = decoding_figure({"position": {"verdict": "weak", "decoding": decoding}})
    drawn.canvas.draw()
    axes = drawn.axes[0]
    text = next(text for text in axes.texts if "nulls" in text.get_text()).get_window_extent()
    rightmost = axes.transData.transform((max(seeds), 0))[0]
    assert text.x0 > rightmost + 5


@pytest.mark.slow
def test_shares_of_regions_are_shown_only_where_units_are_tested(tmp_path: Path) -> None:
    make_results(tmp_path, session=small(["position"]))
    attribution = netcdf.load_dataset(tmp_path / "attribution.nc")
    old = attribution.drop_vars([*INFORMATION, DRAWS])
    for dataset, tested in ((attribution, True), (old, False)):
        titles = [axes.get_title() for axes in map_figure(unit_map(dataset, "position", "supported")).axes]
        assert ("share of units that carry it" in titles) == tested


def test_long_names_that_begin_and_end_alike_are_told_apart() -> None:
    names = [f"probe_imec{n % 4}_cluster_{n:05d}_good_isolated" for n in range(60)]
    cut = told_apart(names, 14)
    assert len(set(cut)) == 60 and max(map(len, cut)) <= 24
    assert cut[6] == "…2_cluster_00006…"
    assert told_apart(["Activity_0001", "Activity_0002"], 14) == ["Activity_0001", "Activity_0002"]
    assert told_apart(["a" * 30, "a" * 30], 14) == [plain("a" * 30, 14)] * 2
    assert told_apart([], 14) == []


@pytest.mark.slow
def test_one_latent_and_many_classes_can_be_drawn(tmp_path: Path) -> None:
    session = small(["position", "choice"])
    session["choice"] = session["choice"].copy(data=np.where(session["valid"], np.arange(600) // 20, -1))
    session["choice"].attrs["classes"] = json.dumps([f"stimulus {i}" for i in range(30)])
    make_results(tmp_path, session=session)
    attribution = netcdf.load_dataset(tmp_path / "attribution.nc")
    attribution["last_latent"].loc[{"label": "position"}] = 1
    netcdf.save_dataset(attribution, tmp_path / "attribution.nc")
    report(tmp_path)
    assert Page(tmp_path / "report.html").ids == SECTIONS


@pytest.mark.slow
def test_page_is_the_same_twice(tmp_path: Path) -> None:
    make_results(tmp_path, session=small())
    first = report(tmp_path)[0].read_bytes()
    assert report(tmp_path)[0].read_bytes() == first


@pytest.mark.slow
def test_refused_session_gets_a_page_that_says_why(tmp_path: Path) -> None:
    for command in ("extract", "train"):
        refusal = Receipt(
            command=command,
            session="sub-a",
            state="refused",
            code=Code.NO_LABEL,
            reason=f"no behaviour {EVIL}",
            remedy="name a label",
        )
        save(refusal, tmp_path)
    write_json(tmp_path / "inventory.json", {"neural": [{"path": "/units", "units": 3}], "series": []})
    assert report(tmp_path) == [tmp_path / "report.html"]
    page = Page(tmp_path / "report.html")
    for words in (
        "refused",
        f"no behaviour {EVIL}",
        "Name a label.",
        "/units",
        "extract",
        "no-label",
        Code.NO_LABEL.means.replace("`", ""),
    ):
        assert words in page.text
    assert page.scripts == [None]


@pytest.mark.slow
def test_missing_results_are_named(tmp_path: Path) -> None:
    make_results(tmp_path, session=small())
    (tmp_path / "embedding.nc").unlink()
    with pytest.raises(UsageError, match=r"embedding\.nc: no such file"):
        report(tmp_path)
    assert not (tmp_path / "report.html").exists()


@pytest.mark.slow
def test_maps_are_scored_against_true_cell_types(made: Path) -> None:
    attribution = netcdf.load_dataset(made / "attribution.nc")
    types = {str(unit): ("place", "head direction", "other")[int(unit) % 3] for unit in attribution["unit_id"].values}
    tuned = {"position": ["place", "grid"], "head_direction": ["head direction"], "choice": ["nobody"]}
    scores = auroc_against_cell_types(attribution, types, tuned)
    assert scores["position"] == scores["head_direction"] == 1.0
    assert np.isnan(scores["choice"])
    assert "speed" not in scores
