"""Validation metrics are what the evaluation of the same fields finds."""

import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.assays import ProbeInputs, probe
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.summary import Summary, summarise_ranks
from cloome_kedro.evaluation.validation import ProbingAuc, ValidationData, ZeroShotCompoundTop1, ZeroShotMoaTop1
from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of, draw_plans, rank_method

COMPOUNDS, FIELDS, C_GRID = 90, 4, [1e-2, 1.0, 1e2]


@pytest.fixture(scope="module")
def embeddings():
    """By field: they tell the compound with noise."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=(COMPOUNDS, 6))
    number = rng.permutation(np.repeat(np.arange(COMPOUNDS), FIELDS))
    return latent, number, unit_rows(latent[number] + 0.8 * rng.normal(size=(len(number), 6))).astype(np.float32)


@pytest.fixture(scope="module")
def data(embeddings):
    """Fields of all folds, mechanisms for two thirds of the compounds, labels that follow a feature."""
    latent, number, _ = embeddings
    rng = np.random.default_rng(1)
    keys = np.array([f"compound{i:03d}" for i in range(COMPOUNDS)])
    moa = np.array([f"mechanism {i % 10}" if i % 3 else None for i in range(COMPOUNDS)], object)
    fields = pd.DataFrame(
        {
            "field_id": [f"s/P{i % 3}/A{i % 12 + 1:02d}/{i}" for i in range(len(number))],
            "plate": [f"P{i % 3}" for i in range(len(number))],
            "well": [f"A{i % 12 + 1:02d}" for i in range(len(number))],
            "inchikey": keys[number],
            "moa": moa[number],
            "fold": np.where(number < 50, "train", np.where(number < 70, "validation", "test")),
        }
    )
    labels = pd.DataFrame(
        {"easy": latent[:, 0] > 0, "noise": rng.random(COMPOUNDS) < 0.5, "one_class": np.arange(COMPOUNDS) >= 70},
        index=keys,
    ).astype(float)
    labels.iloc[::7] = np.nan
    return ValidationData(fields, labels, C_GRID)


@pytest.mark.parametrize("kind", [ZeroShotCompoundTop1, ZeroShotMoaTop1])
def test_zero_shot_is_that_of_the_published_protocol(data, embeddings, kind):
    fields, (*_, vectors) = data.fields, embeddings
    asked = classes_of(fields[fields["fold"] == "validation"])[kind.task].reset_index(drop=True)
    method = Method(Embeddings(fields["field_id"].to_numpy(), vectors))
    ranks = rank_method(method, asked, draw_plans(asked, [Protocol(())], 10, seed=3), seed=3)[Protocol(())]
    setting = {"split": "random", "task": kind.task, "images": "clean", "method": "CLOOME"}
    metrics = summarise_ranks(ranks.assign(**setting), Summary([1]))
    expected = metrics.query("method == 'CLOOME' and metric == 'top-1' and draws == 10")["value"].item()

    metric = kind.of(data, seed=3)
    assert fields["field_id"].iloc[metric.fields].tolist() == asked["field_id"].tolist()
    of_fields = vectors[metric.fields]
    assert metric(of_fields) == pytest.approx(expected)
    assert pickle.loads(pickle.dumps(metric))(of_fields) == metric(of_fields)
    assert 0 < metric(of_fields) < 1
    assert metric(np.eye(len(of_fields), dtype=np.float32)) == 0, "all tie, which counts against the match"


def test_mechanisms_are_asked_of_fields_that_have_one(data):
    of_mechanism, of_compound = (kind.of(data, 0).fields for kind in (ZeroShotMoaTop1, ZeroShotCompoundTop1))
    validation = (data.fields["fold"] == "validation").to_numpy()
    np.testing.assert_array_equal(of_compound, np.flatnonzero(validation))
    np.testing.assert_array_equal(of_mechanism, np.flatnonzero(validation & data.fields["moa"].notna()))


def test_positions_do_not_depend_on_the_index_of_the_fields(data):
    relabelled = replace(data, fields=data.fields.set_axis(np.arange(len(data.fields))[::-1] + 7))
    for kind in (ZeroShotCompoundTop1, ZeroShotMoaTop1, ProbingAuc):
        np.testing.assert_array_equal(kind.of(relabelled, 0).fields, kind.of(data, 0).fields)


@pytest.mark.parametrize("level", ["compound", "field"])
def test_probing_chooses_as_probes_do(data, embeddings, level):
    *_, vectors = embeddings
    inputs = ProbeInputs(data.fields, data.labels, C_GRID, level)
    table = probe({"CLOOME": vectors}, inputs).table.set_index("assay")
    assert table["scored"].to_dict() == {"easy": True, "noise": True, "one_class": False}
    seen = (data.fields["fold"] != "test").to_numpy()
    metric = ProbingAuc.of(replace(data, fields=data.fields[seen], level=level), seed=0)
    of_fields = vectors[seen][metric.fields]
    assert len(of_fields) < seen.sum(), "fields of compounds without a label are not needed"
    assert metric(of_fields) == pytest.approx(table["validation_auc"].mean(), abs=1e-12)
    assert pickle.loads(pickle.dumps(metric))(of_fields) == metric(of_fields)


def test_the_identity_tells_what_is_scored_by(data):
    same, other = (kind.of(data, 0).identity for kind in (ZeroShotCompoundTop1, ZeroShotMoaTop1))
    assert same != other
    assert same == ZeroShotCompoundTop1.of(data, 0).identity
    fewer = replace(data, fields=data.fields.drop(index=data.fields.index[data.fields["fold"] == "validation"][0]))
    assert ZeroShotCompoundTop1.of(fewer, 0).identity != same

    changes = [
        {},
        {"labels": 1 - data.labels},
        {"labels": data.labels[["easy"]]},
        {"c_grid": [1.0]},
        {"level": "field"},
    ]
    identities = [ProbingAuc.of(replace(data, **change), 0).identity for change in changes]
    assert len(set(identities)) == len(changes)
    assert ProbingAuc.of(data, 1).identity == identities[0]


def test_what_cannot_be_measured_is_told(data):
    def changed(**columns):
        return replace(data, fields=data.fields.assign(**columns))

    with pytest.raises(ValueError, match="no field has a known class"):
        ZeroShotMoaTop1.of(changed(moa=None), 0)
    with pytest.raises(ValueError, match="no field has a known class"):
        ZeroShotCompoundTop1.of(changed(fold="train"), 0)
    with pytest.raises(ValueError, match="none of 80 classes has two fields"):
        ZeroShotCompoundTop1.of(changed(inchikey=data.fields["field_id"]), 0)
    with pytest.raises(ValueError, match="no compound has a label"):
        ProbingAuc.of(replace(data, labels=data.labels.iloc[:0]), 0)
    with pytest.raises(ValueError, match="none of 1 assays has actives and inactives in both"):
        ProbingAuc.of(replace(data, labels=data.labels[["one_class"]]), 0)
