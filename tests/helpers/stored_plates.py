"""A plate store with given fields, and the columns that say where each is."""

from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro.imaging.store import PlateStore

STORAGE = {
    "channels": ["Mito", "ER", "RNA", "AGP", "DNA"],
    "intensity": {"outlier_percent": 0.3, "scale": 256},
    "scope": "plate",
    "crop": None,
    "size": [12, 14],
}


def write_plates(folder: Path, plates: dict[str, np.ndarray], digest="made from", storage=STORAGE) -> PlateStore:
    """Store fields (n, channels, H, W) by plate."""
    folder.mkdir(parents=True, exist_ok=True)
    store = PlateStore(folder)
    for plate, fields in plates.items():
        with store.writer(plate, digest, storage) as writer:
            rows = [writer.append(field) for field in fields]
            writer.commit(pd.DataFrame({"field_id": [f"{plate}/{row}" for row in rows], "row": rows, "reason": None}))
    return store


def places(plates: dict[str, np.ndarray]) -> dict[str, list]:
    """Columns ``plate_file`` and ``row`` of all fields."""
    of_fields = [(plate, row) for plate, fields in plates.items() for row in range(len(fields))]
    return {"plate_file": [plate for plate, _ in of_fields], "row": [row for _, row in of_fields]}
