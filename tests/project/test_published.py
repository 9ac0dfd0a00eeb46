"""What other sites read of the project: the citation, the conda recipe, the catalogue of workflows, the badges."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
import yaml
from check_jsonschema.builtin_schemas import get_builtin_schema
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from rattler import MatchSpec

from tests.project.test_dependencies import CONDA_NAMES, PIP_ONLY, asked, bounds, project, requirements
from tests.support.paths import ROOT
from xcebra_nwb.report.methods import XCEBRA

CONTEXT = re.compile(r"\$\{\{ (\w+) \}\}")
BADGE = re.compile(r"\[!\[([^\]]*)\]\((https://img\.shields\.io/badge/([^)]*))\)\]\(([^)]*)\)")


def read(name: str) -> Any:
    # as texts, as the readers of these files do: YAML 1.1 makes a number of the version 3.10
    return yaml.load((ROOT / name).read_text(encoding="utf-8"), yaml.BaseLoader)


# The citation
# ------------


def citation() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    return content


def test_the_citation_keeps_the_schema() -> None:
    jsonschema.Draft7Validator(get_builtin_schema("vendor.citation-file-format")).validate(citation())


def test_the_citation_is_of_this_version() -> None:
    about, cited = project()["project"], citation()
    assert (cited["title"], cited["version"], cited["license"]) == (about["name"], about["version"], about["license"])
    assert (cited["abstract"], cited["keywords"]) == (about["description"], about["keywords"])
    assert cited["authors"] == about["authors"]


def test_the_paper_is_cited_as_the_methods_cite_it() -> None:
    """``xcebra-nwb methods`` prints the same reference."""
    (paper,) = citation()["references"]
    names = [f"{a['family-names']} {''.join(name[0] for name in a['given-names'].split())}" for a in paper["authors"]]
    where = f"{paper['conference']['name']}, {paper['journal']} {paper['volume']}:{paper['start']}–{paper['end']}"
    (arxiv,) = [each["value"] for each in paper["identifiers"]]
    assert f"{', '.join(names)} ({paper['year']}). {paper['title']}. {where}. {arxiv}" == XCEBRA


# The conda recipe
# ----------------


def recipe() -> dict[str, Any]:
    content = read("recipe/recipe.yaml")
    return json.loads(CONTEXT.sub(lambda name: content["context"].get(name[1], name[0]), json.dumps(content)))


def of_conda(lines: list[str]) -> dict[str, set[str]]:
    """Bounds of the requirements by the name that they have on conda channels."""
    named = requirements(lines)
    return {CONDA_NAMES.get(n, n): bounds(str(one.specifier)) for n, one in named.items() if n not in PIP_ONLY}


def of_recipe(part: str) -> dict[str, set[str]]:
    specs = [MatchSpec(line) for line in recipe()["requirements"][part]]
    return {str(spec.name.normalized): bounds(str(spec.version)) for spec in specs}


def test_the_recipe_needs_what_pyproject_needs() -> None:
    python = {"python": bounds(project()["project"]["requires-python"])}
    plain = of_conda(asked())
    assert of_recipe("run") == plain | python
    assert of_recipe("run_constraints") == {n: b for n, b in of_conda(asked("all")).items() if n not in plain}
    build = of_conda(project()["build-system"]["requires"])
    assert {name: found for name, found in of_recipe("host").items() if name in build} == build


def test_the_recipe_is_of_this_package() -> None:
    about, made = project()["project"], recipe()
    assert made["package"] == {"name": about["name"], "version": about["version"]}
    assert made["build"]["python"]["entry_points"] == [f"{name} = {at}" for name, at in about["scripts"].items()]
    assert made["about"]["license"] == about["license"]
    assert set(made) <= {*("schema_version", "context", "package", "source", "build", "requirements", "tests", "about")}
    assert canonicalize_name(Requirement(made["package"]["name"]).name) == made["package"]["name"]


def test_rattler_build_accepts_the_recipe() -> None:
    """The parser is 83 MB, so that it is in no lock: pip install py-rattler-build."""
    rattler_build = pytest.importorskip("rattler_build", reason="py-rattler-build is not installed")
    text = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")
    rendered = rattler_build.Stage0Recipe.from_yaml(text).render(
        rattler_build.VariantConfig(), rattler_build.RenderConfig()
    )
    assert [str(one.recipe.package.name) for one in rendered] == ["xcebra-nwb"]


# The catalogue of Snakemake workflows: the rules of its page "Adding workflows" and of its script generate-catalog.py
# --------------------------------------------------------------------------------------------------------------------


def test_the_catalogue_finds_the_workflow() -> None:
    words = (ROOT / "README.md").read_text(encoding="utf-8").lower()
    assert "snakemake" in words and "workflow" in words
    assert (ROOT / "workflow" / "Snakefile").is_file()
    assert list((ROOT / "workflow" / "rules").iterdir()) == list((ROOT / "workflow" / "rules").glob("*.smk"))


def test_the_catalogue_shows_the_usage() -> None:
    usage = yaml.safe_load((ROOT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert set(usage) == {"mandatory-flags", "software-stack-deployment", "report"}
    assert set(usage["mandatory-flags"]) == {"desc", "flags"}
    assert usage["report"] is True
    # No rule names a conda environment, and the image of `container:` is one that the user makes.
    assert set(usage["software-stack-deployment"].values()) == {False}
    page = (ROOT / "config" / "README.md").read_text(encoding="utf-8")
    assert page.startswith("# ") and page.count("```") % 2 == 0  # its headings are moved outside of code only


def test_the_catalogue_can_read_the_schema() -> None:
    """It makes a table of the properties of the first level and of those inside them."""
    schema = json.loads((ROOT / "workflow" / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
    assert schema["type"] == "object"
    assert [
        name for name, told in schema["properties"].items() if "description" not in told and "$ref" not in told
    ] == []


# Badges
# ------


def test_badges_name_no_address_of_the_project_and_say_what_pyproject_says() -> None:
    about = project()["project"]
    badges = {
        alt: (unquote(words), target) for alt, _, words, target in BADGE.findall((ROOT / "README.md").read_text())
    }
    assert badges["licence"][0].startswith(f"licence-{about['license'].replace('-', '--')}-")
    pythons = [line.rpartition(" ")[2] for line in about["classifiers"] if re.search(r":: 3\.\d+$", line)]
    assert badges["Python"][0].startswith(f"Python-{' | '.join(pythons)}-")
    snakemake = next(Requirement(line) for line in about["dependencies"] if line.startswith("snakemake"))
    assert str(min(s.version for s in snakemake.specifier if s.operator == ">=")) in badges["Snakemake"][0]
    assert badges["paper"][1] == about["urls"]["Paper"]
