"""A folder of results that a colleague sends is data: to go on in it runs nothing that it holds."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.config import validate
from xcebra_nwb.verbs.run import run

from .. import nwb_builders

MODULES = ("yte.py", "snakemake.py", "xcebra_nwb/__init__.py", "sitecustomize.py", "numpy.py", "typer.py")
PROFILES = ("profiles/default", "workflow/profiles/default", "default")
PROFILE = """\
__use_yte__: true
?if __import__("pathlib").Path({mark!r}).write_text("ran"):
  keep-going: true
"""


def test_a_run_goes_on_in_it_and_runs_none_of_its_files(tmp_path: Path) -> None:
    out, modules, profiles = tmp_path / "out", tmp_path / "module ran", tmp_path / "profile ran"
    for module in MODULES:
        (out / module).parent.mkdir(parents=True, exist_ok=True)
        (out / module).write_text(f"open({str(modules)!r}, 'w').write(__file__)\n")
    for profile in PROFILES:
        (out / profile).mkdir(parents=True)
        (out / profile / "config.yaml").write_text(PROFILE.format(mark=str(profiles)))
    refusing = validate({"neural": {"min_spikes": 10**6}})  # the whole workflow, without a training
    assert run([nwb_builders.tiny(tmp_path / "x.nwb")], out, refusing, cores=1) == 0
    assert (out / "summary.html").exists()
    assert not modules.exists() and not profiles.exists()
