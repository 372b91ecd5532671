import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.intervals import exact_interval
from cloome_kedro.evaluation.replicates import replicate_retrieval


def test_ranks_are_those_of_the_pearson_correlation_of_means():
    rng = np.random.default_rng(0)
    compounds = np.repeat([f"c{i:02d}" for i in range(20)], 4)
    plates = np.tile(["P1", "P1", "P2", "P3"], 20)
    centres = np.repeat(rng.normal(size=(20, 6)), 4, axis=0)
    profiles = centres + rng.normal(0, 1.5, centres.shape) + rng.normal(0, 9, (len(centres), 1))
    order = rng.permutation(len(profiles))
    fields = pd.DataFrame({"inchikey": compounds, "plate": plates})
    alone = pd.DataFrame({"inchikey": ["x", "x"], "plate": ["P1", "P1"]})
    found = replicate_retrieval(
        pd.concat([fields.iloc[order], alone]), np.vstack([profiles[order], rng.normal(size=(2, 6))]), [1, 10]
    ).set_index("metric")
    table = pd.DataFrame(profiles)
    first = table[plates == "P1"].groupby(compounds[plates == "P1"]).mean().to_numpy()
    others = table[plates != "P1"].groupby(compounds[plates != "P1"]).mean().to_numpy()
    correlations = np.corrcoef(first, others)[:20, 20:]
    ranks = (correlations >= np.diag(correlations)[:, None]).sum(axis=1)
    assert 0 < (ranks == 1).sum() < 20
    assert found.loc["top-1", "value"] == pytest.approx((ranks == 1).mean())
    assert found.loc["top-10", "value"] == pytest.approx((ranks <= 10).mean())
    assert found.loc["median rank", "value"] == np.median(ranks)
    low, high = exact_interval(int((ranks == 1).sum()), 20)
    assert found.loc["top-1", ["low", "high"]].tolist() == pytest.approx([low, high])
    assert found["n"].eq(20).all()
    assert found.loc["top-10", "chance"] == 0.5


def test_missing_profiles_are_left_out_and_too_few_compounds_give_nothing():
    fields = pd.DataFrame({"inchikey": list("aabb"), "plate": list("PQPQ")})
    profiles = np.arange(8.0).reshape(4, 2)
    assert replicate_retrieval(fields, profiles, [1])["n"].eq(2).all()
    profiles[3] = np.nan
    assert replicate_retrieval(fields, profiles, [1]).empty
