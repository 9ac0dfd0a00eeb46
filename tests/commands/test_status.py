"""What ``status`` refuses; what it says of the results of a run is tested where there is one (tests/workflow/)."""

from pathlib import Path

import pytest

from xcebra_nwb.commands.status import status
from xcebra_nwb.core.errors import UsageError


def test_another_folder_is_no_folder_of_a_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no folder of"):
        status(tmp_path)
