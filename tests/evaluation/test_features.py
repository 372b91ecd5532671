"""Standardised profiles against scikit-learn's scaler."""

import numpy as np
import pandas as pd
from sklearn.preprocessing import StandardScaler

from cloome_kedro.evaluation.features import standardised_profiles


def test_features_are_scaled_by_the_training_fold_alone():
    generator = np.random.default_rng(0)
    values = generator.normal(3, 2, (50, 4))
    values[:, 3] = 0.1  # does not vary
    table = pd.DataFrame(values, columns=list("abcd")).assign(
        field_id=[f"f{i}" for i in range(50)], Metadata_Plate=7.0, Metadata_Well="A01"
    )
    shuffled = table.sample(frac=1, random_state=0)
    train = np.arange(50) < 30
    found, missing = standardised_profiles(shuffled, table["field_id"], train)
    expected = StandardScaler().fit(values[train]).transform(values)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert found.shape == (50, 4)
    assert not missing.any()


def test_what_is_missing_gets_the_training_folds_mean():
    table = pd.DataFrame({"field_id": ["a", "b", "c", "d"], "x": [1.0, 3.0, np.nan, np.inf]})
    found, missing = standardised_profiles(table, ["a", "b", "c", "d", "e"], np.array([True, True, True, False, False]))
    assert found[:, 0].tolist() == [-1, 1, 0, 0, 0]
    assert missing.tolist() == [False, False, False, False, True]


def test_a_table_without_rows_says_so():
    found, missing = standardised_profiles(pd.DataFrame(columns=["field_id", "x"]), ["a", "b"], np.array([True, False]))
    assert found.tolist() == [[0], [0]]
    assert missing.all()
