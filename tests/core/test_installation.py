"""What an extra brings is asked for in one line, before any work, and nothing else needs it."""

import sys
from pathlib import Path

import pytest

from tests.support import nwb_builders
from tests.support.command_line import one_line, run
from xcebra_nwb.archive.lineage import check_archive
from xcebra_nwb.core import installation
from xcebra_nwb.core.errors import UsageError
from xcebra_nwb.core.installation import config_file

METHODS = "attribution: {methods: [inverted_neuron_gradient, kernel_shap]}\n"
WHERE = ["-o", "out"]
NEEDS = [
    (["simulate", "sub-a_ses-1.nwb"], "simulate", "ratinabox", "simulate"),
    (["benchmark", "synthetic", "--quick"], "benchmark", "ratinabox", "simulate"),
    (["tune", "results/a", *WHERE], "tune", "optuna", "tune"),
    (["publish", *WHERE, "--contact", "A, B <a@b.org>"], "publish", "dandi", "archive"),
    (["discover", "DANDI:000207"], "DANDI:000207", "dandi", "archive"),
    (["run", "DANDI:000207", *WHERE], "DANDI:000207", "dandi", "archive"),
    (["run", "a.nwb", *WHERE, "-c", "methods.yaml"], "attribution.methods: kernel_shap", "captum", "baselines"),
    (["train", "results/a", "-c", "methods.yaml"], "attribution.methods: kernel_shap", "captum", "baselines"),
]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An installation without any extra, and a folder to work in."""
    monkeypatch.setattr(installation, "find_spec", lambda name: None)
    for package in installation.EXTRA_OF:
        for name in [package, *(one for one in sys.modules if one.startswith(f"{package}."))]:
            monkeypatch.setitem(sys.modules, name, None)  # an import of it fails
    monkeypatch.chdir(tmp_path)
    (tmp_path / "methods.yaml").write_text(METHODS)
    return tmp_path


@pytest.mark.parametrize(("arguments", "purpose", "package", "extra"), NEEDS)
def test_what_is_missing_is_named_with_its_extra(
    arguments: list[str], purpose: str, package: str, extra: str, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, said = run(capsys, *arguments)
    missing = f"{purpose} needs {package}, which is not installed (pip install 'xcebra-nwb[{extra}]')"
    assert (code, one_line(said)) == (2, f"xcebra-nwb: error: {missing}")
    assert [path.name for path in bare.iterdir()] == ["methods.yaml"]


@pytest.mark.slow
def test_local_files_need_no_extra(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nwb_builders.tiny(bare / "sub-a_ses-1.nwb")
    assert run(capsys, "discover", ".", "-o", "sessions.tsv")[0] == 0
    assert run(capsys, "extract", "sub-a_ses-1.nwb", "results/sub-a_ses-1")[0] == 0


def test_an_address_on_the_web_needs_no_extra(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, said = run(capsys, "inspect", "http://127.0.0.1:9/x.nwb")
    assert (code, "cannot be read" in one_line(said)) == (1, True)


def test_a_result_of_an_asset_is_verified_with_the_extra(bare: Path) -> None:
    with pytest.raises(UsageError, match=r"x\.nwb, .*needs dandi.*xcebra-nwb\[archive\]"):
        check_archive("dandi://dandi/000207@draft/x.nwb", None, bare / "x.nwb")


def test_a_folder_does_not_hide_the_example_config_of_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = config_file(Path("tiny"))
    assert example.is_file()
    (tmp_path / "tiny").mkdir()  # `run data -o tiny -c tiny`, given again
    assert config_file(Path("tiny")) == example
    Path("fast").write_text("training: {steps: 10}")
    assert config_file(Path("fast")) == Path("fast")
