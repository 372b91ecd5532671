import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.summary import compare_ranks
from cloome_kedro.evaluation.zero_shot import zero_shot_ranks
from cloome_kedro.evaluation.zero_shot_protocols import Method, Protocol, draw_plans, evaluate_method, protocols_of

EXCLUDE = [[], ["well"], ["plate"], ["compound"], ["plate", "compound"]]
SETTING = {"split": "random", "task": "zero-shot MoA", "images": "clean"}


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


def evaluated(name, method, fields, plans, model=None):
    return evaluate_method(name, method, fields, plans, SETTING, [1, 5], 0.95, 0, model)


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
    found = evaluated("CLOOME", Method(vectors), fields, draw_plans(fields, protocols, 3, 0))
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
    other = Method(screen(seed=1)[1], ties="random")
    plans = draw_plans(fields, protocols_of(EXCLUDE, ["field"], True, False), 2, 0)
    model = evaluated("CLOOME", Method(vectors), fields, plans)
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
    by_hand = compare_ranks(model.ranks[nothing], found.ranks[nothing], "method Profiles", [1], 0.95)
    row = table.query("against == 'method Profiles' and excluded == 'none'")
    assert row["difference"].item() == pytest.approx(by_hand["difference"].item())


def test_a_method_is_asked_about_what_it_knows():
    fields, vectors = screen()
    known = np.arange(160) % 3 > 0
    plans = draw_plans(fields, [Protocol(()), Protocol(("plate",))], 2, 0)
    spoiled = np.where(known[:, None], vectors, np.nan)
    table = evaluated("Profiles", Method(spoiled, known=known), fields, plans).ranks[Protocol(())]
    expected = zero_shot_ranks(vectors[known], vectors[known], fields[known])
    pd.testing.assert_frame_equal(table[table["draw"] == 0][expected.columns].reset_index(drop=True), expected)
    assert set(table["draw"]) == {0, 1}
    half = Method(vectors, known=known).of(np.arange(80))
    assert half.vectors.shape == (80, 6)
    assert half.known is not None
    assert half.known.sum() == known[:80].sum()


def test_random_ties_of_draws_are_drawn_apart():
    fields, _ = screen()
    tied = Method(np.ones((160, 1)), ties="random")
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
