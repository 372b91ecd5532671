"""The comparison of two data folders tells what differs, and nothing else."""

import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "compare_results.py"
RUN = "random/laptop/seed_0"
SETTING = {"split": "random", "task": "retrieval", "images": "clean", "pool": "full", "shown_by": "field"}


def tables(direction="image to compound"):
    """One small table of each kind, by path below a data folder; some values are missing in both folders."""
    setting = {**SETTING, "direction": direction, "excluded": None}
    both = pd.DataFrame({**setting, "method": ["CLOOME", "Profiles"]})
    ranks = both.assign(draw=0, candidates=30, query="s/P1/A01/0", match="AAA", compound="AAA", rank=[1, 7])
    metrics = both.assign(metric="top-1", draws=1, value=[0.5, 0.25], low=[0.4, None], n=6, split_hash="before")
    differences = both[:1].assign(against="method Profiles", metric="top-1", difference=0.25, low=0.1, high=0.3, n=6)
    scores = pd.DataFrame(
        {"split": "random", "method": "CLOOME", "images": "clean", "shown_by": "mean", "assay": ["a", "b"]}
        | {"scored": [True, False], "reason": [None, "test: no actives"], "auc": [0.8, None], "test_actives": [3, 0]}
    )
    return {
        "07_model_output": {"retrieval_ranks": ranks, "probing_scores": scores},
        "08_reporting": {"retrieval_metrics": metrics, "retrieval_differences": differences},
    }


def write(data: Path, changed=None, run=RUN, **options) -> Path:
    """Write the tables; ``changed`` gives other ones by name."""
    for layer, named in tables(**options).items():
        folder = data / layer / "virtual_screen" / run
        folder.mkdir(parents=True)
        for name, table in named.items():
            table = (changed or {}).get(name, lambda unchanged: unchanged)(table)
            table.to_parquet(folder / f"{name}.parquet")
    return data


@pytest.fixture
def compare(tmp_path, monkeypatch, capsys):
    """Run the script on a folder and one with other tables: exit status and what it prints."""

    def run(*arguments, before=None, **after):
        folders = write(tmp_path / "before", **(before or {})), write(tmp_path / "after", **after)
        monkeypatch.setattr(sys, "argv", [str(SCRIPT), *map(str, folders), *arguments])
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(SCRIPT), run_name="__main__")
        return ended.value.code, capsys.readouterr().out

    return run


def test_equal_results(compare):
    status, out = compare()
    assert status == 0
    assert out.endswith("largest difference of all: 0\n")
    assert out.count("rows in both, 0 before only") == out.count("rows in both, 0 after only") == 4
    assert out.count("  largest difference: 0\n") == 4
    assert [line for line in out.splitlines() if not line.startswith(" ")][:4] == [
        *("metrics", "differences", "ranks", "scores")
    ]
    assert "rows differ" not in out


def test_the_order_of_rows_and_the_hash_of_the_folds_do_not_count(compare):
    status, out = compare(
        changed={
            "retrieval_ranks": lambda table: table[::-1],
            "retrieval_metrics": lambda table: table[::-1].assign(split_hash="after"),
            "probing_scores": lambda table: table.assign(test_actives=[9, 9]),
        }
    )
    assert (status, out.splitlines()[-1]) == (0, "largest difference of all: 0")


def test_a_changed_value_is_told_by_method(compare):
    changed = {
        "retrieval_metrics": lambda table: table.assign(value=[0.5, 0.375]),
        "retrieval_ranks": lambda table: table.assign(rank=[3, 7]),
    }
    status, out = compare(changed=changed)
    assert status == 1
    assert "  Profiles: 1 rows differ, at most by value 0.125\n" in out
    assert "  CLOOME: 1 rows differ, at most by rank 2\n" in out
    assert out.endswith("largest difference of all: 2\n")
    assert out.count("rows differ") == 2


@pytest.mark.parametrize(("tolerance", "expected"), [("0.124", 1), ("0.125", 0)])
def test_the_exit_status_is_about_the_tolerance(compare, tolerance, expected):
    changed = {"retrieval_metrics": lambda table: table.assign(value=[0.5, 0.375])}
    status, out = compare("--tolerance", tolerance, changed=changed)
    assert status == expected
    assert out.endswith("largest difference of all: 0.125\n")


def test_a_value_that_one_folder_lacks_differs_without_bound(compare):
    status, out = compare(changed={"retrieval_metrics": lambda table: table.assign(low=[None, None])})
    assert status == 1
    assert "  CLOOME: 1 rows differ, at most by low inf\n" in out
    assert out.endswith("largest difference of all: inf\n")


def test_a_missing_row_is_told_and_the_others_are_compared(compare):
    missing = {"retrieval_ranks": lambda table: table[:1]}
    status, out = compare(changed=missing)
    assert status == 0
    assert "  1 rows in both, 1 before only\n    1 of retrieval, Profiles, field, clean\n" in out
    assert "  1 rows in both, 0 after only\n" in out


def test_an_additional_row_is_told(compare):
    status, out = compare(before={"changed": {"probing_scores": lambda table: table[:1]}})
    assert status == 0
    assert "  1 rows in both, 0 before only\n  1 rows in both, 1 after only\n    1 of CLOOME, mean, clean\n" in out


@pytest.mark.parametrize(
    ("old", "new"), [("structure retrieval", "image to compound"), ("image retrieval", "compound to image")]
)
def test_old_words_of_directions_are_the_new_ones(compare, old, new):
    status, out = compare(before={"direction": old}, direction=new)
    assert (status, out.splitlines()[-1]) == (0, "largest difference of all: 0")
    assert out.count("2 rows in both, 0 before only") == 3  # metrics, ranks and scores
    assert "  1 rows in both, 0 before only" in out  # differences


def test_directions_are_told_apart(compare):
    _, out = compare(before={"direction": "structure retrieval"}, direction="compound to image")
    assert "  0 rows in both, 2 before only\n    1 of retrieval, CLOOME, field, clean\n" in out


def test_runs_are_told_apart_by_split_variant_and_seed(compare):
    _, out = compare(run="random/laptop/seed_1")
    assert out.count("  0 rows in both, 2 before only") == 3


def test_a_screen_without_results_is_named(tmp_path, monkeypatch):
    write(tmp_path / "before")
    monkeypatch.setattr(
        sys, "argv", [str(SCRIPT), str(tmp_path / "before"), str(tmp_path), "--screen", "virtual_screen"]
    )
    with pytest.raises(SystemExit, match=f"{tmp_path} has no metrics of the screen virtual_screen"):
        runpy.run_path(str(SCRIPT), run_name="__main__")


def test_tables_without_rows_are_compared_too(compare):
    """As a screen without assay labels leaves them."""
    empty = {"probing_scores": lambda table: table.iloc[:0]}
    status, out = compare(before={"changed": empty}, changed=empty)
    assert status == 0
    assert "no row in both" in out


def test_folders_that_share_no_row_differ(compare):
    other = {"probing_scores": lambda table: table.assign(assay=["c", "d"])}
    status, out = compare(changed=other)
    assert status == 1
    assert "no row in both" in out
