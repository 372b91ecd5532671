from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.methods import Embeddings, Method
from cloome_kedro.evaluation.summary import Summary, compare_ranks
from cloome_kedro.evaluation.zero_shot import zero_shot_ranks
from cloome_kedro.evaluation.zero_shot_protocols import (
    Protocol,
    classes_of,
    compare_results,
    draw_plans,
    evaluate_ranks,
    protocols_of,
    rank_method,
)
from cloome_kedro.words import ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

EXCLUDE = [[], ["well"], ["plate"], ["compound"], ["plate", "compound"]]
SETTING = {"split": "random", "task": ZERO_SHOT_MOA, "images": "clean"}
SUMMARY = Summary([1, 5])


def screen(n=160, seed=0):
    generator = np.random.default_rng(seed)
    compound = generator.integers(0, 24, n)
    fields = pd.DataFrame(
        {
            "field_id": [f"s/{number:03d}" for number in range(n)],
            "plate": [f"P{plate}" for plate in generator.integers(0, 4, n)],
            "well": [f"A{well:02d}" for well in generator.integers(1, 9, n)],
            "inchikey": [f"compound {number}" for number in compound],
            "label": [f"mechanism {number % 5}" for number in compound],
        }
    )
    vectors = generator.normal(size=(5, 6))[compound % 5] + generator.normal(size=(n, 6))
    return fields, vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def method_of(fields, vectors, known=slice(None), **options):
    """A method that knows some of the fields."""
    return Method(Embeddings(fields["field_id"].to_numpy()[known], vectors[known]), **options)


def evaluated(name, method, fields, plans, model=None):
    """Ranks by protocol, metrics and differences, also those of the model minus this method."""
    ranks = rank_method(method, fields, plans, 0)
    named = {protocol: table.assign(**SETTING, method=name) for protocol, table in ranks.items()}
    result = evaluate_ranks(named, SUMMARY)
    if model is not None:
        result.differences.extend(compare_results(model, result, name, SUMMARY))
    return result


def test_classes_are_compounds_and_known_mechanisms():
    fields = pd.DataFrame({"inchikey": ["A", "A", "B"], "moa": ["one", "one", None]}, index=[7, 3, 5])
    classes = classes_of(fields)
    assert list(classes) == [ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA]
    assert classes[ZERO_SHOT_COMPOUND]["label"].to_dict() == {7: "A", 3: "A", 5: "B"}
    assert classes[ZERO_SHOT_MOA]["label"].to_dict() == {7: "one", 3: "one"}


def test_protocols_of_compounds_do_not_exclude_them_nor_those_of_a_plate_the_plate():
    of_mechanisms = [(p.pool, p.setting["excluded"]) for p in protocols_of(EXCLUDE, ["field"], True, False)]
    assert of_mechanisms == [
        *(("full", keys) for keys in ("none", "well", "plate", "compound", "plate+compound")),
        ("same plate", "well"),
    ]
    of_compounds = [(p.shown_by, p.setting["excluded"]) for p in protocols_of(EXCLUDE, ["mean", "field"], False, True)]
    assert of_compounds == [(by, keys) for by in ("mean", "field") for keys in ("none", "well", "plate")]


def test_every_draw_is_ranked_and_the_first_is_the_library_s():
    fields, vectors = screen()
    protocols = [Protocol(("plate",)), Protocol((), "mean"), Protocol((), "field", "same plate")]
    found = evaluated("CLOOME", method_of(fields, vectors), fields, draw_plans(fields, protocols, 3, 0))
    assert list(found.ranks) == protocols
    for protocol, table in found.ranks.items():
        assert set(table["draw"]) == ({0} if protocol.shown_by == "mean" else {0, 1, 2})
        for draw, drawn in table.groupby("draw"):
            expected = zero_shot_ranks(
                vectors, vectors, fields, protocol.excluded, protocol.shown_by, protocol.pool, 0, draw
            )
            pd.testing.assert_frame_equal(drawn.reset_index(drop=True)[expected.columns], expected)


def test_differences_are_to_nothing_excluded_and_to_other_methods():
    fields, vectors = screen()
    other = method_of(fields, screen(seed=1)[1], ties="random")
    plans = draw_plans(fields, protocols_of(EXCLUDE, ["field"], True, False), 2, 0)
    model = evaluated("CLOOME", method_of(fields, vectors), fields, plans)
    found = evaluated("Profiles", other, fields, plans, model)
    table = pd.concat(found.differences).query("metric == 'top-1'")
    keys = table[["method", "pool", "excluded", "against"]]
    assert set(keys.itertuples(index=False, name=None)) == {
        *(("Profiles", "full", k, "excluded none") for k in ("well", "plate", "compound", "plate+compound")),
        ("Profiles", "same plate", "well", "pool full"),
        *(("CLOOME", "full", keys, "method Profiles") for keys in ("none", "plate+compound")),
    }
    assert len(pd.concat(model.differences)) == 2 * 5
    plate, nothing = Protocol(("plate",)), Protocol(())
    ranks = pd.merge(found.ranks[plate], found.ranks[nothing], on=["draw", "query"])
    expected = (ranks["rank_x"] == 1).groupby(ranks["draw"]).mean() - (ranks["rank_y"] == 1).groupby(
        ranks["draw"]
    ).mean()
    row = table.query("excluded == 'plate' and pool == 'full'")
    assert row["difference"].item() == pytest.approx(expected.mean())
    by_hand = compare_ranks(model.ranks[nothing], found.ranks[nothing], "method Profiles", SUMMARY)
    row = table.query("against == 'method Profiles' and excluded == 'none'")
    assert row["difference"].item() == pytest.approx(by_hand["difference"].iloc[0])


PARTIAL = [Protocol(()), Protocol(("plate",)), Protocol((), "mean"), Protocol(("well",), "field", "same plate")]


def test_a_method_is_asked_about_what_it_knows():
    fields, vectors = screen()
    known = np.arange(160) % 3 > 0
    plans = draw_plans(fields, PARTIAL, 2, 0)
    found = rank_method(method_of(fields, vectors, known), fields, plans, 0)
    assert list(found) == PARTIAL
    for protocol, ranks in found.items():
        assert set(ranks["draw"]) == ({0} if protocol.shown_by == "mean" else {0, 1})
        for draw, table in ranks.groupby("draw"):
            setting = protocol.excluded, protocol.shown_by, protocol.pool
            expected = zero_shot_ranks(vectors[known], vectors[known], fields[known], *setting, 0, draw)
            pd.testing.assert_frame_equal(table[expected.columns].reset_index(drop=True), expected)
    first = found[Protocol(())].query("draw == 0")
    # All fields that it knows are asked about, but for the reference of each class.
    assert set(first["query"]) < set(fields["field_id"][known])
    assert len(first) == known.sum() - fields["label"].nunique()


def test_a_method_that_knows_more_than_it_is_asked_about_needs_no_plans_of_its_own():
    fields, vectors = screen()
    order = np.random.default_rng(3).permutation(160)
    some = fields[:120]
    plans = draw_plans(some, PARTIAL, 2, 0)
    found = rank_method(method_of(fields.iloc[order], vectors[order]), some, plans, 0)
    for protocol, ranks in rank_method(method_of(some, vectors[:120]), some, plans, 0).items():
        pd.testing.assert_frame_equal(found[protocol], ranks)


def test_a_method_that_knows_too_little_for_a_protocol_has_no_ranks_in_it():
    fields, vectors = screen()
    plans = draw_plans(fields, PARTIAL, 2, 0)
    one_plate = (fields["plate"] == "P0").to_numpy()
    assert list(rank_method(method_of(fields, vectors, one_plate), fields, plans, 0)) == [
        protocol for protocol in PARTIAL if "plate" not in protocol.excluded
    ]
    nothing = evaluated("Profiles", method_of(fields, vectors, np.zeros(160, bool)), fields, plans)
    assert (nothing.ranks, nothing.metrics, nothing.differences) == ({}, [], [])


def test_differences_are_of_protocols_that_both_methods_have():
    """A model that knows one plate alone cannot be asked with plates excluded."""
    fields, vectors = screen()
    plans = draw_plans(fields, protocols_of(EXCLUDE, ["field"], True, False), 2, 0)
    one_plate = (fields["plate"] == "P0").to_numpy()
    model = evaluated("CLOOME", method_of(fields, vectors, one_plate), fields, plans)
    other = method_of(fields, screen(seed=1)[1])
    table = pd.concat(evaluated("Profiles", other, fields, plans, model).differences).query("metric == 'top-1'")
    to_other = table[table["against"] == "method Profiles"]
    assert to_other[["method", "excluded"]].values.tolist() == [["CLOOME", "none"], ["CLOOME", "compound"]]
    # The two have the queries in common that both know and that are no reference of either.
    assert (to_other["n"] < one_plate.sum()).all()
    turned = evaluated(
        "Profiles", method_of(fields, vectors, one_plate), fields, plans, evaluated("CLOOME", other, fields, plans)
    )
    table = pd.concat(turned.differences).query("metric == 'top-1' and against == 'method Profiles'")
    assert table["excluded"].tolist() == ["none", "compound"]


def test_vectors_without_unit_length_are_compared_by_their_cosines():
    fields, vectors = screen()
    plans = draw_plans(fields, [Protocol(()), Protocol((), "mean")], 1, 0)
    lengths = np.random.default_rng(4).uniform(0.1, 10, (160, 1))
    scaled = method_of(fields, vectors * lengths, normalised=False)
    by_cosine = rank_method(method_of(fields, vectors), fields, plans, 0)
    for protocol, ranks in rank_method(scaled, fields, plans, 0).items():
        pd.testing.assert_frame_equal(ranks, by_cosine[protocol])
    as_they_are = rank_method(replace(scaled, normalised=True), fields, plans, 0)
    assert not as_they_are[Protocol(())].equals(by_cosine[Protocol(())])


def test_tables_fit_their_schemas():
    fields, vectors = screen()
    fields["inchikey"] = [f"{chr(65 + int(key.split()[1]))}{'A' * 13}-AAAAAAAAAA-N" for key in fields["inchikey"]]
    plans = draw_plans(fields, protocols_of(EXCLUDE, ["field", "mean"], True, False), 2, 0)
    found = evaluated("CLOOME", method_of(fields, vectors), fields, plans)
    schemas.ranks.validate(pd.concat(found.ranks.values()))
    schemas.metrics.validate(pd.concat(found.metrics).assign(split_hash="0" * 16))
    schemas.differences.validate(pd.concat(found.differences).assign(split_hash="0" * 16))


def test_random_ties_of_draws_are_drawn_apart():
    fields, _ = screen()
    tied = method_of(fields, np.ones((160, 1)), ties="random")
    plans = {Protocol(()): draw_plans(fields, [Protocol(())], 1, 0)[Protocol(())] * 2}
    first, second = (
        t["rank"].to_numpy() for _, t in evaluated("Ties", tied, fields, plans).ranks[Protocol(())].groupby("draw")
    )
    assert (first != second).mean() > 0.5
    assert first.mean() == pytest.approx(3, abs=0.5)


def test_protocols_without_a_query_are_left_out(caplog):
    fields, _ = screen()
    fields = fields.assign(plate=[f"P{number}" for number in range(160)])
    with caplog.at_level("INFO"):
        plans = draw_plans(fields, protocols_of(EXCLUDE, ["field"], True, False), 2, 0)
    assert {protocol.pool for protocol in plans} == {"full"}
    assert "pool same plate, excluded well: no query has a reference" in caplog.text
    assert draw_plans(fields[:0], [Protocol(())], 2, 0) == {}
