"""verify: the maps of a result come out again from the source that it names, or it says how far they are off."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from tests.support import nwb_builders
from tests.support.loopback import Loopback
from tests.support.whole_analysis import NAME, QUICK, analysed
from xcebra_nwb.commands import cli
from xcebra_nwb.commands.check import check
from xcebra_nwb.commands.discover import discover
from xcebra_nwb.commands.fetch import fetch
from xcebra_nwb.commands.verify import planned, verify
from xcebra_nwb.core import session_table
from xcebra_nwb.core.config.schema import validate
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.nwb.export.objects import flat
from xcebra_nwb.nwb.export.read_back import nested, read_export

pytestmark = pytest.mark.slow


@pytest.fixture
def result(archive: Loopback, tmp_path: Path) -> Path:
    """The export of a session of the archive, made from a download and checked."""
    archive.add(f"sub-a/{NAME}.nwb", nwb_builders.tiny(tmp_path / "x.nwb", only_position=True).read_bytes())
    directory = tmp_path / "results" / NAME
    discover([f"{archive.site}/dandiset/000001"], tmp_path / "t.tsv")
    fetch(tmp_path / "t.tsv", directory, "download")
    written = analysed(directory / "source.json", directory)
    check(directory / "source.json", directory, NAME)
    return written


def row(tmp_path: Path) -> Session:
    return session_table.read(tmp_path / "t.tsv")[0]


def test_a_result_names_its_source_and_comes_out_again(
    archive: Loopback, result: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lineage, source = read_export(result).lineage, row(tmp_path)
    for name in ("dandiset", "version", "asset_id", "path", "sha256", "etag"):
        assert lineage[name] == getattr(source, name)
    assert (lineage["address"], lineage["source_file"]) == (source.source, f"{NAME}.nwb")
    assert {"software.torch", "code.train", "code.attribute", "config_hash"} <= set(lineage)
    shutil.rmtree(tmp_path / "cache")
    monkeypatch.setattr(sys, "argv", ["xcebra-nwb", "verify", str(result), "--archive", archive.site])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert said.out.count("identical") == len(read_export(result).maps)
    assert "verified: " in said.out and "changed since" not in said.out
    with nwb_builders.edited(result) as h5:
        h5["processing/misc/xcebra_attribution/attribution"][:] *= -1
    agreements, _ = verify(planned(result, archive=archive.site))
    assert not any(one.agrees for one in agreements)


def test_a_local_source_is_named_and_must_be_the_one(tmp_path: Path) -> None:
    source = nwb_builders.tiny(tmp_path / "here.nwb", only_position=True)
    result = analysed(source, tmp_path / NAME)
    assert str(tmp_path) not in "".join(read_export(result).lineage.values())
    with pytest.raises(UsageError, match=r"local file, here.nwb \(name it with --source\)"):
        planned(result)
    with pytest.raises(UsageError, match="not the file that the results were made from"):
        planned(result, nwb_builders.tiny(tmp_path / "other.nwb", seed=5))
    with pytest.raises(UsageError, match="no results of xcebra-nwb are in it"):
        planned(source)


def test_a_config_in_a_table_is_read_as_it_was() -> None:
    objectives = [
        {"name": "where", "outputs": [0, 3], "positive": "time_delta", "label": "position", "delta": 1},
        {"name": "time", "outputs": [0, 8], "positive": "time", "offset": 1},
    ]
    labels = {"position": {"source": "/processing/behavior/Position/led", "kind": "continuous"}}
    config = validate(QUICK | {"objectives": objectives, "labels": labels})
    pairs = json.loads(json.dumps(list(flat(config.model_dump(mode="json")))))
    assert validate(nested(pairs)) == config
