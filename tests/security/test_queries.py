"""A query compares columns, and nothing that it says can run: queries come from strangers' configs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import nwb_builders
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.reading.intervals import select
from xcebra_nwb.nwb.reading.query import DEEPEST, LONGEST, QueryError, rows_where

COLUMNS = {
    "rate": np.array([0.5, 2.0, np.nan, 7.5]),
    "n_spikes": np.array([3, 40, 0, 900], dtype=np.uint32),
    "good": np.array([True, False, True, True]),
    "region": np.array(["CA1", "CA3", "", "CA1"], dtype=object),
    "reward size": np.array([1, 2, 2, 3], dtype=np.int8),
}
FRAME = pd.DataFrame(COLUMNS)

RUNS = [  # each did something on its way through pandas
    "@pd.io.common.os.system('touch {mark}')",
    "@pd.io.common.os.system('touch {mark}') == 0",
    "rate.to_csv('{mark}') == 0",
    "rate.map(@pd.eval) > 0",
    "region.str.contains('CA')",
    "`rate`.to_csv('{mark}')",
    "().__class__.__bases__[0].__subclasses__()",
    "__import__('os').system('touch {mark}')",
    "open('{mark}', 'w') == 0",
    "rate > 0 and [x for x in [1]]",
    "(lambda: 1)() == 1",
    "f'{{rate}}' == 'a'",
    "rate := 3",
    "rate > 0; import os",
    "rate if good else rate",
    "rate['a'] > 1",
    "rate > 0 or print(1)",
    "rate ** 9999999 > 1",
    "9 ** 9 ** 9 ** 9 > rate",
    "region * 1000000000 == 'a'",
    "'a' * 1000000000 == region",
    "rate % 2 == 0",
    "rate @ rate > 1",
    "rate << 1000000 > 1",
    "sin(rate) > 0",
    "*rate",
]


@pytest.mark.parametrize("query", RUNS)
def test_no_query_runs_anything(query: str, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    with pytest.raises(UsageError, match=r"neural\.where: .* at character"):
        select(FRAME, query.replace("{mark}", str(mark)), "neural.where")
    assert not mark.exists()


@pytest.mark.parametrize("key", ["where", "within"])
def test_no_query_of_a_config_runs_anything(key: str, tmp_path: Path) -> None:
    file, mark = nwb_builders.tiny(tmp_path / "x.nwb"), tmp_path / "mark"
    attack = f"@pd.io.common.os.system('touch {mark}') == 0"
    section: dict[str, Any] = (
        {"neural": {"where": attack}} if key == "where" else {"time": {"within": f"/intervals/trials: {attack}"}}
    )
    with pytest.raises(UsageError):
        extract_session(file, validate(section), "x", tmp_path)
    assert not mark.exists()


OLD = [  # queries of pandas that were only comparisons
    "rate > 1",
    "rate >= 2 and good",
    "rate > 1 & n_spikes < 50",
    "(rate > 1) | (n_spikes < 5)",
    "~good",
    "not good or rate != rate",
    "region == 'CA1'",
    'region != "CA1"',
    "region in ['CA1', 'CA3']",
    "region in ('CA1', 'CA3')",
    "region == ['CA3']",
    "region not in ['CA1']",
    "`reward size` == 2",
    "`reward size` * 2 - 1 > 2 / 1",
    "1 < rate < 5",
    "1 < rate <= 7.5 != n_spikes",
    "-rate < -1",
    "good == True",
    "good == 1",
    "n_spikes in [3, 900]",
    "index > 1",
    "rate > 1e0 and rate < .8e1",
    "n_spikes - rate > 30",
    "region < 'CA2'",
    "not (rate > 1 and region == 'CA1') or n_spikes == 0",
]


@pytest.mark.parametrize("query", OLD)
def test_comparisons_pick_what_pandas_picked(query: str) -> None:
    expected = FRAME.index.isin(FRAME.query(query, engine="python").index)
    assert rows_where(query, COLUMNS, 4).tolist() == expected.tolist()


NAMES = st.sampled_from(["rate", "n_spikes", "`reward size`"])
COMPARISON = st.tuples(NAMES, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), st.sampled_from(["-1", "2", "7.5"]))
QUERY = st.recursive(
    COMPARISON.map(" ".join) | st.just("good") | st.just("region in ['CA1', '']"),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or", "&", "|"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda part: f"not ({part})")
    ),
    max_leaves=8,
)


@given(QUERY)
def test_joined_comparisons_pick_what_pandas_picked(query: str) -> None:
    expected = FRAME.index.isin(FRAME.query(query, engine="python").index)
    assert rows_where(query, COLUMNS, 4).tolist() == expected.tolist()


@given(st.text(alphabet="ranteg'\"`()[]<>=!&|~+-*/.,@01 \n\\", max_size=60) | st.text(max_size=60))
def test_any_text_is_read_or_refused(query: str) -> None:
    try:
        picked = rows_where(query, COLUMNS, 4)
    except QueryError as error:
        assert 0 <= error.position <= len(query)
    else:
        assert picked.shape == (4,) and picked.dtype == bool


WRONG = {  # and the character at which it is
    "rate > ": 8,
    "rate > 1 region": 10,
    "rate.mean() > 1": 5,
    "rate(1) > 1": 5,
    "rat > 1": 1,
    "region == 5": 8,
    "rate == 'a'": 6,
    "rate": 1,
    "region > 'a' and rate": 18,
    "region in 'CA1'": 8,
    "region == 'CA1": 11,
    "(rate > 1": 10,
    "rate > [1, 2]": 6,
    "rate in [1, n_spikes]": 13,
    "@rate > 1": 1,
    "": 1,
}


@pytest.mark.parametrize(("query", "character"), WRONG.items())
def test_an_error_points_at_the_character(query: str, character: int) -> None:
    with pytest.raises(QueryError, match=f"at character {character}:"):
        rows_where(query, COLUMNS, 4)


def test_a_misspelt_column_gets_the_nearest_name() -> None:
    with pytest.raises(UsageError, match=r"no column 'ratte'; did you mean rate\? \(columns: rate, n_spikes"):
        select(FRAME, "ratte > 1", "neural.where")


@pytest.mark.parametrize(
    "query",
    [
        "(" * 5000 + "rate" + ")" * 5000 + " > 1",
        "[" * 5000,
        "not " * 4000 + "good",
        "-" * 15000 + "rate > 1",
        "~" * 15000 + "good",
        "1" * 19000 + " < rate",
        "'" + "\\" * 19000,
        "`" * 19999,
        "rate < " * 2800 + "1",
        "good and " * 2000 + "good",
        "a" * LONGEST + "b",
        "region in [" + "'a'," * 4000 + "'b']",
    ],
)
def test_long_and_deep_queries_end_soon(query: str) -> None:
    began = time.process_time()
    try:
        assert rows_where(query, COLUMNS, 4).shape == (4,)
    except QueryError as error:
        assert len(str(error)) < 500
    assert time.process_time() - began < 1


def test_the_bounds_are_said() -> None:
    with pytest.raises(QueryError, match=f"at most {LONGEST} are read"):
        rows_where("rate > 1" + " " * LONGEST, COLUMNS, 4)
    with pytest.raises(QueryError, match=f"more than {DEEPEST} parentheses"):
        rows_where("(" * 51 + "good" + ")" * 51, COLUMNS, 4)
    assert rows_where("(" * 50 + "good" + ")" * 50, COLUMNS, 4).sum() == 3


def test_no_rows_are_none() -> None:
    assert rows_where("rate > 1 and region == 'a'", {"rate": np.empty(0), "region": np.empty(0, object)}, 0).size == 0
