"""A result that a stranger sends says what to make again: it names no folder, no server and no file of its choice."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from xcebra_nwb.commands import cli
from xcebra_nwb.commands.verify import changes, planned, verify
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.nwb.export.read_back import MOST_TEXT, read_export

ASSET = "6f1b2c3d-0000-4000-8000-000000000000"
LINEAGE = {
    "session": "sub-a_ses-1",
    "address": "dandi://dandi/000207@0.220216.0323/sub-a/a.nwb",
    "dandiset": "000207",
    "version": "0.220216.0323",
    "asset_id": ASSET,
    "path": "sub-a/a.nwb",
    "sha256": "0" * 64,
    "etag": f"{'0' * 32}-1",
}
CONFIG = {"training.steps": 20, "training.seeds": 1, "training.nulls": 0, "training.batch_size": 64}
Forge = Callable[..., Path]


@pytest.fixture
def forge(tmp_path: Path) -> Forge:
    """Write a result by hand, as an attacker would: a lineage and a config of any content."""

    def written(config: object = None, **lineage: str) -> Path:
        path = tmp_path / "forged_desc-xcebra.nwb"
        said = {key: value for key, value in (LINEAGE | lineage).items() if value}
        pairs = config if config is not None else list(CONFIG.items())
        text = h5py.string_dtype()
        with h5py.File(path, "w") as h5:
            tables = h5.create_group("processing/misc")
            tables.create_dataset("xcebra_lineage/key", data=list(said), dtype=text)
            tables.create_dataset("xcebra_lineage/value", data=list(said.values()), dtype=text)
            config_text = pairs if isinstance(pairs, str) else json.dumps(pairs)
            tables.create_dataset("xcebra_runs/config", data=[config_text], dtype=text)
            tables.create_dataset("xcebra_attribution/method", data=["m"], dtype=text)
            tables.create_dataset("xcebra_attribution/label", data=["l"], dtype=text)
            tables.create_dataset("xcebra_attribution/attribution", data=[1.0])
        return path

    return written


@pytest.mark.parametrize(
    "said",
    [
        {"session": "../../outside"},
        {"session": "/outside"},
        {"session": ".."},
        {"session": "a/b"},
        {"session": "a\nb"},
        {"session": "-rf"},
        {"session": "$(touch x)"},
        {"session": "logs"},
        {"session": ""},
        {"asset_id": "../../users/me"},
        {"dandiset": "000207/../../users"},
        {"sha256": "../../x"},
        {"etag": "../../../home"},
    ],
)
def test_what_a_lineage_names_is_checked(said: dict[str, str], forge: Forge) -> None:
    with pytest.raises(UsageError, match=f"its lineage says {next(iter(said))} "):
        planned(forge(**said))


@pytest.mark.parametrize(
    "address",
    [
        "http://169.254.169.254/dandiset/000207",
        "https://dandiarchive.org.evil.example/dandiset/000207",
        "https://dandiarchive.org@evil.example/dandiset/000207",
        "http://api.dandiarchive.org/api/dandisets/000207",
        "http://localhost:8000/api/dandisets/000207/versions/draft/assets/1/",
        "dandi://evil/000207@draft/a.nwb",
        "dandi://dandi-api-local-docker-tests/000207@draft/a.nwb",
        "file:///etc/passwd",
        "/etc/passwd",
        "s3://bucket/a.nwb",
        "//evil.example/dandiset/000207",
    ],
)
def test_no_server_is_asked_that_nobody_trusted(address: str, forge: Forge, monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(*_: object, **__: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr("requests.sessions.Session.request", asked)
    with pytest.raises(UsageError, match=r"no public archive|a user or a password"):
        planned(forge(address=address))


def test_a_trusted_archive_is_that_one_only(forge: Forge) -> None:
    result = forge(address="http://127.0.0.1:8000/api/dandisets/000207/versions/1/assets/2/")
    assert planned(result, archive="http://127.0.0.1:8000").row.source.startswith("http://127.0.0.1:8000/")
    for other in ("http://127.0.0.1:80", "https://127.0.0.1:8000", "http://127.0.0.1:8000.evil.example"):
        with pytest.raises(UsageError, match="no public archive"):
            planned(result, archive=other)


def test_a_result_does_not_say_where_files_go(forge: Forge) -> None:
    pairs = [*CONFIG.items(), ("results", "/outside"), ("sessions", "/etc/passwd"), ("access", "stream")]
    config = planned(forge(pairs)).config
    assert (config.results, config.sessions, config.access) == ("results", "config/sessions.tsv", "download")
    assert config.training.steps == 20


@pytest.mark.parametrize(
    "pairs",
    [
        [["training.nonsense", 1]],
        [["training.steps", "1e9; touch x"]],
        [["neural", "a text"]],
        [["training.seeds", 1], ["training", 3]],
        [["a.b", 1], ["a.b.c", 1]],
        [[".".join("a" * 5000), 1]],
        [[1, 2, 3]],
        {"training": {}},
        "[" * 100_000,
        "x" * (MOST_TEXT + 1),
        "null",
        '[["training.device", "cuda; touch x"]]',
    ],
)
def test_a_config_of_any_content_is_one_line(pairs: object, forge: Forge) -> None:
    try:
        plan = planned(forge(pairs))
    except UsageError as error:
        assert "\n" not in str(error)
    else:
        assert plan.config.training.steps == 5000  # nothing of it was taken


def test_only_the_code_of_this_package_is_compared() -> None:
    hostile = {"code.../../../x": "1", "code.os.path": "2", "code.train": "0", "software.numpy": "0"}
    assert changes(hostile)[-1] == "the code of train has changed"
    assert len(changes(hostile)) == 2


def test_what_would_be_done_is_said_before_it_is_done(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    result, before = forge(), sorted(tmp_path.rglob("*"))
    monkeypatch.setattr(sys, "argv", ["xcebra-nwb", "verify", str(result), "--plan"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert f"source: {LINEAGE['address']}" in said and "steps: 20" in said
    assert sorted(path for path in tmp_path.rglob("*") if path != result) == [path for path in before if path != result]


def test_nothing_is_written_outside_the_own_folder(
    forge: Forge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []
    monkeypatch.setattr("xcebra_nwb.commands.verify._make", lambda source, directory, *_: written.append(directory))
    monkeypatch.setattr("xcebra_nwb.commands.verify._maps", lambda file: read_export(tmp_path / result.name).maps)
    result = forge()
    verify(planned(result, output=tmp_path / "out"))
    assert written == [tmp_path / "out"]
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"source.json"}
