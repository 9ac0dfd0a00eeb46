from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.loopback import Loopback
from tests.support.paths import SHARED


@pytest.fixture(autouse=True, scope="session")
def _own_state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A key of the cache that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture
def shared_data() -> Path:
    """The folder of the real recordings, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real recordings (../shared/data) are not here")
    return SHARED


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Loopback]:
    """An archive on this machine, an empty cache, no keys of the user, and pauses that take no time."""
    monkeypatch.setenv("XCEBRA_NWB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("DANDI_API_KEY", raising=False)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with Loopback() as archive:
        yield archive
