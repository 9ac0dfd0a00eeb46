"""extract: an NWB file -> session.nc and inventory.json."""

from __future__ import annotations

from pathlib import Path

from xcebra_nwb.config import Config
from xcebra_nwb.errors import Refusal
from xcebra_nwb.files import write_json
from xcebra_nwb.nwb.extract import extract_session
from xcebra_nwb.nwb.inventory import inventory
from xcebra_nwb.session import save
from xcebra_nwb.trainable import check_trainable


def extract(source: Path, directory: Path, config: Config, session: str) -> list[Path]:
    """Write the session dataset and the inventory of an NWB file into ``directory``; return the files.

    Raises:
        UsageError: no such file, or the config names what it does not hold.
        Refusal: it is no NWB 2 file, or it cannot answer: no neural data, no behaviour, too little of it.
    """
    source, directory = Path(source), Path(directory)
    dataset, report = directory / "session.nc", directory / "inventory.json"
    write_json(report, inventory(source).model_dump(mode="json"))
    try:
        extracted = extract_session(source, config, session)
        check_trainable(extracted, config)
    except Refusal as refusal:
        refusal.files = [report]  # what the file does hold belongs to the answer
        raise
    except BaseException:
        report.unlink()
        raise
    save(extracted, dataset)
    return [dataset, report]
