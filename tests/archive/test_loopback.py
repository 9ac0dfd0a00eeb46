"""The archive of the tests answers as a real one was recorded to answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
import requests

from tests.support.loopback import Loopback
from tests.support.paths import RECORDED

DANDISET, VERSION = "000001", "0.261122.1116"
USED_BY_CLIENTS = {
    "id", "identifier", "path", "contentSize", "contentUrl", "digest", "access", "schemaKey", "schemaVersion",
    "encodingFormat", "dateModified", "blobDateModified", "variableMeasured",
}  # fmt: skip
USED_OF_VERSIONS = {"id", "name", "license", "citation", "schemaKey", "schemaVersion", "version", "identifier", "url"}


def recorded(name: str) -> Any:
    return json.loads((RECORDED / name).read_text(encoding="utf-8"))


@pytest.fixture
def held(archive: Loopback) -> Loopback:
    listed = recorded("assets_glob_metadata.json")["results"][0]
    archive.add(listed["path"], b"content", metadata={"variableMeasured": listed["metadata"]["variableMeasured"]})
    return archive


def shape(content: Any) -> Any:
    """What kind of thing stands where; None may stand for any."""
    if isinstance(content, dict):
        return {key: shape(value) for key, value in content.items() if key not in {"metadata", "instance_config"}}
    if isinstance(content, list):
        return [shape(one) for one in content[:1]]
    return type(content).__name__


def lacks(wanted: Any, found: Any, where: str = "") -> list[str]:
    """What a recorded answer has and ours has not, or has as something else."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return [line for key in wanted for line in lacks(wanted[key], found.get(key), f"{where}.{key}")]
    if isinstance(wanted, list) and isinstance(found, list):
        return lacks(wanted[0], found[0], f"{where}[]") if wanted and found else []
    return [] if wanted == found or "NoneType" in {wanted, found} else [f"{where}: {found}, not {wanted}"]


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("dandisets.json", "/dandisets/"),
        ("dandiset.json", f"/dandisets/{DANDISET}/"),
        ("versions.json", f"/dandisets/{DANDISET}/versions/"),
        ("version_info.json", f"/dandisets/{DANDISET}/versions/{VERSION}/info/"),
        ("assets.json", f"/dandisets/{DANDISET}/versions/{VERSION}/assets/"),
        ("assets_glob_metadata.json", f"/dandisets/{DANDISET}/versions/{VERSION}/assets/?glob=*maze*&metadata=true"),
        ("paths.json", f"/dandisets/{DANDISET}/versions/{VERSION}/assets/paths/"),
        ("asset_info.json", "/assets/{asset}/info/"),
    ],
)
def test_answers_have_the_shape_of_the_recorded_ones(name: str, path: str, held: Loopback) -> None:
    asset = next(iter(held.dandisets[DANDISET].versions[VERSION].assets))
    answer = requests.get(held.api + path.format(asset=asset), timeout=10)
    assert answer.status_code == 200
    assert lacks(shape(recorded(name)), shape(answer.json())) == []


def test_metadata_have_what_clients_use(held: Loopback) -> None:
    asset = next(iter(held.dandisets[DANDISET].versions[VERSION].assets))
    given = requests.get(f"{held.api}/assets/{asset}/", timeout=10).json()
    wanted = recorded("asset_metadata.json")
    assert set(wanted) & set(given) >= USED_BY_CLIENTS
    assert lacks(*(shape({key: of[key] for key in USED_BY_CLIENTS}) for of in (wanted, given))) == []
    version = requests.get(f"{held.api}/dandisets/{DANDISET}/versions/{VERSION}/", timeout=10).json()
    assert set(recorded("version.json")) & set(version) >= USED_OF_VERSIONS
    info = requests.get(f"{held.api}/info/", timeout=10).json()
    assert {"schema_version", "cli-minimal-version", "cli-bad-versions", "services"} <= set(info)


def test_contents_are_behind_a_signed_address_with_ranges(held: Loopback) -> None:
    asset = next(iter(held.dandisets[DANDISET].versions[VERSION].assets))
    answer = requests.get(f"{held.api}/assets/{asset}/download/", timeout=10, allow_redirects=False)
    headers = dict(line.split(": ", 1) for line in _lines("download_302_headers.txt"))
    assert (answer.status_code, answer.headers["Content-Length"]) == (302, headers["Content-Length"])
    for part in ("X-Amz-Expires=21600", "X-Amz-Signature="):
        assert part in headers["Location"] and part in answer.headers["Location"]
    part = requests.get(answer.headers["Location"], headers={"Range": "bytes=2-4"}, timeout=10)
    assert (part.status_code, part.content, part.headers["Content-Range"]) == (206, b"nte", "bytes 2-4/7")


def _lines(name: str) -> list[str]:
    return [line for line in (RECORDED / name).read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
