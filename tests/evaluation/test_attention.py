"""Evaluations of compounds by their means, with a model that weights fields."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.retrieval import Draws, fold_fields, rank_method
from cloome_kedro.evaluation.scored_queries import plan_queries, retrieval_queries, zero_shot_queries
from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of, draw_plans
from cloome_kedro.evaluation.zero_shot_protocols import rank_method as rank_classes
from cloome_kedro.words import ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA
from invented_answers import invented_screen


@pytest.fixture(scope="module")
def screen():
    """Examples, a method, and the same method with logits."""
    examples, method = invented_screen(sizes=(10, 30, 50), noise=(2, 2, 2))
    logits = 3 * np.random.default_rng(0).normal(size=len(method.fields.keys))
    return examples, method, replace(method, fields=replace(method.fields, logits=logits))


def softmax_means(method, fields):
    """Weighted mean of each compound, with length 1, from the formula."""
    rows = {}
    for key, table in fields.groupby("inchikey"):
        weights = np.exp(method.fields.logits_of(table["field_id"]))
        rows[key] = (weights / weights.sum()) @ method.fields.of(table["field_id"])
    return unit_rows(np.stack([rows[key] for key in sorted(rows)]))


def test_retrieval_shows_compounds_by_weighted_means(screen):
    examples, plain, weighted = screen
    fields, draws = fold_fields(examples, "test"), Draws(10, 2, 5)
    of_weighted, of_plain = (rank_method(method, fields, draws) for method in (weighted, plain))
    by_field = [table[table["shown_by"] == "field"].reset_index(drop=True) for table in (of_weighted, of_plain)]
    pd.testing.assert_frame_equal(*by_field)
    means = of_weighted[(of_weighted["shown_by"] == "mean") & (of_weighted["pool"] == "full")]
    keys = np.sort(fields["inchikey"].unique())
    images, structures = softmax_means(weighted, fields), plain.compounds.of(keys)
    for direction, scores in (
        ("image to compound", images @ structures.T),
        ("compound to image", structures @ images.T),
    ):
        expected = (scores >= scores.diagonal()[:, None]).sum(axis=1)
        found = means[means["direction"] == direction].set_index("compound")["rank"].loc[keys]
        assert found.tolist() == expected.tolist()
        queries = retrieval_queries(weighted, fields, "mean", 5)[direction]
        assert queries.ranks.tolist() == expected.tolist()
    assert len(means) == 2 * 50
    assert (
        of_plain[of_plain["shown_by"] == "mean"]["rank"].to_numpy()
        != of_weighted[of_weighted["shown_by"] == "mean"]["rank"].to_numpy()
    ).any()


@pytest.mark.parametrize("excluded", [(), ("plate",)])
def test_classes_of_one_compound_are_shown_by_weighted_means(screen, excluded):
    """Weights are the softmax over the fields that are allowed for a query."""
    examples, plain, weighted = screen
    fields = classes_of(fold_fields(examples, "test"))[ZERO_SHOT_COMPOUND].reset_index(drop=True)
    protocol = Protocol(excluded, "mean")
    ranks = rank_classes(weighted, fields, draw_plans(fields, [protocol], 1, 0), 0)[protocol].set_index("query")["rank"]
    vectors, logits = weighted.fields.of(fields["field_id"]), weighted.fields.logits_of(fields["field_id"])
    labels = np.sort(fields["label"].unique())
    assert len(ranks) == len(fields)
    for row, (key, plate, label) in enumerate(zip(fields["field_id"], fields["plate"], fields["label"], strict=True)):
        allowed = (fields["plate"] != plate).to_numpy() if excluded else np.arange(len(fields)) != row
        scores = {}
        for name in labels:
            members = allowed & (fields["label"] == name).to_numpy()
            scores[name] = vectors[row] @ unit_rows((np.exp(logits[members]) @ vectors[members])[None])[0]
        assert ranks[key] == sum(score >= scores[label] for score in scores.values())
    queries = zero_shot_queries(weighted, fields, plan_queries(fields, protocol, 5), 5)
    of_compounds = fields.assign(rank=ranks.loc[fields["field_id"]].to_numpy()).groupby("inchikey")["rank"].agg(set)
    assert all(rank in of_compounds[key] for key, rank in zip(queries.compounds, queries.ranks, strict=True))
    others = rank_classes(plain, fields, draw_plans(fields, [protocol], 1, 0), 0)[protocol].set_index("query")["rank"]
    assert (others.loc[ranks.index] != ranks).any()


@pytest.mark.parametrize(
    ("task", "shown_by"), [(ZERO_SHOT_COMPOUND, "field"), (ZERO_SHOT_MOA, "field"), (ZERO_SHOT_MOA, "mean")]
)
def test_fields_and_classes_of_several_compounds_have_no_weights(screen, task, shown_by):
    examples, plain, weighted = screen
    fields = classes_of(fold_fields(examples, "test"))[task]
    plans = draw_plans(fields, [Protocol(("plate",), shown_by)], 2, 0)
    of_plain, of_weighted = (rank_classes(method, fields, plans, 0) for method in (plain, weighted))
    for protocol, ranks in of_plain.items():
        pd.testing.assert_frame_equal(ranks, of_weighted[protocol])


def test_without_logits_nothing_is_changed(screen):
    examples, plain, _ = screen
    fields = classes_of(fold_fields(examples, "test"))[ZERO_SHOT_COMPOUND]
    vectors = plain.unit_fields(fields["field_id"])
    assert plain.weighted_for_means(vectors, fields) is vectors
    assert plain.fields.logits_of(fields["field_id"]) is None
    np.testing.assert_array_equal(plain.fields.for_means(fields["field_id"], fields["inchikey"].to_numpy()), vectors)


@pytest.mark.parametrize("logits", [np.zeros(2), np.zeros((3, 1)), np.array([0, np.inf, 0]), np.zeros(3, int)])
def test_logits_must_fit(logits):
    with pytest.raises(ValueError, match="logits must be 3 finite numbers, one per key"):
        Embeddings(np.array(["a", "b", "c"]), np.eye(3), logits=logits)


def test_a_key_without_logit_is_named(screen):
    with pytest.raises(KeyError, match="1 keys have no embedding, the first is x"):
        screen[2].fields.logits_of(["x"])
