"""The typed config: what is accepted, what is refused in one line, and what is generated from it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.support.paths import ROOT
from xcebra_nwb.core.config import docs
from xcebra_nwb.core.config import schema as config
from xcebra_nwb.core.config.objectives import KEYS
from xcebra_nwb.core.errors import UsageError

PLACE = {"name": "a", "outputs": [0, 1], "positive": "time_delta", "label": "place"}
TIME = {"name": "time", "outputs": [0, 8], "positive": "time"}


@pytest.mark.parametrize("path", [docs.SCHEMA, docs.ALL_KEYS, docs.README, docs.REFUSALS], ids=str)
def test_generated_files_say_what_the_models_say(path: Path) -> None:
    expected = docs.rendered(ROOT)[ROOT / path]
    assert (ROOT / path).read_text(encoding="utf-8") == expected, f"{path} has drifted: run `make docs`"


def test_the_default_yaml_is_the_default() -> None:
    assert config.validate(yaml.safe_load(docs.default_yaml())) == config.Config()


def test_the_table_names_every_key() -> None:
    named = {line.split("`")[1] for line in docs.table().splitlines()[2:]}
    assert leaves(config.Config().model_dump()) <= named
    assert {"labels.<name>.kind", "objectives[].outputs"} <= named


def leaves(section: dict[str, Any], above: str = "") -> set[str]:
    """The dotted names of all values of a nested dictionary."""
    return set().union(
        *(leaves(v, f"{above}{k}.") if isinstance(v, dict) else {f"{above}{k}"} for k, v in section.items())
    )


def test_writing_the_files_repairs_them(tmp_path: Path) -> None:
    readme = tmp_path / docs.README
    readme.parent.mkdir()
    readme.write_text(f"before\n{docs.TABLE_START}stale\n{docs.TABLE_END}after\n")
    docs.main(tmp_path)
    assert {path: path.read_text() for path in docs.rendered(tmp_path)} == docs.rendered(tmp_path)
    assert readme.read_text().startswith("before\n") and readme.read_text().endswith("after\n")
    assert "stale" not in readme.read_text()


def test_a_readme_without_marks_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / docs.README).write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        docs.rendered(tmp_path)


@pytest.mark.parametrize("path", sorted((ROOT / "config").rglob("*.yaml")), ids=lambda path: path.name)
def test_every_config_that_we_ship_is_valid(path: Path) -> None:
    loaded = config.load(path)
    jsonschema.validate(yaml.safe_load(path.read_text()), docs.schema())
    assert config.validate(yaml.safe_load(config.dump(loaded))) == loaded


def test_the_example_of_objectives_has_every_rule_and_survives_writing() -> None:
    example = config.load(ROOT / "config/examples/objectives.yaml")
    assert {objective.positive for objective in example.objectives} == set(KEYS)
    assert config.validate(yaml.safe_load(config.dump(example))) == example


def test_the_schema_refuses_unknown_keys_at_every_depth() -> None:
    schema = docs.schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["additionalProperties"] is False
    assert all(section["additionalProperties"] is False for section in schema["$defs"].values())


def test_an_empty_file_is_the_default_config(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("")
    assert config.load(tmp_path / "empty.yaml") == config.Config()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"trainin": {}}, r"unknown key trainin \(did you mean training\?\)"),
        ({"training": {"stepz": 5}}, r"unknown key training.stepz \(did you mean steps\?\)"),
        ({"training": {"regularizer": {"wieght": 1}}}, r"regularizer.wieght \(did you mean weight\?\)"),
        ({"labels": {"position": {"sorce": "/a"}}}, r"unknown key labels.position.sorce \(did you mean source\?\)"),
        ({"objectives": [{**TIME, "ofset": 2}]}, r"unknown key objectives.0.ofset \(did you mean offset\?\)"),
        ({"time": {"zzz": 1}}, r"unknown key time.zzz \(valid keys: bin_width, within, max_gap, max_still\)"),
        ({"training": {"steps": 0}}, r"training.steps: .*greater than or equal to 1, got 0"),
        ({"training": {"regularizer": {"ramp": [0.5, 1.0]}}}, "never switches on"),
        ({"training": {"regularizer": {"ramp": [0.5, 0.25]}}}, "never switches on"),
        ({"training": {"steps": 5, "regularizer": {"ramp": [0.8, 0.9]}}}, "never switches on within 5 steps"),
        ({"attribution": {"methods": ["neuron_gradient"] * 2}}, "every method once"),
        (
            {"attribution": {"methods": ["neuron_gradient", "kernel_shap"], "time_resolved": True}},
            "kernel_shap is not computed at every bin",
        ),
        ({"training": {"denominator": "negatives"}}, "set encoder.clip"),
        ({"objectives": [TIME, TIME]}, "every name must be used once"),
        ({"encoder": {"outputs": 8}, "objectives": [{**TIME, "outputs": [0, 9]}]}, r"exceed encoder.outputs \(8\)"),
        ({"objectives": [{**TIME, "outputs": [3, 3]}]}, "empty or negative"),
        ({"objectives": [{**TIME, "label": "speed"}]}, "`label` means nothing to time positives, which read `offset`"),
        ({"objectives": [{**PLACE, "offset": 2}]}, "`offset` means nothing to time_delta positives"),
        ({"objectives": [{**PLACE, "scale": 2}]}, "read `label`, `delta`"),
        ({"objectives": [{**PLACE, "label": None}]}, "objective a: time_delta positives need `label`"),
        ({"objectives": [{**PLACE, "positive": "delta_vmf"}]}, "delta_vmf positives need `kappa`"),
        ({"objectives": [{**PLACE, "positive": "mixed"}]}, "mixed positives need `within`"),
        ({"objectives": [{**PLACE, "positive": "mixed", "within": "side", "step": "delta_vmf"}]}, "need `kappa`"),
        ({"objectives": [{**PLACE, "positive": "mixed", "within": "place"}]}, "are the same label"),
        ({"objectives": [{**PLACE, "weight": 0}]}, "greater than 0"),
        ({"objectives": [{**PLACE, "weight": float("inf")}]}, "finite"),
        (
            {
                "labels": {"speed": {"source": "/a"}},
                "objectives": [{"name": "a", "outputs": [0, 1], "positive": "time_delta", "label": "place"}],
            },
            "no label place among",
        ),
        ({"labels": {"2d": {"source": "/a"}}}, "labels"),
    ],
)
def test_a_wrong_config_is_refused_in_one_line(content: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as raised:
        config.validate(content)
    assert "\n" not in str(raised.value)


def test_a_ramp_that_switches_on_at_the_last_step_and_one_without_weight_are_fine() -> None:
    config.validate({"training": {"steps": 5, "regularizer": {"ramp": [0.79, 0.9]}}})
    config.validate({"training": {"steps": 5, "regularizer": {"ramp": [0.8, 0.9], "weight": 0}}})


def test_negatives_with_a_bound_or_with_cosine_are_fine() -> None:
    config.validate({"training": {"denominator": "negatives"}, "encoder": {"clip": 5}})
    config.validate({"training": {"denominator": "negatives", "similarity": "cosine"}})


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "not YAML"), ("- 1", "no keys at its top level"), ("\x00", "not YAML")]
)
def test_a_file_that_is_no_config_is_refused(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "wrong.yaml").write_text(text)
    with pytest.raises(UsageError, match=message) as raised:
        config.load(tmp_path / "wrong.yaml")
    assert "wrong.yaml" in str(raised.value) and "\n" not in str(raised.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such config file"):
        config.load(tmp_path / "missing.yaml")


def test_a_compiled_step_computes_in_float32() -> None:
    with pytest.raises(UsageError, match="a compiled step computes all products alike"):
        config.validate({"training": {"compile": True, "precision": "tf32"}})
