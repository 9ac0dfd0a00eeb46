"""The storage plugin: what the interface package asks of one, and a workflow that uses it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from snakemake_interface_common.exceptions import WorkflowError
from snakemake_interface_storage_plugins.tests import TestStorageBase

from tests.support.loopback import Loopback
from tests.support.paths import PLUGIN

PLACE = "dandi://here/000001@0.261122.1116"
PATHS = ("sub-a/sub-a_ses-1.nwb", "sub-a/sub-a_ses-2.nwb", "sub-b/sub-b_ses-1.nwb")
WORKFLOW = """
storage:
    provider="dandi",
    api_url="{site}"
PLACE = "{place}"
FOUND = sorted(glob_wildcards(storage.dandi(PLACE + "/sub-{{subject}}/{{name}}.nwb")).name)
rule all:
    input: expand("out/{{name}}.txt", name=FOUND)
rule copy:
    input: lambda w: storage.dandi(f"{{PLACE}}/{{w.name.split('_')[0]}}/{{w.name}}.nwb")
    output: "out/{{name}}.txt"
    shell: "cp {{input}} {{output}}"
"""


@pytest.fixture
def held(archive: Loopback, monkeypatch: pytest.MonkeyPatch) -> Loopback:
    monkeypatch.syspath_prepend(str(PLUGIN))
    for path in PATHS:
        archive.add(path, path.encode())
    return archive


class TestDandiStorage(TestStorageBase):
    __test__ = True
    retrieve_only = True

    @pytest.fixture(autouse=True)
    def _archive(self, held: Loopback) -> None:
        self.site = held.site

    def get_storage_provider_cls(self):
        from snakemake_storage_plugin_dandi import StorageProvider

        return StorageProvider

    def get_storage_provider_settings(self):
        from snakemake_storage_plugin_dandi import StorageProviderSettings

        return StorageProviderSettings(api_url=self.site)

    def get_query(self, tmp_path: Path) -> str:
        return f"{PLACE}/{PATHS[0]}"

    def get_query_not_existing(self, tmp_path: Path) -> str:
        return f"{PLACE}/sub-z/sub-z.nwb"

    def test_a_version_is_listed_once_for_all_that_is_asked(self, held: Loopback, tmp_path: Path) -> None:
        provider = self._get_provider(tmp_path)
        for path in PATHS:
            one = provider.object(f"{PLACE}/{path}")
            assert (one.exists(), one.size(), one.checksum()[:7]) == (True, len(path), "sha256:")
        assert set(provider.object(f"{PLACE}/sub-a/{{name}}.nwb").list_candidate_matches()) == {
            f"{PLACE}/{path}" for path in PATHS[:2]
        }
        assert sum("/assets/?" in one for one in held.requests) == 1

    @pytest.mark.parametrize("path", ["../../x.nwb", "/etc/x", "a/../../../../x", "a//b"])
    def test_no_path_leads_out_of_the_local_folder(self, path: str, tmp_path: Path) -> None:
        local = self._get_obj(tmp_path, f"{PLACE}/{path}").local_path()
        assert Path(os.path.normpath(local)).is_relative_to(tmp_path / "local_prefix" / "here")

    def test_wrong_bytes_are_not_handed_on(self, held: Loopback, tmp_path: Path) -> None:
        one = self._get_obj(tmp_path, self.get_query(tmp_path))
        asset = next(iter(held.dandisets["000001"].versions["0.261122.1116"].assets))
        held.faults[asset].append("flip")
        one.local_path().parent.mkdir(parents=True)
        with pytest.raises(WorkflowError, match="dandi-etag"):
            one.retrieve_object()
        assert not one.local_path().exists()

    def test_a_closed_version_names_the_variable_of_the_key(self, held: Loopback, tmp_path: Path) -> None:
        held.dandisets["000001"].embargoed = True
        variable = f"{held.site.removeprefix('http://')}_API_KEY"
        with pytest.raises(WorkflowError, match=f"a key is needed, or another one: set {variable}"):
            self._get_provider(tmp_path).listing(self.get_query(tmp_path))

    @pytest.mark.parametrize("query", ["dandi://dandi/000207/sub-4", "http://x/y", "dandi://dandi/7@0.1.2/x"])
    def test_other_queries_are_told_apart(self, query: str) -> None:
        assert not self.get_storage_provider_cls().is_valid_query(query)


@pytest.mark.parametrize("number", [0, 1])
def test_the_readme_works_as_it_is_written(number: int, held: Loopback, tmp_path: Path) -> None:
    held.add("sub-4/sub-4_ses-4_ecephys+image.nwb", b"4", "000207", "0.220216.0323")
    example = re.findall(r"```\n(.*?)```", (PLUGIN / "README.md").read_text(), re.DOTALL)[number]
    (tmp_path / "Snakefile").write_text(example.replace("https://host", held.site))
    command = tmp_path / "bin" / "analyse"
    command.parent.mkdir()
    command.write_text('#!/bin/sh\ncat "$1"\n')
    command.chmod(0o755)
    path = os.pathsep.join([str(command.parent), os.environ["PATH"]])
    elsewhere = [] if "api_url" in example else ["--storage-dandi-api-url", held.api]  # the example names the real one
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", *elsewhere],
        cwd=tmp_path,
        env=os.environ | {"PATH": path, "PYTHONPATH": os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert [one.read_text() for one in (tmp_path / "results").iterdir()] == [["4", PATHS[0]][number]]


def test_a_workflow_globs_and_fetches(held: Loopback, tmp_path: Path) -> None:
    (tmp_path / "Snakefile").write_text(WORKFLOW.format(site=held.site, place=PLACE))
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "1", "--directory", str(tmp_path)],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(PLUGIN), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 0, done.stderr
    assert {path.read_text() for path in (tmp_path / "out").iterdir()} == set(PATHS)
