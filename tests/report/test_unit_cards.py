"""Cards of units: what they say is what the files hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.support.make_results import LABELS, make_results, make_session
from xcebra_nwb.core import netcdf
from xcebra_nwb.core import session as contract
from xcebra_nwb.core.carriers import carriers
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.report.firing import firing
from xcebra_nwb.report.unit_cards import GALLERY, Cards
from xcebra_nwb.report.unit_map import UnitMap, unit_map
from xcebra_nwb.report.unit_matrix import layout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("results")
    make_results(directory)
    return directory


def maps(made: Path) -> dict[str, UnitMap]:
    attribution = netcdf.load_dataset(made / "attribution.nc")
    return {label: unit_map(attribution, label, "supported") for label in LABELS}


def cards_of(made: Path, session: xr.Dataset | None = None) -> Cards:
    session = contract.load(made / "session.nc") if session is None else session
    return Cards(session, netcdf.load_dataset(made / "units.nc"), maps(made))


def test_the_gallery_has_the_numbers_of_the_foremost_label(made: Path) -> None:
    attribution = netcdf.load_dataset(made / "attribution.nc")
    carry = carriers(attribution)
    for row in cards_of(made).gallery():
        known = dict(zip(GALLERY, row, strict=True))
        unit = int(known["unit"])
        assert known["carries"] == ", ".join(label for label in LABELS if carry.sel(label=label).values[unit])
        chosen = attribution.sel(label=known["foremost label"]).isel(unit=unit)
        for name, variable in {
            "information": "information",
            "q": "information_q",
            "z": "z",
            "q of z": "q_value",
        }.items():
            assert known[name] == pytest.approx(float(chosen[variable]), rel=5e-3)


def test_firing_is_counted_in_the_bins_in_use() -> None:
    session = make_session(np.random.default_rng(0), labels=["choice"])
    used = session["valid"].values
    session["activity"].values[~used] = 1000
    session["activity"].values[:, 0] = 0
    session["activity"].values[np.flatnonzero(used)[:50], 0] = 1
    fired = firing(session)
    expected = session["activity"].values[used].mean(0) / session.attrs["bin_width"]
    assert fired.mean == pytest.approx(expected)
    assert fired.presence[0] == pytest.approx(50 / used.sum(), abs=0.011)
    assert fired.units == "Hz"


def test_a_card_shows_what_else_the_session_knows_of_a_unit(made: Path) -> None:
    session = contract.load(made / "session.nc")
    session["isi_violations"] = ("unit", np.linspace(0, 0.11, 12))
    session["good"] = ("unit", np.arange(12) % 2 == 0)
    card = cards_of(made, session).card(3)
    facts = dict([*card.firing, *card.file])
    assert facts["isi violations"] == "0.03"
    assert facts["good"] == "no"
    assert facts["spikes"] == str(int(session["n_spikes"].values[3]))


def test_units_that_are_not_those_of_the_maps_are_not_shown(made: Path) -> None:
    session = contract.load(made / "session.nc")
    turned = session.assign_coords(unit_id=("unit", session["unit_id"].values[::-1]))
    with pytest.raises(UsageError, match=r"attribution\.nc has other units than session\.nc"):
        cards_of(made, turned)


def test_a_brief_card_draws_what_the_unit_carries(made: Path) -> None:
    cards = cards_of(made)
    for unit in range(12):
        brief = [each.label for each in cards.card(unit, brief=True).labels]
        assert 1 <= len(brief) < len(LABELS)
        carried = [label for label in cards.carried(unit).split(", ") if label]
        assert set(carried) <= set(brief)
        assert [each.label for each in cards.card(unit).labels] == list(LABELS)


def test_a_matrix_holds_every_unit_once_and_regions_together() -> None:
    regions = ["CA1", "", "MEC", "CA1", "MEC"] * 200
    order = np.random.default_rng(0).permutation(1000).tolist()
    placed = layout(regions, order)
    units = [unit for line in placed.lines for unit in line if unit >= 0]
    assert sorted(units) == list(range(1000))
    assert [regions[unit] for unit in units] == ["CA1"] * 400 + ["MEC"] * 400 + [""] * 200
    assert [unit for unit in units if regions[unit] == "MEC"] == [unit for unit in order if regions[unit] == "MEC"]
