import pickle

import numpy as np
import pandas as pd
import pytest
import torch

from cloome_kedro.learning.views.profiles import Profiles, ProfileSettings

COLUMNS = ["area", "intensity", "texture", "constant"]


@pytest.fixture(scope="module")
def profiles():
    """Of the fields f0 to f11, in an order of their own and with a column that is not a feature."""
    values = np.random.default_rng(0).normal([3, -50, 1e4, 7], [2, 0.1, 500, 0], (12, 4)).astype(np.float32)
    table = pd.DataFrame(values, columns=COLUMNS).assign(field_id=[f"f{i}" for i in range(12)], Metadata_Plate="P")
    return table.sample(frac=1, random_state=0).reset_index(drop=True)


TABLE = {"field_id": ["f3", "f0", "missing", "f7", "f1", "also missing", "f9"]}
TRAIN = np.array([0, 1, 2, 4, 6])


def rows_of(profiles, table=TABLE, columns=COLUMNS):
    view = Profiles(tuple(columns), (0.0,) * len(columns), (1.0,) * len(columns))
    return view.rows(table, {"field_profiles": profiles})


def fitted(profiles, train=TRAIN, table=TABLE):
    return ProfileSettings().fit(table, {"field_profiles": profiles}, train, seed=0, progress=False)


def values_of(profiles, keys, columns=COLUMNS):
    return profiles.set_index("field_id").loc[keys, list(columns)].to_numpy(copy=True)


def test_rows_are_found_by_their_keys_and_others_are_unknown(profiles):
    rows = rows_of(profiles)
    assert rows.known.tolist() == [True, True, False, True, True, False, True]
    found = rows.read(np.array([6, 0, 3]))
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, values_of(profiles, ["f9", "f3", "f7"]))
    again = pickle.loads(pickle.dumps(rows.read))  # for the processes of several devices
    np.testing.assert_array_equal(again(np.array([6, 0, 3])), found)


def test_features_are_standardised_by_the_training_rows_alone(profiles):
    view = fitted(profiles)
    of_training = values_of(profiles, ["f3", "f0", "f1", "f9"]).astype(float)
    assert (view.columns, view.inputs) == (tuple(COLUMNS), 4)
    np.testing.assert_allclose(view.mean, of_training.mean(0), rtol=1e-6)
    np.testing.assert_allclose(view.std[:3], of_training[:, :3].std(0), rtol=1e-6)
    assert view.std[3] == 1  # a feature that does not vary

    changed = profiles.copy()
    outside = ~changed["field_id"].isin(["f3", "f0", "f1", "f9"])
    changed.loc[outside, COLUMNS] += 1000
    assert fitted(changed) == view

    whole = values_of(profiles, [f"f{i}" for i in range(12)])
    found = view(torch.from_numpy(whole))
    expected = (whole - of_training.mean(0)) / np.array([*of_training[:, :3].std(0), 1])
    assert found.dtype == torch.float32
    np.testing.assert_allclose(found.numpy(), expected, atol=2e-3)
    assert torch.equal(view.augment(torch.from_numpy(whole), np.arange(12)), found)
    assert view.differences(TABLE, {"field_profiles": changed}) == []


def test_standardised_training_rows_have_mean_zero_and_deviation_one(profiles):
    keys = [f"f{i}" for i in range(12)]
    view = fitted(profiles, np.arange(12), {"field_id": keys})
    found = view(torch.from_numpy(values_of(profiles, keys)))
    torch.testing.assert_close(found.mean(0), torch.zeros(4), atol=1e-3, rtol=0)
    torch.testing.assert_close(found.std(0, correction=0), torch.tensor([1.0, 1, 1, 0]), atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["area", "blur", "texture"], "blur instead of intensity"),
        (["area", "texture", "intensity"], "texture instead of intensity"),
        (["area", "intensity"], "no column instead of texture"),
        (["area", "intensity", "texture", "blur"], "blur instead of no column"),
    ],
)
def test_other_columns_are_refused_with_the_first_that_differs(columns, message):
    profiles = pd.DataFrame({"field_id": ["f0"]} | dict.fromkeys(columns, 1.0))
    with pytest.raises(ValueError, match=f"the first difference is {message}: train the model again"):
        rows_of(profiles, columns=["area", "intensity", "texture"])


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_a_value_that_is_not_finite_is_named(profiles, value):
    bad = profiles.astype(dict.fromkeys(COLUMNS, float))
    bad.loc[bad["field_id"] == "f7", "texture"] = value
    with pytest.raises(ValueError, match=r"texture of field f7 is (nan|-?inf): give it a finite value, or remove"):
        rows_of(bad)
    without = {"field_id": ["f3", "f0"]}
    assert rows_of(bad, without).known.all(), "a row that is not asked for does not matter"


def test_columns_that_are_no_numbers_are_named(profiles):
    with pytest.raises(ValueError, match=r"column area is not numeric: .* its name must begin with Metadata_"):
        rows_of(profiles.assign(area="large"))
    assert rows_of(profiles.assign(area=np.arange(12))).known.any()


def test_without_features_or_training_rows_there_is_nothing_to_learn(profiles):
    with pytest.raises(ValueError, match="field_profiles has no feature: run the pipeline profiles"):
        fitted(profiles[["field_id", "Metadata_Plate"]])
    with pytest.raises(ValueError, match="no field of the training fold has a row in field_profiles"):
        fitted(profiles, np.array([2, 5]))


def test_the_identity_of_rows_is_that_of_their_content(profiles):
    def identity(profiles=profiles, keys=TABLE["field_id"], columns=COLUMNS):
        return rows_of(profiles, {"field_id": keys}, columns).identity

    changed = profiles.copy()
    changed.loc[changed["field_id"] == "f9", "area"] += 1
    renamed = profiles.rename(columns={"area": "size"})
    elsewhere = profiles.copy()
    elsewhere.loc[elsewhere["field_id"] == "f11", "area"] += 1
    assert identity() == identity(profiles[::-1]) == identity(elsewhere)
    others = [
        identity(changed),
        identity(renamed, columns=["size", *COLUMNS[1:]]),
        identity(keys=["f3", "f0", "f11", "f7", "f1", "also missing", "f9"]),
        identity(keys=TABLE["field_id"][::-1]),
    ]
    assert len({identity(), *others}) == 1 + len(others)
    zero = profiles.astype(dict.fromkeys(COLUMNS, float))
    zero.loc[zero["field_id"] == "f9", COLUMNS] = 0.0
    assert identity(zero) != identity(zero[zero["field_id"] != "f9"]), "a profile of zeros is not a missing one"
