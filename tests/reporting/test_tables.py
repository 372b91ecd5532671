"""Tables and texts of retrieval, of the screen and of the models."""

import dataclasses

import pandas as pd
import pytest

from cloome_kedro.reporting import tables
from cloome_kedro.reporting.style import Look
from synthetic_study import make_study

REAL = Look(models={"cloome": "CLOOME", "bilinear": "Bilinear"})
SIMULATED = Look("", "simulated data", REAL.models)
COMMON = {"split": "random", "direction": "image to compound", "pool": "sampled", "candidates": 100.0, "n": 256}
COMMON |= {"draws": 1, "shown_by": "field", "images": "clean", "spread": None}


def _row(method, metric, value, low=None, high=None, **more):
    return {
        **COMMON,
        "method": method,
        "metric": metric,
        "value": value,
        "low": low,
        "high": high,
        "chance": 0.01,
        **more,
    }


@pytest.fixture
def metrics():
    return pd.DataFrame(
        [
            _row("Random", "top-1", 0.01),
            _row("Bilinear", "top-1", 0.08, 0.05, 0.12),
            _row("Oracle (phenotype)", "top-1", 0.5, 0.4371, 0.5629),
            _row("CLOOME", "top-10", 0.5, 0.4371, 0.5629),
            _row("CLOOME", "top-1", 0.123, 0.091, 0.16),
            _row("CLOOME", "median rank", 7.5),
            _row("CLOOME", "top-1", 0.05, 0.02, 0.1, pool="full", candidates=256),
        ]
    )


def test_cells_read_as_percent_with_interval(metrics):
    table = tables.retrieval_table(metrics, REAL)
    assert list(table.columns)[6:] == ["top-1", "top-10", "top-1 over draws", "median rank", "n"]
    first = table.iloc[0]
    assert (first["method"], first["top-1"], first["median rank"]) == ("CLOOME", "12.3 % (9.1–16.0)", "7.5")
    assert list(table["method"]) == ["CLOOME", "Bilinear", "Random", "Oracle (phenotype)", "CLOOME"]
    assert list(table["pool"]) == ["sampled"] * 4 + ["full"]
    assert table.iloc[2][["top-1", "top-10", "median rank"]].tolist() == ["1.0 %", "–", "–"]


def test_every_size_of_pool_has_its_chance():
    """A baseline that lacks the profile of a query ranks fewer candidates; the model's rows keep theirs."""
    full = [
        _row(method, "top-1", value, pool="full", candidates=candidates)
        for candidates, method, value in (
            (256, "CLOOME", 0.05),
            (255, "Bilinear", 0.04),
            (256, "Random", 1 / 256),
            (255, "Random", 1 / 255),
        )
    ]
    table = tables.retrieval_table(pd.DataFrame(full), REAL)
    assert table[["candidates", "method"]].to_numpy().tolist() == [
        ["256", "CLOOME"], ["256", "Random"], ["255", "Bilinear"], ["255", "Random"]
    ]  # fmt: skip
    assert list(tables.retrieval_tables(pd.DataFrame(full), REAL)) == [
        "256 candidates (full pool)",
        "255 candidates (full pool)",
    ]


def test_text_is_aligned_and_says_that_data_are_simulated(metrics):
    lines = tables.format_retrieval(metrics, SIMULATED).splitlines()
    assert lines[0] == "Retrieval, with exact 95 % intervals — SIMULATED DATA"
    assert lines[2] == "random split, 100 candidates (sampled pool)"
    assert len({len(line) for line in lines[3:8]}) == 1
    assert lines[4].split("  ")[1:3] == ["image → compound", "CLOOME"]
    assert "SIMULATED" not in tables.format_retrieval(metrics, REAL, confidence=0.9)
    assert "90 %" in tables.format_retrieval(metrics, REAL, confidence=0.9)


def test_every_split_is_printed(metrics):
    both = pd.concat([metrics, metrics.assign(split="scaffold")])
    text = tables.format_retrieval(both, REAL)
    assert text.index("random split, 100") < text.index("random split, 256") < text.index("scaffold split, 100")


def test_draws_means_and_the_querys_plate_have_rows_of_their_own(metrics):
    more = [
        _row("CLOOME", "top-1", 0.131, 0.1, 0.15, draws=10, spread=0.012),
        _row("CLOOME", "top-1", 0.3, 0.2, 0.4, shown_by="mean"),
        _row("CLOOME", "top-1", 0.2, 0.1, 0.3, pool="same plate", candidates=15.25),
        _row("CLOOME", "top-1", 0.0, 0.0, 0.1, images="random_flip"),
    ]
    joined = pd.concat([metrics, pd.DataFrame(more)])
    found = tables.retrieval_tables(joined, REAL)
    assert list(found) == [
        "100 candidates (sampled pool)",
        "256 candidates (full pool)",
        "15.2 candidates on average, all of the query's plate",
    ]
    sampled = found["100 candidates (sampled pool)"].query("method == 'CLOOME'").set_index("shown by")
    assert sampled["top-1"].to_dict() == {"one field": "12.3 % (9.1–16.0)", "mean of fields": "30.0 % (20.0–40.0)"}
    assert sampled["top-1 over draws"].to_dict() == {"one field": "13.1 ± 1.2 %", "mean of fields": "–"}
    # the terminal shows what a publication would
    assert tables.format_retrieval(joined, REAL) == tables.format_retrieval(metrics, REAL)


def test_data_summary_counts():
    study = make_study()
    names = ("fields", "rejected_fields", "compounds", "merged_compounds", "pairs")
    table = tables.data_summary(*(study[name] for name in names))
    counts = dict(table.itertuples(index=False))
    assert counts["plates"] == "2"
    assert counts["fields"] == "120"
    assert counts["fields of control wells"] == "8"
    assert counts["fields rejected"] == "2"
    assert counts["compounds without their counter-ions or solvents"] == "28"
    assert counts["compounds that unite different names or mechanisms"] == "0"
    assert counts["compounds with a field"] == "56"
    assert counts["mechanisms named"] == "3"


def test_stripped_parts_are_counted_and_rare_ones_are_joined():
    compounds = pd.DataFrame({"stripped": ["Chloride|WATER", None, "Chloride", "Sodium", "Arginine|Chloride|WATER"]})
    table = tables.stripped_summary(compounds)
    expected = [["Chloride", "3"], ["WATER", "2"], ["Arginine", "1"], ["Sodium", "1"]]
    assert table.to_numpy().tolist() == expected
    assert tables.stripped_summary(compounds, 2).to_numpy().tolist() == [*expected[:2], ["2 others", "2"]]
    assert not len(tables.stripped_summary(compounds.iloc[1:2]))


def test_rejected_items_are_counted_by_reason_and_rare_reasons_are_joined():
    rejected = pd.DataFrame({"field_id": list("abcdef"), "reason": ["x", "y", "y", "z", "w", "y"]})
    table = tables.rejected_summary(rejected, "field_id", max_reasons=2)
    assert table.to_numpy().tolist() == [["3", "y", "b"], ["1", "x", "a"], ["2", "2 other reasons", "…"]]
    assert not len(tables.rejected_summary(rejected.iloc[:0], "field_id"))


def test_reasons_that_differ_in_lines_and_values_are_one():
    reasons = [f"p.csv, line {line}: well {well!r} is not a well" for line, well in [(2, "Z9"), (31, "?"), (4, "A")]]
    rejected = pd.DataFrame({"field_id": list("abcd"), "reason": [*reasons, "p.csv, line 5: site 'x' is no number"]})
    table = tables.rejected_summary(rejected, "field_id")
    assert table["number"].tolist() == ["3", "1"]
    assert table["reason"].tolist() == [reasons[0], rejected["reason"].iloc[3]]


def test_split_summary_counts_compounds_and_fields():
    study = make_study()
    table = tables.split_summary(study["examples"], study["compounds"]).set_index("fold")
    assert table.index.tolist() == ["train", "validation", "test"]
    assert table["compounds"].tolist() == ["14", "14", "28"]
    assert table["scaffolds"].tolist() == ["4", "4", "4"]
    assert table["mechanisms"].tolist() == ["1", "1", "1"]  # half of the test compounds have none
    assert table["fields"].tolist() == ["28", "28", "56"]


def test_training_summary_names_the_kept_epoch():
    history = make_study()["histories"]["cloome"]
    best = history.loc[history["best"], "validation_top1"].item()
    text = tables.training_summary(history)
    assert f"Epoch 27 (counted from 0) was kept, with {100 * best:.1f} % validation top-1" in text
    assert "30 epochs (90 steps)" in text
    assert "kept" not in tables.training_summary(history.assign(best=False))
    assert "not trained here" in tables.training_summary(history.iloc[:0])


def test_training_summary_without_validation_compounds():
    history = make_study()["histories"]["cloome"].filter(regex="^(?!validation_)")
    text = tables.training_summary(history)
    assert "Epoch 27 (counted from 0) was kept. The median speed was 800 fields per second." in text
    assert "validation" not in text


@pytest.fixture(scope="module")
def models():
    """Checkpoints and histories by label."""
    study = make_study()
    labels = {"cloome": "CLOOME", "bilinear": "Bilinear"}
    return [{label: study[kind][name] for name, label in labels.items()} for kind in ("checkpoints", "histories")]


def test_models_stand_with_what_they_see_and_how_they_were_trained(models):
    checkpoints, histories = models
    table = tables.model_table(checkpoints, histories)
    assert all(isinstance(cell, str) for cell in table.to_numpy().ravel())
    assert table["model"].tolist() == ["CLOOME", "Bilinear"]
    assert table["field"].tolist() == ["images → resnet", "profiles → identity"]
    assert table["compound"].tolist() == ["morgan → mlp", "morgan → linear"]
    assert table["objective"].tolist() == ["info_nce"] * 2
    # two features by sixteen bits, and the inverse temperature
    assert table["tensor elements"].tolist()[1] == "33"
    built = checkpoints["CLOOME"].build()
    elements = sum(tensor.numel() for tensor in built.state_dict().values())
    assert table["tensor elements"].tolist()[0] == f"{elements:,}"
    assert table["epochs"].tolist() == ["30", "20"]
    assert table["kept epoch"].tolist() == ["27", "17"]
    assert table["validation top-1"].tolist() == [
        f"{100 * history.loc[history['best'], 'validation_top1'].item():.1f} %" for history in histories.values()
    ]


def test_what_is_not_known_of_a_model_is_a_dash(models):
    checkpoints, histories = models
    config = {**checkpoints["CLOOME"].config, "objective": None, "fit": None}
    published = {"CLOOME": dataclasses.replace(checkpoints["CLOOME"], config=config)}
    for history, epochs in ((histories["CLOOME"].iloc[:0], "–"), (histories["CLOOME"].assign(best=False), "30")):
        row = tables.model_table(published, {"CLOOME": history}).iloc[0]
        assert row[["objective", "epochs", "kept epoch", "validation top-1"]].tolist() == ["–", epochs, "–", "–"]
    without = histories["CLOOME"].filter(regex="^(?!validation_)")
    row = tables.model_table(published, {"CLOOME": without}).iloc[0]
    assert row[["epochs", "kept epoch", "validation top-1"]].tolist() == ["30", "27", "–"]
