"""Zero-shot ranks against the protocol spelt out query by query."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import top_k_accuracy_score

from cloome_kedro.evaluation import zero_shot as module
from cloome_kedro.evaluation.ranks import match_ranks, top_k
from cloome_kedro.evaluation.zero_shot import rank_by_plan, zero_shot_ranks
from cloome_kedro.evaluation.zero_shot_plan import EXCLUSIONS, _seeded_places, plan_zero_shot


def screen(n, generator, plates=3, wells=4, compounds=6, classes=3):
    """Fields at random: some share a well, a plate, a compound; a compound is of one class."""
    compound = generator.integers(0, compounds, n)
    return pd.DataFrame(
        {
            "field_id": [f"s/{number}" for number in generator.permutation(n)],
            "plate": [f"P{plate}" for plate in generator.integers(0, plates, n)],
            "well": [f"A{well:02d}" for well in generator.integers(1, wells + 1, n)],
            "inchikey": [f"compound {number}" for number in compound],
            "label": [f"class {number % classes}" for number in compound],
        }
    )


def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def by_hand(queries, references, fields, excluded, shown_by, pool, seed=0, draw=0, where_possible=()):
    """The protocol, one query at a time: (query, match, candidates, rank) by field_id."""
    fields = fields.assign(place=_seeded_places(fields["field_id"], seed, draw), row=np.arange(len(fields)))
    ordered = fields.sort_values("place")
    first_choices = set(ordered.groupby("label").head(1)["field_id"]) if shown_by == "field" else set()
    rows = []
    for query in fields.sort_values("field_id").itertuples():
        if query.field_id in first_choices:
            continue
        for keys in (excluded, [key for key in excluded if key not in where_possible]):
            allowed = ordered[ordered["field_id"] != query.field_id]
            if pool == "same plate":
                allowed = allowed[allowed["plate"] == query.plate]
            for key in keys:
                same = np.all([allowed[column] == getattr(query, column) for column in EXCLUSIONS[key]], axis=0)
                allowed = allowed[~same]
            if (allowed["label"] == query.label).any():
                break
        else:
            continue
        scores = {}
        for label, members in allowed.groupby("label"):
            vectors = references[members["row"]].astype(np.float64)
            reference = vectors[0] if shown_by == "field" else vectors.mean(axis=0) / np.linalg.norm(vectors.mean(0))
            scores[label] = queries[query.row].astype(np.float64) @ reference
        rank = sum(score >= scores[query.label] for score in scores.values())
        rows.append((query.field_id, query.label, query.inchikey, len(scores), rank))
    return pd.DataFrame(rows, columns=["query", "match", "compound", "candidates", "rank"])


PROTOCOLS = [
    *[(excluded, "full") for excluded in ((), ("well",), ("plate",), ("compound",), ("plate", "compound"))],
    *[(excluded, "same plate") for excluded in ((), ("well",), ("compound",))],
]


@settings(max_examples=80)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 40),
    shown_by=st.sampled_from(["field", "mean"]),
    protocol=st.sampled_from(PROTOCOLS),
    where_possible=st.sampled_from([(), ("compound",)]),
)
def test_every_protocol_is_what_it_says(seed, n, shown_by, protocol, where_possible):
    generator = np.random.default_rng(seed)
    fields = screen(n, generator)
    if shown_by == "field":  # scores are exact in these numbers, and tie often
        queries, references = generator.integers(-2, 3, (2, n, 3)).astype(np.float32)
    else:
        queries, references = generator.standard_normal((2, n, 5))
    excluded, pool = protocol
    expected = by_hand(queries, references, fields, excluded, shown_by, pool, seed, 2, where_possible)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_POOLS", 3)
        found = zero_shot_ranks(
            queries, references, fields, excluded, shown_by, pool, seed, 2, where_possible=where_possible
        )
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)


@pytest.mark.parametrize("shown_by", ["field", "mean"])
@pytest.mark.parametrize(("excluded", "pool"), PROTOCOLS)
def test_ranks_do_not_depend_on_the_order_of_rows(shown_by, excluded, pool):
    generator = np.random.default_rng(0)
    fields, vectors = screen(200, generator, compounds=30, classes=9), unit(generator.standard_normal((200, 8)))
    turn = generator.permutation(200)
    ranks = zero_shot_ranks(vectors, vectors, fields, excluded, shown_by, pool, ties="random", seed=4)
    turned = zero_shot_ranks(vectors[turn], vectors[turn], fields.iloc[turn], excluded, shown_by, pool, 4, 0, "random")
    pd.testing.assert_frame_equal(ranks, turned)
    assert len(ranks)


def test_the_published_protocol_is_one_field_of_each_class_against_all_others():
    generator = np.random.default_rng(1)
    fields, vectors = screen(300, generator, compounds=40, classes=40), unit(generator.standard_normal((300, 8)))
    vectors += 2 * unit(generator.standard_normal((40, 8)))[fields["label"].str.split().str[1].astype(int)]
    ranks = zero_shot_ranks(vectors, vectors, fields)
    assert set(ranks["candidates"]) == {40}
    of_id = fields.set_index("field_id")
    references = of_id.index.difference(ranks["query"])
    assert sorted(of_id.loc[references, "label"]) == sorted(set(fields["label"]))
    row = pd.Index(fields["field_id"])
    scores = vectors[row.get_indexer(ranks["query"])] @ vectors[row.get_indexer(references)].T
    labels = of_id.loc[references, "label"].to_numpy()
    order = np.argsort(labels)
    for k in (1, 5, 10):
        expected = top_k_accuracy_score(ranks["match"], scores[:, order], k=k, labels=labels[order])
        assert top_k(ranks["rank"], k) == pytest.approx(expected)
    match = np.searchsorted(labels[order], ranks["match"])
    np.testing.assert_array_equal(
        ranks["rank"],
        match_ranks(vectors[row.get_indexer(ranks["query"])], vectors[row.get_indexer(references)][order], match),
    )


def test_protocols_of_a_draw_have_the_same_queries_and_draws_have_others():
    generator = np.random.default_rng(2)
    fields, vectors = screen(150, generator), unit(generator.standard_normal((150, 8)))
    asked = [set(zero_shot_ranks(vectors, vectors, fields, keys)["query"]) for keys in ((), ("well",), ("plate",))]
    assert asked[0] >= asked[1] >= asked[2]
    assert len(asked[2]) > 100
    others = [set(zero_shot_ranks(vectors, vectors, fields, draw=draw)["query"]) for draw in range(1, 6)]
    assert len({frozenset(queries) for queries in [asked[0], *others]}) > 3
    assert all(len(queries) == len(asked[0]) for queries in others)


def test_a_leak_through_the_plate_goes_with_the_plate():
    """Vectors know the plate alone, and each plate has compounds of its own class: without it nothing is known."""
    plate = np.repeat(np.arange(8), 20)
    fields = pd.DataFrame(
        {
            "field_id": [f"s/{i:03d}" for i in range(160)],
            "plate": [f"P{p}" for p in plate],
            "well": [f"A{i % 20 + 1:02d}" for i in range(160)],
            "inchikey": [f"compound {i}" for i in range(160)],
            "label": [f"class {p if i % 4 else (p + 1) % 8}" for i, p in enumerate(plate)],
        }
    )
    vectors = np.eye(8)[plate]
    with_plate = zero_shot_ranks(vectors, vectors, fields, shown_by="mean", ties="random")
    assert (with_plate["rank"] == 1).mean() > 0.6
    without = zero_shot_ranks(vectors, vectors, fields, ["plate"], shown_by="mean", ties="random")
    assert (without["rank"] == 1).mean() < 0.2
    assert len(without) == 160


def test_corrupted_queries_against_clean_references():
    generator = np.random.default_rng(4)
    fields, clean = screen(100, generator, classes=6), unit(generator.standard_normal((100, 8)))
    corrupted = -clean
    plan = plan_zero_shot(fields)
    expected = by_hand(corrupted, clean, fields, (), "field", "full")
    pd.testing.assert_frame_equal(rank_by_plan(plan, corrupted, clean), expected, check_dtype=False)


def test_a_class_of_one_field_is_a_candidate_and_never_asked_about():
    fields = pd.DataFrame(
        {"field_id": ["a", "b", "c"], "plate": "P", "well": ["A01", "A02", "A03"], "inchikey": ["x", "x", "y"],
         "label": ["x", "x", "y"]}
    )  # fmt: skip
    ranks = zero_shot_ranks(np.eye(3), np.eye(3), fields)
    assert len(ranks) == 1
    assert ranks["match"].item() == "x"
    assert ranks["candidates"].item() == 2
    nobody = zero_shot_ranks(np.eye(3)[2:], np.eye(3)[2:], fields[2:])
    assert list(nobody.columns) == list(ranks.columns)
    assert nobody.empty
    nothing = zero_shot_ranks(np.eye(3)[:0], np.eye(3)[:0], fields[:0])
    assert nothing.empty


def test_a_plan_stays_small():
    """Only what differs from the usual references is written down, of all queries that share it at once."""
    fields = pd.DataFrame({"number": np.arange(20_000)})
    fields = pd.DataFrame(
        {
            "field_id": fields["number"].astype(str),
            "plate": (fields["number"] // 300).astype(str),
            "well": "A" + (fields["number"] // 6 % 50 + 10).astype(str),
            "inchikey": (fields["number"] // 6 % 1000).astype(str),
            "label": (fields["number"] // 6 % 1000).astype(str),
        }
    )
    for excluded, shown_by, limit in (((), "field", 1), (("well",), "field", 1001), ((), "mean", 20_000)):
        plan = plan_zero_shot(fields, excluded, shown_by)
        assert len(plan.pools) <= limit
        assert sum(len(changes) for *_, changes in plan.pools) <= limit


def test_bad_input_is_named():
    generator = np.random.default_rng(5)
    fields, vectors = screen(9, generator), generator.standard_normal((9, 3))
    with pytest.raises(ValueError, match="batch must be among well, plate, compound"):
        zero_shot_ranks(vectors, vectors, fields, ["batch"])
    with pytest.raises(ValueError, match="leaves no references"):
        zero_shot_ranks(vectors, vectors, fields, ["plate"], pool="same plate")
    with pytest.raises(ValueError, match="'median' must be field or mean"):
        zero_shot_ranks(vectors, vectors, fields, shown_by="median")
    with pytest.raises(ValueError, match="s/4 has no label"):
        zero_shot_ranks(vectors, vectors, fields.assign(label=fields["label"].mask(fields["field_id"] == "s/4")))
    with pytest.raises(ValueError, match="there are two rows of s/1"):
        zero_shot_ranks(vectors, vectors, fields.assign(field_id="s/1"))
    with pytest.raises(ValueError, match=r"queries: vectors of shape \(8, 3\) do not fit 9 planned fields"):
        zero_shot_ranks(vectors[:8], vectors, fields)
    spoiled = np.where(np.arange(9)[:, None] == 3, np.nan, vectors)
    with pytest.raises(ValueError, match="is not finite"):
        zero_shot_ranks(spoiled, spoiled, fields)
