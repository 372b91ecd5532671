"""Measure the index of fields that cannot be used, at growing numbers of fields, against a plain loop over rows.

python benchmarks/index.py --fields 5000 20000 80000 --repeats 5

All images are missing except one. The reference reads the LoadData table and looks up the well and the files of each
row. The limit is reading the table with pandas alone. Rates are by processor time.
"""

import argparse
import tempfile
from pathlib import Path

import pandas as pd
from measuring import alternating, row

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


def reference(path: Path) -> int:
    """Look up the well and the files of each row of the LoadData table, one by one; return the number of misses."""
    platemap = pd.read_csv(path.parent / "platemap.csv", dtype=str)
    wells = {well["well_position"]: well for _, well in platemap.iterrows()}
    rejected = 0
    for _, entry in pd.read_csv(path, dtype=str).iterrows():
        images = [Path(entry[f"PathName_Orig{name}"]) / entry[f"FileName_Orig{name}"] for name in CHANNELS]
        found = all((path.parent / image).is_file() for image in images)
        rejected += not (found and entry["Metadata_Well"] in wells)
    return rejected


def index(path: Path) -> int:
    """Index the screen; return the number of rejected fields."""
    _, _, rejected = index_screen(path.parent, "s", [Source("a", "load_data_csv", Platemap("platemap.csv"))])
    return len(rejected)


def main() -> None:
    """Print one row per number of fields."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fields", type=int, nargs="+", default=[5000, 20000, 80000])
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    for fields in options.fields:
        with tempfile.TemporaryDirectory() as name:
            path = write_screen(Path(name), fields)
            if (found := index(path)) != reference(path):
                raise SystemExit(f"the reference does not reject {found} fields")
            work = {
                "ours": lambda path=path: index(path),
                "reference": lambda path=path: reference(path),
                "limit": lambda path=path: pd.read_csv(path, dtype=str),
            }
            seconds = alternating(work, options.repeats)
        rates = [fields / seconds[name] for name in work]
        print(row(f"index of {fields:,} fields, {found:,} without images", "fields/s", *rates), flush=True)


if __name__ == "__main__":
    main()
