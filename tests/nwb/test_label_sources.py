"""The source of a label: one path, several, or a path with ``*``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support import nwb_builders as build
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.labels.configured import resolved
from xcebra_nwb.nwb.reading.file import open_nwb


def label(**keys: Any) -> Any:
    return validate({"labels": {"it": keys}}).labels["it"]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    nwb = build.new()
    build.add_intervals(nwb, "gabors_presentations", [[0, 1], [2, 3]], orientation=[0.0, 90.0])
    build.add_intervals(nwb, "flashes_presentations", [[4, 5], [6, 7]], colour=[1.0, -1.0])
    build.add_intervals(nwb, "static_presentations", [[8, 9], [10, 11]], orientation=[45.0, 90.0])
    return build.save(nwb, tmp_path_factory.mktemp("sources") / "sources.nwb")


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("/intervals/gabors_presentations", "/intervals/gabors_presentations"),
        ("/intervals/g*_presentations", "/intervals/gabors_presentations"),
        ("/intervals/s*#orientation", "/intervals/static_presentations#orientation"),
        (
            "/intervals/*_presentations#orientation",
            ["/intervals/gabors_presentations#orientation", "/intervals/static_presentations#orientation"],
        ),
        (
            ["/intervals/s*", "/intervals/flashes_presentations"],
            ["/intervals/static_presentations", "/intervals/flashes_presentations"],
        ),
    ],
)
def test_a_source_means_the_objects_that_it_fits(file: Path, source: Any, paths: Any) -> None:
    with open_nwb(file) as nwb:
        found = resolved(nwb, "it", label(source=source))
    assert found.source == paths
    assert found.sources == ((paths,) if isinstance(paths, str) else tuple(paths))


@pytest.mark.parametrize("source", ["/intervals/*_trials", "/intervals/*#contrast", "*gabors_presentations"])
def test_a_source_that_fits_nothing_names_the_candidates(file: Path, source: str) -> None:
    with open_nwb(file) as nwb, pytest.raises(UsageError) as caught:
        resolved(nwb, "it", label(source=source))
    assert "/intervals/gabors_presentations#orientation" in str(caught.value.remedy)


@pytest.mark.parametrize(
    ("keys", "says"),
    [
        ({"source": ["/a"]}, "two paths or more"),
        ({"source": ["/a", "/a"]}, "names a path twice"),
        ({"source": ""}, "at least 1"),
        ({"source": "/a", "around": "cue"}, "around needs a window in s"),
        ({"source": "/a", "around": "cue", "window": ["on", "off"]}, "around needs a window in s"),
        ({"source": "/a", "around": "cue", "window": [0, 1], "derive": "time_from"}, "around needs a window in s"),
        ({"source": "/a", "window": ["on", "off"], "derive": "time_from"}, "only for time_within or share_within"),
        ({"source": "/a", "window": [0, 1], "derive": "time_within"}, "only for time_from or no derive"),
        ({"source": "/a", "window": [1, 0]}, r"window: \[1.0, 0.0\] is empty"),
    ],
)
def test_a_source_or_window_that_means_nothing_is_refused(keys: dict[str, Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        label(**keys)
