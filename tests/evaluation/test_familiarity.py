"""How near queries are to training examples, and which are unlike anything seen."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics.pairwise import cosine_similarity

from cloome_kedro.evaluation.familiarity import (
    familiarity_of_methods,
    familiarity_of_structures,
    familiarity_row,
    nearest_similarity,
    nearest_tanimoto,
    unlike_anything,
)
from cloome_kedro.evaluation.features import unit_rows
from invented_answers import invented_screen

GENERATOR = np.random.default_rng(0)


def folds_of(examples):
    return {fold: examples[examples["fold"] == fold] for fold in ("train", "validation", "test")}


def test_the_nearest_is_that_of_scikit_learn():
    queries, references = GENERATOR.normal(size=(1500, 4)), GENERATOR.normal(size=(40, 4))
    found = nearest_similarity(unit_rows(queries), unit_rows(references))
    np.testing.assert_allclose(found, cosine_similarity(queries, references).max(axis=1))


def test_references_of_the_same_group_do_not_count():
    queries, references = unit_rows(GENERATOR.normal(size=(30, 4))), unit_rows(GENERATOR.normal(size=(40, 4)))
    of_queries, of_references = np.arange(30) % 3, np.arange(40) % 3
    found = nearest_similarity(queries, references, of_queries, of_references)
    for i in range(30):
        assert found[i] == pytest.approx((references[of_references != of_queries[i]] @ queries[i]).max())
    assert np.isnan(nearest_similarity(queries, references, ["P"] * 30, ["P"] * 40)).all()
    assert np.isnan(nearest_similarity(queries, references[:0])).all()


def test_tanimoto_is_that_of_rdkit():
    from rdkit import DataStructs

    queries, references = GENERATOR.integers(0, 2, (20, 64)), GENERATOR.integers(0, 2, (30, 64))

    def vector(bits):
        return DataStructs.CreateFromBitString("".join(map(str, bits)))

    expected = [
        max(DataStructs.BulkTanimotoSimilarity(vector(bits), [vector(other) for other in references]))
        for bits in queries
    ]
    np.testing.assert_allclose(nearest_tanimoto(queries, references), expected, rtol=1e-6)
    assert nearest_tanimoto(np.zeros((1, 8), int), np.zeros((2, 8), int)).tolist() == [1.0]


def test_a_row_has_quantiles_and_the_share_of_unlike_queries():
    row = familiarity_row(np.arange(101) / 100, np.array([0.0, 0.005, 0.5, np.nan]), references=7)
    assert row["q01"] == pytest.approx(0.01)
    assert row["q50"] == pytest.approx(0.5)
    assert row["unlike"] == pytest.approx(2 / 3)
    assert (row["calibration"], row["queries"], row["references"]) == (101, 3, 7)
    empty = familiarity_row(np.zeros(0), np.array([0.5]), references=7)
    assert np.isnan(empty["q01"])
    assert np.isnan(empty["unlike"])
    assert not unlike_anything([0.5], empty).any(), "nothing is known, so nothing is said"


def test_queries_like_the_validation_fold_are_rarely_unlike_anything():
    examples, method = invented_screen(sizes=(200, 200, 200), plates=2)
    rows = familiarity_of_methods({"CLOOME": method}, folds_of(examples), 1000, 0)
    table = pd.DataFrame(rows)
    assert table["side"].tolist() == ["image", "compound"]
    assert table["apart"].tolist() == [True, False]
    assert table["references"].tolist() == [400, 200]
    assert table["calibration"].tolist() == [400, 200]
    assert (table["unlike"] < 0.06).all()
    assert (table["lowest"] <= table["q01"]).all()
    assert (table["q01"] <= table["q50"]).all()


def test_random_vectors_are_unlike_anything():
    examples, method = invented_screen(sizes=(300, 100, 100), noise=(0.3,) * 3, mechanisms=2)
    rows = familiarity_of_methods({"CLOOME": method}, folds_of(examples), 1000, 0)
    training = method.unit_fields(examples.loc[examples["fold"] == "train", "field_id"])
    strange = -training[:200] + 0.1 * np.random.default_rng(5).normal(size=(200, 12))
    strange = unit_rows(strange)
    seen = training[:200]
    assert unlike_anything(nearest_similarity(strange, training), rows[0]).mean() > 0.5
    assert not unlike_anything(nearest_similarity(seen, training), rows[0]).any()


def test_few_queries_are_drawn_from_many():
    examples, method = invented_screen(sizes=(20, 100, 100))
    rows = familiarity_of_methods({"CLOOME": method}, folds_of(examples), 30, 0)
    assert [(row["calibration"], row["queries"]) for row in rows] == [(30, 30)] * 2
    again = familiarity_of_methods({"CLOOME": method}, folds_of(examples.sample(frac=1, random_state=0)), 30, 0)
    assert rows[1] == again[1], "compounds are drawn whatever the order"


def test_structures_need_no_model():
    examples, _ = invented_screen(sizes=(50, 20, 30))
    bits = GENERATOR.integers(0, 2, (100, 64)).astype(np.uint8)
    row = familiarity_of_structures(np.packbits(bits, axis=1), folds_of(examples), 1000, 0)
    expected = nearest_tanimoto(bits[50:70], bits[:50])
    assert row["q50"] == pytest.approx(np.median(expected))
    assert (row["references"], row["calibration"], row["queries"]) == (50, 20, 30)
    assert row["method"] is None
    empty = {**folds_of(examples), "validation": examples.iloc[:0], "test": examples.iloc[:0]}
    assert np.isnan(familiarity_of_structures(np.packbits(bits, axis=1), empty, 1000, 0)["q01"])
