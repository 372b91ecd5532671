"""Compare all results of two data folders, to see whether a change of the code has changed the results of a study.

python benchmarks/compare_results.py BEFORE/data AFTER/data --screen virtual_screen

Tables of metrics, differences, ranks and scores of every split, variant and seed are joined on all columns that
identify a row. For each kind of table, the script prints the number of rows that are in both folders, the rows that are
in one folder only, and the largest difference of each number, by method. The exit status is 1 if a number differs by
more than ``--tolerance``.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

#: kind of table -> columns of numbers; all other columns, except hashes and numbers of samples, identify a row
NUMBERS = {
    "metrics": ["value", "low", "high", "candidates", "n", "compounds", "successes", "spread", "chance"],
    "differences": ["difference", "low", "high", "n", "compounds"],
    "ranks": ["rank", "candidates"],
    "scores": ["c", "validation_auc", "auc", "f1", "average_precision", "mcc"],
}
#: words in tables up to version 0.1 -> words in later tables
RENAMED = {"structure retrieval": "image to compound", "image retrieval": "compound to image"}


def read(data: Path, screen: str, kind: str) -> pd.DataFrame:
    """Read all tables of one kind, indexed by the columns that identify a row. Repeated rows are dropped."""
    tables = []
    for layer in ("07_model_output", "08_reporting"):
        folder = data / layer / screen
        for path in sorted(folder.glob(f"*/*/seed_*/*_{kind}.parquet")):
            split, variant, seed, _ = path.relative_to(folder).parts
            tables.append(pd.read_parquet(path).assign(split=split, variant=variant, seed=seed))
    if not tables:
        raise SystemExit(f"{data} has no {kind} of the screen {screen}")
    table = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True).replace(RENAMED)
    numbers = [name for name in NUMBERS[kind] if name in table]
    ignored = [name for name in table if name == "split_hash" or name.endswith(("actives", "inactives"))]
    keys = table.columns.drop([*numbers, *ignored]).tolist()
    return table.fillna(dict.fromkeys(keys, "")).drop_duplicates(keys).set_index(sorted(keys))[numbers].astype(float)


def compare(before: pd.DataFrame, after: pd.DataFrame) -> float:
    """Print the differences; return the largest one."""
    for name, table, other in (("before", before, after), ("after", after, before)):
        alone = table.index[~table.index.isin(other.index)]
        print(f"  {len(table) - len(alone):,} rows in both, {len(alone):,} {name} only")
        shown = [level for level in ("task", "method", "shown_by", "images") if level in alone.names]
        for row, count in alone.to_frame(index=False)[shown].value_counts().items():
            print(f"    {count:,} of {', '.join(row)}")
    after = after.loc[after.index.isin(before.index)]
    if after.empty:
        print("  no row in both")
        return float("inf") if len(before) else 0.0
    gaps = (before.loc[after.index] - after).abs()
    both_missing = before.loc[after.index].isna() & after.isna()
    gaps = gaps.mask(both_missing, 0).fillna(float("inf"))
    for method, method_gaps in gaps.groupby("method"):
        if method_gaps.to_numpy().any():
            largest = ", ".join(f"{name} {value:.3g}" for name, value in method_gaps.max().items() if value)
            print(f"  {method}: {(method_gaps > 0).any(axis=1).sum():,} rows differ, at most by {largest}")
    print(f"  largest difference: {gaps.max().max():.3g}")
    return float(gaps.max().max())


def main() -> int:
    """Compare and print; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    parser.add_argument("--screen", default="virtual_screen")
    parser.add_argument("--tolerance", type=float, default=0)
    options = parser.parse_args()
    gaps = []
    for kind in NUMBERS:
        print(kind)
        gaps.append(compare(*(read(data, options.screen, kind) for data in (options.before, options.after))))
    print(f"largest difference of all: {max(gaps):.3g}")
    return int(max(gaps) > options.tolerance)


if __name__ == "__main__":
    sys.exit(main())
