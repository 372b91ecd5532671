"""The pipeline on tables of several seeds, through the catalog's datasets."""

import re

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, DatasetError
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.datasets.files import TableFiles
from cloome_kedro.datasets.tables import CsvTable, Text
from cloome_kedro.pipelines.seeds import create_pipeline

SETTINGS = {  # table -> rows that differ in these columns
    "retrieval_metrics": [
        {
            "task": "retrieval",
            "direction": direction,
            "pool": pool,
            "method": method,
            "excluded": None,
            "metric": "top-1",
        }
        for direction in ("structure retrieval", "image retrieval")
        for pool in ("full", "sampled")
        for method in ("CLOOME", "Bilinear", "Random")
    ],
    "zero_shot_metrics": [
        {"task": "zero-shot MoA", "pool": "full", "method": method, "excluded": excluded, "metric": "top-1"}
        for method in ("Untrained", "CLOOME")
        for excluded in ("none", "plate")
    ],
    "probing_metrics": [{"task": "probing", "method": "CLOOME", "metric": "mean AUC", "shown_by": "mean", "draws": 1}],
}


def value(seed, method="CLOOME"):
    return 0.5 + 0.01 * seed**2 - 0.25 * (method != "CLOOME")


def write(folder, seeds, variant="default", split_hash="h", splits=("random", "scaffold")):
    for split in splits:
        for seed in seeds:
            for name, settings in SETTINGS.items():
                rows = [
                    {"split": split, "images": "clean", "shown_by": "field", "draws": draws, "interval": "none"}
                    | {"direction": None, "pool": None, "excluded": None, "n": 9, "compounds": 9}
                    | {"value": value(seed, row["method"]) + (draws == 1), "chance": 0.01, "split_hash": split_hash}
                    | row
                    for row in settings
                    for draws in ([10] if name == "probing_metrics" else [1, 10])
                ]
                table = pd.DataFrame(rows).assign(low=np.nan, high=np.nan, successes=None, spread=None, candidates=30.0)
                path = folder / split / variant / f"seed_{seed}" / f"{name}.parquet"
                path.parent.mkdir(parents=True, exist_ok=True)
                schemas.metrics.validate(table).to_parquet(path)


def run(folder):
    catalog = DataCatalog(
        {
            "metrics_of_seeds": TableFiles(
                filepath=str(folder), pattern="*/default/seed_*/*_metrics.parquet", missing="run a study"
            ),
            "seeds_metrics": CsvTable(filepath=str(folder / "seeds.csv"), save_args={"index": False}),
            "seeds_summary": Text(filepath=str(folder / "seeds.txt")),
        }
    )
    SequentialRunner().run(create_pipeline(), catalog)
    return schemas.seeds_metrics.validate(catalog["seeds_metrics"].load()), catalog["seeds_summary"].load()


def test_all_seeds_of_the_variant_are_gathered(tmp_path):
    write(tmp_path, [0, 1, 2])
    write(tmp_path, [0, 5], variant="other", split_hash="of another screen")
    (tmp_path / "random" / "default" / "seed_1" / ".half.part_metrics.parquet").write_bytes(b"half")
    table, text = run(tmp_path)
    assert set(table["seeds"]) == {"0, 1, 2"}
    assert set(table["table"]) == set(SETTINGS)
    assert "Random" not in set(table["method"])
    row = table.query("split == 'scaffold' and table == 'zero_shot_metrics' and method == 'Untrained' and draws == 10")
    assert row["value"].to_numpy() == pytest.approx(np.mean([value(seed, "Untrained") for seed in range(3)]))

    lines = [re.sub(" +", " ", line).strip() for line in text.splitlines()]
    shown = [line for line in lines if "CLOOME" in line or "Bilinear" in line or "Untrained" in line]
    assert len(shown) == 2 * (2 * 2 + 2 + 1)  # of ranks the sampled or full pool, nothing excluded, all draws
    assert "zero-shot MoA CLOOME top-1, % 51.7 ± 2.1 (50.0 to 54.0) 1.0 0, 1, 2" in lines
    assert "probing CLOOME mean AUC 0.517 ± 0.021 (0.500 to 0.540) 0.010 0, 1, 2" in lines
    assert text.count("split\n") == 2


def test_a_single_seed(tmp_path):
    write(tmp_path, [3])
    table, text = run(tmp_path)
    assert table["spread"].isna().all()
    assert "±" not in "\n".join(text.splitlines()[1:])


def test_no_tables_other_tables_and_other_folds_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"has no table .*_metrics.parquet: run a study"):
        run(tmp_path)
    write(tmp_path, [0])
    other = tmp_path / "random" / "default" / "seed_0" / "other_metrics.parquet"
    pd.DataFrame({"a": [1]}).to_parquet(other)
    with pytest.raises(
        ValueError, match=r"random/default/seed_0/other_metrics.parquet is no table of metrics .*columns a, candidates"
    ):
        run(tmp_path)
    other.write_bytes(b"half")
    with pytest.raises(DatasetError, match=r"other_metrics.parquet cannot be read"):
        run(tmp_path)
    other.unlink()
    write(tmp_path, [1], split_hash="other")
    with pytest.raises(ValueError, match="seed 0 of h, seed 1 of other"):
        run(tmp_path)


def test_the_winner_of_a_search_is_a_split_of_its_own(tmp_path):
    """Its tables lie in `<split>.tuned`; seeds of the default configuration are not mixed with it."""
    write(tmp_path, [0, 1])
    write(tmp_path, [1], splits=["random.tuned"])
    table, text = run(tmp_path)
    seeds = table.groupby("split")["seeds"].unique().map(list)
    assert seeds.to_dict() == {"random": ["0, 1"], "scaffold": ["0, 1"], "random.tuned": ["1"]}
    assert "random.tuned split\n" in text
