"""With a shared cache, a session is computed once: elsewhere its files are taken, equal to the byte."""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import nwb_builders
from tests.support.command_line import run
from tests.support.whole_analysis import QUICK
from xcebra_nwb.archive.pinned import Pinned
from xcebra_nwb.commands import shared_results
from xcebra_nwb.commands.shared_results import COMMANDS, SECTIONS, source_of
from xcebra_nwb.core import receipts
from xcebra_nwb.core.config.schema import Config, Encoder, Training, validate
from xcebra_nwb.core.config.section import Section
from xcebra_nwb.core.outputs import FILES
from xcebra_nwb.core.session_table import Session
from xcebra_nwb.core.shared_cache.address import VARIABLE
from xcebra_nwb.nwb.reading.foreign import Follow

NAME = "sub-a_ses-1"
WITH_CONFIG, WITH_SOURCE = ("extract", "train", "attribute"), ("extract", "write", "check")
Read = dict[str, set[str]]  # sections of the config, and keys of sections, that a command read


def code_of(command: str) -> str:
    """Stand in for a fingerprint, which takes seconds to compute."""
    return f"code of {command}"


@pytest.fixture(autouse=True)
def _quick_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("xcebra_nwb.core.shared_cache.key.fingerprint", code_of)


def words(command: str, source: Path, directory: Path, config: Path) -> list[object]:
    options = ["--config", config] if command in WITH_CONFIG else []
    return [command, *options, "--", *([source] if command in WITH_SOURCE else []), directory]


def recorded(read: Read, command: str, work: Callable[..., Any]) -> Callable[..., Any]:
    """Return the work of a command that notes what it reads of the config."""

    def noting(*arguments: Any, **named: Any) -> Any:
        found = read.setdefault(command, set())
        given = next(argument for argument in arguments if isinstance(argument, Config))
        sections = {id(given), *(id(getattr(given, name)) for name in Config.model_fields)}

        def get(section: Section, name: str) -> Any:
            if id(section) in sections and name in type(section).model_fields:
                found.add(f"{type(section).__name__}.{name}")
            return object.__getattribute__(section, name)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Section, "__getattribute__", get, raising=False)
            return work(*arguments, **named)

    return noting


@pytest.fixture(scope="module")
def computed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Read]:
    """A session that was computed with a cache, and what its commands read: one whole analysis, for all tests here."""
    folder, read = tmp_path_factory.mktemp("computed"), Read()
    source = folder / "here" / f"{NAME}.nwb"
    source.parent.mkdir()
    nwb_builders.tiny(source, only_position=True)
    (folder / "quick.yaml").write_text(yaml.safe_dump(QUICK))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(VARIABLE, str(folder / "cache"))
        patch.setattr("xcebra_nwb.core.shared_cache.key.fingerprint", code_of)
        for command in WITH_CONFIG:
            module = importlib.import_module(f"xcebra_nwb.commands.{command}")
            patch.setattr(module, command, recorded(read, command, getattr(module, command)))
        for command in COMMANDS:
            with pytest.raises(SystemExit) as ended, pytest.MonkeyPatch.context() as arguments:
                given = words(command, source, folder / "1" / NAME, folder / "quick.yaml")
                arguments.setattr("sys.argv", ["xcebra-nwb", *map(str, given)])
                importlib.import_module("xcebra_nwb.commands.cli").main()
            assert not ended.value.code
    return folder, read


def results(directory: Path) -> dict[str, bytes]:
    patterns = [pattern for command in COMMANDS for pattern in FILES[command]]
    return {path.name: path.read_bytes() for pattern in patterns for path in directory.glob(pattern)}


def forbidden(*arguments: Any, **named: Any) -> list[Path]:
    raise AssertionError("it was computed")


def test_everything_is_taken_for_the_same_recording_elsewhere_and_is_equal_to_the_byte(
    computed: tuple[Path, Read],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, _ = computed
    source = shutil.copy(folder / "here" / f"{NAME}.nwb", tmp_path)
    monkeypatch.setenv(VARIABLE, str(folder / "cache"))
    for command in COMMANDS:
        module = importlib.import_module(f"xcebra_nwb.commands.{command}")
        monkeypatch.setattr(module, command, forbidden)
        code, _, said = run(capsys, *words(command, Path(source), tmp_path / NAME, folder / "quick.yaml"))
        assert code == 0, said
        taken = receipts.load(tmp_path / NAME, command).taken
        assert taken is not None and taken.cache == str(folder / "cache")
    assert results(tmp_path / NAME) == results(folder / "1" / NAME)
    assert len(results(tmp_path / NAME)) == 12
    assert sum("taken from" in message for message in caplog.messages) == len(COMMANDS)


def test_a_taken_training_is_current_and_stays_one_that_was_taken(
    computed: tuple[Path, Read],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    folder, _ = computed
    directory = tmp_path / NAME
    directory.mkdir()
    shutil.copy(folder / "1" / NAME / "session.nc", directory)
    (directory / "checkpoint.safetensors").write_bytes(b"of a training that was killed")
    monkeypatch.setenv(VARIABLE, str(folder / "cache"))
    run(capsys, *words("train", folder, directory, folder / "quick.yaml"))
    receipts.path(directory, "train").unlink()  # as Snakemake does before a job
    run(capsys, *words("train", folder, directory, folder / "quick.yaml"))
    assert caplog.messages[-1].endswith("current, nothing to do")
    assert not (directory / "checkpoint.safetensors").exists()
    assert receipts.load(directory, "train").taken is not None


@pytest.mark.parametrize("command", WITH_CONFIG)
def test_a_command_reads_no_setting_that_is_not_in_its_key(computed: tuple[Path, Read], command: str) -> None:
    keyed, read = SECTIONS[command], computed[1][command]
    sections = {name.partition(".")[2] for name in read if name.startswith("Config.")}
    assert sections and sections <= set(keyed)
    if command == "extract":  # it reads some keys of two sections
        for section, name in ((Encoder, "encoder"), (Training, "training")):
            keys = {key.partition(".")[2] for key in read if key.startswith(f"{section.__name__}.")}
            assert keys <= keyed[name], name


def key_name(config: Config, command: str) -> str:
    files = dict.fromkeys(("session.nc", "model.safetensors", "training.nc", "embedding.nc"), "0" * 64)
    return shared_results.make_key(command, NAME, config, files, {"sha256": "1"}).name


@pytest.mark.parametrize(
    ("change", "commands"),
    [
        ({"time": {"bin_width": 0.1}}, ["extract"]),
        ({"training": {"steps": 7}}, ["train", "attribute"]),
        ({"random_seed": 5}, ["train", "attribute"]),
        ({"attribution": {"samples": 7}}, ["attribute"]),
        ({"encoder": {"architecture": "conv10"}}, ["extract", "train", "attribute"]),
        ({"results": "elsewhere"}, []),
    ],
)
def test_a_changed_setting_changes_the_keys_of_the_commands_that_read_it(
    change: dict[str, Any], commands: list[str]
) -> None:
    before, after = validate({}), validate(change)
    changed = [c for c in WITH_CONFIG if key_name(before, c) != key_name(after, c)]
    assert changed == commands


def test_a_recording_that_is_closed_undigested_or_in_several_files_is_in_no_cache(tmp_path: Path) -> None:
    row = {"session": NAME, "include": True, "source": "dandi://dandi/000001@1/a.nwb", "path": "a.nwb"}
    row |= {"asset_id": "0" * 8 + "-0000-4000-8000-" + "0" * 12, "dandiset": "000001", "version": "1"}

    def asset(**more: str) -> Pinned:
        return Pinned(access="download", session=Session.model_validate(row | more))

    digest = {"etag": "0" * 32 + "-1"}
    assert source_of(asset(**digest, source_access="open"), Follow.FOLDER) is not None
    assert source_of(asset(**digest, source_access="embargoed"), Follow.FOLDER) is None
    assert source_of(asset(**digest, source_access="unknown"), Follow.FOLDER) is None
    assert source_of(asset(), Follow.FOLDER) is None
    assert source_of("https://127.0.0.1:9/a.nwb", Follow.FOLDER) is None
    assert source_of(tmp_path / "missing.nwb", Follow.FOLDER) is None


def test_what_no_key_can_have_is_in_no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of a reader of another package, and the compiler of a compiled training."""
    config, compiled = validate({}), validate({"training": {"compile": True}})
    assert shared_results.is_shareable("extract", config)
    assert shared_results.is_shareable("train", config) and not shared_results.is_shareable("train", compiled)
    monkeypatch.setattr(shared_results, "entry_points", lambda group: [group])
    assert not shared_results.is_shareable("extract", config) and shared_results.is_shareable("train", config)


def test_without_a_cache_nothing_is_looked_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assert shared_results.shared_result("assess", tmp_path) is None
    assert shared_results.shared_trainings([tmp_path], validate({})) == {}
