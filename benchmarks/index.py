"""Measure how the time of the index grows with the number of fields that cannot be used.

python benchmarks/index.py --fields 5000 20000 80000

All images are missing except one. The ratio is the time for reading the same LoadData table with pandas.
"""

import argparse
import tempfile
import time
from pathlib import Path

import pandas as pd

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.index import index_screen
from cloome_kedro.imaging.sources import Platemap, Source
from cloome_kedro.imaging.wells import well_name

_SITES = 6
_WELLS = [well_name(row, column) for row in range(1, 17) for column in range(1, 25)]


def write_screen(folder: Path, fields: int) -> Path:
    """Write the tables of a screen of plates with 384 wells; return its LoadData table."""
    plates, places = zip(*(divmod(i, len(_WELLS) * _SITES) for i in range(fields)), strict=True)
    table = pd.DataFrame({"Metadata_Plate": [f"P{plate}" for plate in plates]})
    table["Metadata_Well"] = [_WELLS[place // _SITES] for place in places]
    table["Metadata_Site"] = [place % _SITES + 1 for place in places]
    key = table["Metadata_Plate"] + "_" + table["Metadata_Well"] + "_" + table["Metadata_Site"].astype(str)
    for channel in CHANNELS:
        table[f"FileName_Orig{channel}"] = key + f"_{channel}.tiff"
        table[f"PathName_Orig{channel}"] = "images"
    (folder / "images").mkdir()
    (folder / "images" / table["FileName_OrigDNA"][0]).touch()
    table.to_csv(folder / "load_data.csv", index=False)
    wells = pd.DataFrame({"well_position": _WELLS, "broad_sample": "C1", "smiles": "CCO", "pert_iname": "ethanol"})
    wells.to_csv(folder / "platemap.csv", index=False)
    return folder / "load_data.csv"


def measure(fields: int) -> tuple[int, float, float]:
    """Return the number of rejected fields, and the seconds of the index and of reading the table."""
    with tempfile.TemporaryDirectory() as name:
        path = write_screen(Path(name), fields)
        start = time.perf_counter()
        _, _, rejected = index_screen(path.parent, "s", [Source("a", "load_data_csv", Platemap("platemap.csv"))])
        middle = time.perf_counter()
        pd.read_csv(path, dtype=str)
        return len(rejected), middle - start, time.perf_counter() - middle


def main() -> None:
    """Print one line per number of fields."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fields", type=int, nargs="+", default=[5000, 20000, 80000])
    for fields in parser.parse_args().fields:
        rejected, seconds, reading = measure(fields)
        print(
            f"{fields} fields, {rejected} rejected: index {seconds:.2f} s, {seconds / fields * 1e6:.0f} µs per field, "
            f"read_csv {reading:.2f} s, ratio {seconds / reading:.1f}"
        )


if __name__ == "__main__":
    main()
