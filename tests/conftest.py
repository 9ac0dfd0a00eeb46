from pathlib import Path

import pytest

SHARED = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The folder of the real recordings, which are not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("the real recordings (../shared/data) are not here")
    return SHARED
