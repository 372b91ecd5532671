"""The pipeline on tables of several seeds, through the catalog's datasets."""

import re

import numpy as np
import pandas as pd
import pytest
from kedro.io import DatasetError
from kedro.validation.type_extractor import TypeExtractor

from cloome_kedro import schemas
from cloome_kedro.datasets.files import TableFiles
from cloome_kedro.datasets.tables import CsvTable, Text
from cloome_kedro.parameters import StudyParameters
from cloome_kedro.pipelines.seeds import create_pipeline
from cloome_kedro.words import DIRECTIONS
from planted_examples import run_pipeline

STUDY = StudyParameters(screen="s", simulated=True, models={"cloome": "CLOOME", "bilinear": "Bilinear"})
#: rows that differ in these columns
SETTINGS = [
    *(
        {"task": "retrieval", "direction": direction, "pool": pool, "method": method, "metric": "top-1"}
        for direction in DIRECTIONS
        for pool in ("full", "sampled")
        for method in ("Bilinear", "CLOOME", "Random")
    ),
    *(
        {"task": "zero-shot MoA", "pool": "full", "method": method, "excluded": excluded, "metric": "top-1"}
        for method in ("Untrained", "CLOOME")
        for excluded in ("none", "plate")
    ),
    {"task": "probing", "method": "CLOOME", "metric": "mean AUC", "shown_by": "mean"},
    # As the pipeline corruption finds it: not shown.
    {"task": "probing", "method": "CLOOME", "metric": "mean AUC", "shown_by": "mean", "images": "random_flip"},
]


def value(seed, method="CLOOME"):
    return 0.5 + 0.01 * seed**2 - 0.25 * (method != "CLOOME")


def write(folder, seeds, variant="default", split_hash="h", splits=("random", "scaffold")):
    """Write the table ``metrics`` of every split and seed."""
    for split in splits:
        for seed in seeds:
            rows = [
                {"split": split, "images": "clean", "shown_by": "field", "draws": draws, "interval": "none"}
                | {"direction": None, "pool": None, "excluded": None, "n": 9, "compounds": 9}
                | {"value": value(seed, row["method"]) + (draws == 1), "chance": 0.01, "split_hash": split_hash}
                | row
                for row in SETTINGS
                for draws in ([10] if row["task"] == "probing" else [1, 10])
            ]
            table = pd.DataFrame(rows).assign(low=np.nan, high=np.nan, successes=None, spread=None, candidates=30.0)
            path = folder / split / variant / f"seed_{seed}" / "metrics.parquet"
            path.parent.mkdir(parents=True, exist_ok=True)
            schemas.metrics.validate(table).to_parquet(path)


def run(folder):
    pattern = "*/default/seed_*/metrics.parquet"
    datasets = {
        "metrics_of_seeds": TableFiles(filepath=str(folder), pattern=pattern, missing="run a study"),
        "seeds_metrics": CsvTable(filepath=str(folder / "seeds.csv"), save_args={"index": False}),
        "seeds_summary": Text(filepath=str(folder / "seeds.txt")),
    }
    found = run_pipeline(create_pipeline(), {"params:study": STUDY}, **datasets)
    return schemas.seeds_metrics.validate(found["seeds_metrics"]), found["seeds_summary"]


def test_all_seeds_of_the_variant_are_gathered(tmp_path):
    write(tmp_path, [0, 1, 2])
    write(tmp_path, [0, 5], variant="other", split_hash="of another screen")
    # Other tables of a seed lie beside, and what a killed run has left.
    for name in ("retrieval_metrics.parquet", ".metrics.parquet"):
        (tmp_path / "random" / "default" / "seed_1" / name).write_bytes(b"half")
    table, text = run(tmp_path)
    assert set(table["seeds"]) == {"0, 1, 2"}
    assert set(table["task"]) == {"retrieval", "zero-shot MoA", "probing"}
    assert "Random" not in set(table["method"])
    assert len(table) == 2 * (2 * 2 * 2 * 2 + 2 * 2 * 2 + 2)
    untrained = table.query("split == 'scaffold' and task == 'zero-shot MoA' and method == 'Untrained'")
    row = untrained.query("excluded == 'none' and draws == 10")
    of_seeds = [value(seed, "Untrained") for seed in range(3)]
    assert row["value"].item() == pytest.approx(np.mean(of_seeds))
    assert row["spread"].item() == pytest.approx(np.std(of_seeds, ddof=1))

    lines = [re.sub(" +", " ", line).strip() for line in text.splitlines()]
    shown = [line for line in lines if "CLOOME" in line or "Bilinear" in line or "Untrained" in line]
    assert len(shown) == 2 * (2 * 2 + 2 + 1)  # of ranks the sampled or full pool, nothing excluded, all draws
    assert "zero-shot MoA CLOOME top-1, % 51.7 ± 2.1 (50.0 to 54.0) 1.0 0, 1, 2" in lines
    assert "probing CLOOME mean AUC 0.517 ± 0.021 (0.500 to 0.540) 0.010 0, 1, 2" in lines
    assert text.count("split\n") == 2


def test_models_come_in_the_order_of_the_study(tmp_path):
    write(tmp_path, [0])
    lines = [line for line in run(tmp_path)[1].splitlines() if "retrieval" in line]
    assert re.findall("CLOOME|Bilinear", " ".join(lines)) == ["CLOOME", "Bilinear"] * 4


def test_a_single_seed(tmp_path):
    write(tmp_path, [3])
    table, text = run(tmp_path)
    assert table["spread"].isna().all()
    assert "±" not in "\n".join(text.splitlines()[1:])


def test_a_study_without_results_is_left_out(tmp_path):
    """Nothing was evaluated there, so its table is empty."""
    write(tmp_path, [0])
    path = tmp_path / "random" / "default" / "seed_1" / "metrics.parquet"
    path.parent.mkdir()
    schemas.empty(schemas.metrics).to_parquet(path)
    assert set(run(tmp_path)[0]["seeds"]) == {"0"}


def test_no_tables_other_tables_and_other_folds_are_named(tmp_path):
    with pytest.raises(DatasetError, match=r"has no table that matches .*/metrics.parquet: run a study"):
        run(tmp_path)
    write(tmp_path, [0])
    other = tmp_path / "random" / "default" / "seed_1" / "metrics.parquet"
    other.parent.mkdir()
    pd.DataFrame({"a": [1]}).to_parquet(other)
    message = (
        r"random/default/seed_1/metrics.parquet is not a table of metrics of this version: it lacks columns, or has"
        r" unknown ones \(a, candidates"
    )
    with pytest.raises(ValueError, match=message):
        run(tmp_path)
    other.write_bytes(b"half")
    with pytest.raises(DatasetError, match=r"seed_1/metrics.parquet cannot be read"):
        run(tmp_path)
    other.unlink()
    write(tmp_path, [1], split_hash="other")
    with pytest.raises(ValueError, match="seed 0: h, seed 1: other"):
        run(tmp_path)


def test_the_winner_of_a_search_is_a_split_of_its_own(tmp_path):
    """Its tables lie in `<split>_tuned`; seeds of the default configuration are not mixed with it."""
    write(tmp_path, [0, 1])
    write(tmp_path, [1], splits=["random_tuned"])
    table, text = run(tmp_path)
    seeds = table.groupby("split")["seeds"].unique().map(list)
    assert seeds.to_dict() == {"random": ["0, 1"], "scaffold": ["0, 1"], "random_tuned": ["1"]}
    assert "random_tuned split\n" in text


def test_parameters_are_typed_for_kedro():
    assert TypeExtractor({"seeds": create_pipeline()}).extract_types_from_pipelines() == {"study": StudyParameters}
