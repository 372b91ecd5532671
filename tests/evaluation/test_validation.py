"""Validation metrics are what the evaluation of the same fields finds."""

import pickle

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.assays import probe
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.summary import summarise_ranks
from cloome_kedro.evaluation.validation import ProbingAuc, ZeroShotTop1
from cloome_kedro.evaluation.zero_shot_protocols import Method, Protocol, draw_plans, rank_method

COMPOUNDS, FIELDS, C_GRID = 90, 4, [1e-2, 1.0, 1e2]


@pytest.fixture(scope="module")
def screen():
    """Fields with embeddings that tell the compound with noise, mechanisms for some, labels that follow a feature."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(COMPOUNDS, 6))
    number = rng.permutation(np.repeat(np.arange(COMPOUNDS), FIELDS))
    keys = np.array([f"compound{i:03d}" for i in range(COMPOUNDS)])
    fields = pd.DataFrame(
        {
            "field_id": [f"s/P{i % 3}/A{i % 12 + 1:02d}/{i}" for i in range(len(number))],
            "plate": [f"P{i % 3}" for i in range(len(number))],
            "well": [f"A{i % 12 + 1:02d}" for i in range(len(number))],
            "inchikey": keys[number],
            "fold": np.where(number < 50, "train", np.where(number < 70, "validation", "test")),
        }
    )
    embeddings = unit_rows(latent[number] + 0.8 * rng.normal(size=(len(number), 6))).astype(np.float32)
    labels = pd.DataFrame(
        {"easy": latent[:, 0] > 0, "noise": rng.random(COMPOUNDS) < 0.5, "one_class": np.arange(COMPOUNDS) >= 70},
        index=keys,
    ).astype(float)
    labels.iloc[::7] = np.nan
    return fields, embeddings, labels


def test_zero_shot_is_that_of_the_published_protocol(screen):
    fields, embeddings, _ = screen
    classes = {"compound": fields["inchikey"], "mechanism": fields["inchikey"].str[-1]}
    for label in classes.values():
        asked = fields.assign(label=label)[fields["fold"] == "validation"].reset_index(drop=True)
        vectors = embeddings[fields["fold"] == "validation"]
        plans = draw_plans(asked, [Protocol(())], 10, seed=3)
        setting = {"split": "random", "task": "zero-shot", "images": "clean"}
        ranks = rank_method("CLOOME", Method(vectors), asked, plans, setting, 3)[Protocol(())]
        metrics = summarise_ranks(ranks, [1], 0.95)
        expected = metrics.query("method == 'CLOOME' and metric == 'top-1' and draws == 10")["value"].item()
        metric = ZeroShotTop1.of(asked, seed=3)
        assert metric(vectors) == pytest.approx(expected)
        assert pickle.loads(pickle.dumps(metric))(vectors) == metric(vectors)
        assert 0 < metric(vectors) < 1
        assert metric(np.eye(len(vectors), dtype=np.float32)) == 0, "all tie, which counts against the match"


@pytest.mark.parametrize("level", ["compound", "field"])
def test_probing_chooses_as_probes_do(screen, level):
    fields, embeddings, labels = screen
    arguments = labels, C_GRID, level
    table = probe({"CLOOME": embeddings}, fields["inchikey"], fields["fold"], *arguments).table.set_index("assay")
    assert table["scored"].to_dict() == {"easy": True, "noise": True, "one_class": False}
    seen = (fields["fold"] != "test").to_numpy()
    metric = ProbingAuc.of(fields["inchikey"][seen], fields["fold"][seen], *arguments)
    assert metric(embeddings[seen]) == pytest.approx(table["validation_auc"].mean(), abs=1e-12)
    assert pickle.loads(pickle.dumps(metric))(embeddings[seen]) == metric(embeddings[seen])


def test_what_cannot_be_measured_is_told(screen):
    fields, _, labels = screen
    with pytest.raises(ValueError, match="no field is of a known class"):
        ZeroShotTop1.of(fields.iloc[:0].assign(label="a"), 0)
    with pytest.raises(ValueError, match="none of 360 classes has two fields"):
        ZeroShotTop1.of(fields.assign(label=fields["field_id"]), 0)
    seen = fields[fields["fold"] != "test"]
    with pytest.raises(ValueError, match="no compound has a label"):
        ProbingAuc.of(seen["inchikey"], seen["fold"], labels.iloc[:0], C_GRID)
    with pytest.raises(ValueError, match="none of 1 assays has actives and inactives in both"):
        ProbingAuc.of(seen["inchikey"], seen["fold"], labels[["one_class"]], C_GRID)
