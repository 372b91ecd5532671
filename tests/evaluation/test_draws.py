import numpy as np
import pandas as pd
from scipy.stats import chisquare

from cloome_kedro.evaluation.draws import draw_fields, draw_queries, draw_seed, draw_some, mean_by_compound


def pairs_table(counts):
    rows = [(f"s/p{j}/A{i + 1:02d}/0", f"p{j}", f"KEY{i:03d}") for i, count in enumerate(counts) for j in range(count)]
    return pd.DataFrame(rows, columns=["field_id", "plate", "inchikey"])


def test_one_field_is_drawn_for_each_compound():
    pairs = pairs_table([1, 4, 3, 2])
    drawn = draw_fields(pairs, seed=0)
    assert drawn["inchikey"].tolist() == [f"KEY00{i}" for i in range(4)]
    pd.testing.assert_frame_equal(drawn, draw_fields(pairs.sample(frac=1, random_state=1), seed=0))
    one = pairs[pairs["inchikey"] == "KEY001"]
    counts = pd.concat(draw_fields(one, seed) for seed in range(400))["field_id"].value_counts()
    assert len(counts) == 4
    assert chisquare(counts).pvalue > 1e-3


def test_the_first_draw_is_that_of_the_seed():
    fields = pairs_table([5] * 40)
    draws = draw_queries(fields, 3, 4)
    pd.testing.assert_frame_equal(draws[0], draw_fields(fields, 3))
    assert len({draw_seed(seed, draw) for seed in range(50) for draw in range(50)}) > 2490
    for a in range(4):
        for b in range(a):
            assert (draws[a]["field_id"] != draws[b]["field_id"]).mean() > 0.5


def test_means_are_of_all_fields_of_a_compound():
    fields = pairs_table([1, 4, 3])
    vectors = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)
    keys, means = mean_by_compound(vectors, fields)
    expected = pd.DataFrame(vectors.astype(float)).groupby(fields["inchikey"]).mean()
    assert keys.tolist() == expected.index.tolist()
    np.testing.assert_allclose(means, expected, rtol=1e-12)


def test_some_fields_of_each_compound_are_drawn():
    fields = pairs_table([1, 4, 3, 2])
    mixed = fields.sample(frac=1, random_state=1, ignore_index=True)
    drawn, again = fields.iloc[draw_some(fields, 2, 0)], mixed.iloc[draw_some(mixed, 2, 0)]
    assert drawn.groupby("inchikey").size().tolist() == [1, 2, 2, 2]
    assert set(drawn["field_id"]) == set(again["field_id"]), "the order of rows does not matter"
    assert len(draw_some(fields, 9, 0)) == len(fields)
    four = pairs_table([4])
    counts = np.bincount(np.concatenate([draw_some(four, 2, seed) for seed in range(400)]))
    assert chisquare(counts).pvalue > 1e-3
    assert len(counts) == 4
