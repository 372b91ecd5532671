"""One query per compound, with the ranks that the evaluations have."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.retrieval import Draws, fold_fields, rank_method
from cloome_kedro.evaluation.scored_queries import plan_queries, retrieval_queries, zero_shot_queries
from cloome_kedro.evaluation.zero_shot import zero_shot_ranks
from cloome_kedro.evaluation.zero_shot_protocols import Protocol, classes_of
from cloome_kedro.words import ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA
from invented_answers import invented_screen


@pytest.fixture(scope="module")
def screen():
    return invented_screen(sizes=(10, 30, 50))


@pytest.mark.parametrize("shown_by", ["field", "mean"])
def test_ranks_are_those_of_draw_0_of_retrieval(screen, shown_by):
    examples, method = screen
    fields = fold_fields(examples, "test")
    ranks = rank_method(method, fields, Draws(10, 1, 5))
    ranks = ranks[(ranks["pool"] == "full") & (ranks["shown_by"] == shown_by)]
    for direction, queries in retrieval_queries(method, fields, shown_by, 5).items():
        expected = ranks[ranks["direction"] == direction].set_index("compound")["rank"]
        assert expected.loc[queries.compounds].tolist() == queries.ranks.tolist()
        assert len(set(queries.compounds)) == len(queries) == 50
        assert (queries.candidates == 50).all()


@pytest.mark.parametrize("task", [ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA])
@pytest.mark.parametrize("shown_by", ["field", "mean"])
def test_zero_shot_queries_are_some_of_the_protocol(screen, task, shown_by):
    examples, method = screen
    fields = classes_of(fold_fields(examples, "test"))[task]
    keys = ("plate",) if task == ZERO_SHOT_COMPOUND else ("plate", "compound")
    queries = zero_shot_queries(method, fields, plan_queries(fields, Protocol(keys, shown_by), 5), 5)
    vectors = method.unit_fields(fields["field_id"])
    ranks = zero_shot_ranks(vectors, vectors, fields, keys, shown_by, seed=5)
    of_compounds = dict(iter(ranks.groupby("compound")))
    assert len(queries) == len(set(queries.compounds)) == len(of_compounds)
    for compound, rank, size in zip(queries.compounds, queries.ranks, queries.candidates, strict=True):
        asked = of_compounds[compound]
        assert ((asked["rank"] == rank) & (asked["candidates"] == size)).any()


@pytest.mark.parametrize("keys", [(), ("plate",), ("plate", "compound")])
def test_scores_agree_with_ranks(screen, keys):
    """The number of candidates that score as high as the true one is its rank, whatever the pool."""
    examples, method = screen
    fields = classes_of(fold_fields(examples, "test"))[ZERO_SHOT_MOA]
    queries = zero_shot_queries(method, fields, plan_queries(fields, Protocol(keys), 0), 0)
    seen = []
    for block in queries.blocks():
        own = block.scores[np.arange(len(block.rows)), block.match][:, None]
        assert np.isfinite(own).all()
        assert (block.scores >= own - 1e-6).sum(axis=1).tolist() == queries.ranks[block.rows].tolist()
        assert np.isfinite(block.scores).sum(axis=1).tolist() == queries.candidates[block.rows].tolist()
        seen += block.rows.tolist()
    assert sorted(seen) == list(range(len(queries)))


def test_what_a_method_does_not_know_is_no_query(screen):
    examples, method = screen
    fields = fold_fields(examples, "test")
    known = method.compounds.keys != fields["inchikey"].iloc[0]
    lacking = Method(method.fields, Embeddings(method.compounds.keys[known], method.compounds.vectors[known]))
    for queries in retrieval_queries(lacking, fields, "field", 0).values():
        assert len(queries) == 49
        assert fields["inchikey"].iloc[0] not in queries.compounds
        assert (queries.candidates == 49).all()
    nothing = Method(method.fields, Embeddings(np.array(["X"]), np.ones((1, 12))))
    assert retrieval_queries(nothing, fields, "mean", 0) == {}


def test_there_are_no_queries_without_references(screen):
    examples, _ = screen
    fields = classes_of(fold_fields(examples, "test"))[ZERO_SHOT_COMPOUND]
    one_plate = fields[fields["plate"] == "P0"]
    assert plan_queries(one_plate, Protocol(("plate",)), 0) is None
    assert plan_queries(fields.iloc[:0], Protocol(()), 0) is None
    assert len(zero_shot_queries(screen[1], one_plate, None, 0)) == 0


def test_plans_do_not_depend_on_the_order_of_fields(screen):
    examples, method = screen
    fields = classes_of(fold_fields(examples, "test"))[ZERO_SHOT_COMPOUND]
    shuffled = fields.sample(frac=1, random_state=2)
    found = [
        zero_shot_queries(method, table, plan_queries(table, Protocol(("plate",)), 1), 1)
        for table in (fields, shuffled)
    ]
    pd.testing.assert_series_equal(*(pd.Series(each.ranks, each.compounds) for each in found))
