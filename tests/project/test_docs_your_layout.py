"""The example of docs/how-to/your-layout.md works, as a plug-in that an installed package brings."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.support import nwb_builders as build
from tests.support.paths import DOCS
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import Failure
from xcebra_nwb.nwb.extraction.extract import extract_session
from xcebra_nwb.nwb.inventory.inventory import inventory
from xcebra_nwb.nwb.neural.readers import registry

PAGE = DOCS / "how-to" / "your-layout.md"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of installed packages; what is registered from it goes away again."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry, "READERS", dict(registry.READERS))
    registry.load_plug_ins.cache_clear()
    yield tmp_path
    registry.load_plug_ins.cache_clear()
    sys.modules.pop("our_lab", None)
    sys.modules.pop("our_lab.long_table", None)


def install(site: Path, code: str) -> None:
    """Install the example's package into ``site``."""
    text = PAGE.read_text(encoding="utf-8")
    (declared,) = re.findall(r'^\[project\.entry-points\."(.*?)"\]\n(.*)$', text, re.MULTILINE)
    (site / "our_lab").mkdir()
    (site / "our_lab" / "__init__.py").touch()
    (site / "our_lab" / "long_table.py").write_text(code)
    information = site / "our_lab-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: our_lab\nVersion: 1.0\n")
    (information / "entry_points.txt").write_text(f"[{declared[0]}]\n{declared[1].replace(chr(34), '')}\n")


def example() -> str:
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return str(code)


def test_the_example_reads_the_layout(site: Path) -> None:
    assert len(example().splitlines()) < 45
    install(site, example())
    spikes = build.steady_spikes(3)
    path = build.tiny(site / "lab.nwb")
    with build.edited(path) as h5:
        del h5["units"]
        h5["analysis/spikes/time"] = np.concatenate(spikes)
        h5["analysis/spikes/cell"] = np.repeat(["a", "b", "c"], [len(one) for one in spikes]).astype("S")
    (source,) = inventory(path).neural
    assert (source.path, source.layout, source.units, source.taken_by_auto) == (
        "/analysis/spikes",
        "long_table",
        3,
        True,
    )
    session = extract_session(path, validate({}), "one")
    assert session["unit_id"].values.tolist() == ["a", "b", "c"]
    assert session["activity"].values.sum() == pytest.approx(sum(map(len, spikes)), abs=10)


def test_a_plug_in_that_cannot_be_loaded_is_named(site: Path) -> None:
    install(site, "import nothing_of_this_name")
    with pytest.raises(Failure, match=r"reader plug-in long_table \(our_lab.long_table\).*ModuleNotFoundError"):
        registry.readers()


def test_the_page_names_every_layout() -> None:
    named = re.findall(r"^\| `(\w+)` \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert named == list(registry.readers())
