"""The view `structures`: sets of structural features side by side."""

import pickle

import numpy as np
import pytest
import torch

from cloome_kedro.learning.views.structures import StructureFeatures, Structures, StructureSettings

SETS = {
    "bits": {"kind": "morgan", "counts": False, "size": 4},
    "counts": {"kind": "morgan", "counts": True, "size": 3},
    "numbers": {"kind": "descriptors", "counts": False, "size": 2, "names": ["a", "b"]},
}
GENERATOR = np.random.default_rng(0)
VALUES = {
    "bits": GENERATOR.integers(0, 2, (6, 4)).astype(np.uint8),
    "counts": GENERATOR.integers(0, 300, (6, 3)).astype(np.uint16),
    "numbers": np.array([[1, 5], [2, 5], [np.nan, 5], [4, 5], [1e9, 5], [7, np.nan]], np.float32),
}
FEATURES = StructureFeatures(SETS, VALUES)
#: two fields of the compounds 0, 1, 2 and one of 3 and 4; the compounds 0 to 3 train
TABLE = {"structure_row": np.array([0, 0, 1, 1, 2, 2, 3, 4])}
TRAIN = np.arange(7)


def fit(features=FEATURES, **settings):
    return StructureSettings(**settings).fit(TABLE, {"structure_features": features}, TRAIN, seed=0, progress=False)


def rows_of(view, features=FEATURES, rows=TABLE["structure_row"]):
    return view.rows({"structure_row": rows}, {"structure_features": features})


def test_sets_stand_side_by_side_in_the_order_of_the_settings():
    view = fit(sets=("counts", "bits"))
    rows = rows_of(view)
    positions = np.array([7, 0, 2])
    compounds = TABLE["structure_row"][positions]
    expected = np.concatenate([VALUES["counts"][compounds], VALUES["bits"][compounds]], axis=1)
    assert (view.inputs, view.mean) == (7, ())
    assert rows.known.all()
    np.testing.assert_array_equal(view(torch.from_numpy(rows.read(positions))), expected)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(rows.read))(positions), rows.read(positions))
    np.testing.assert_array_equal(rows.read(positions.reshape(3, 1))[:, 0], rows.read(positions))


def test_counts_alone_are_transformed():
    view = fit(sets=("bits", "counts"), counts_transform="log1p")
    found = view(torch.from_numpy(rows_of(view).read(TRAIN))).numpy()
    compounds = TABLE["structure_row"][TRAIN]
    np.testing.assert_array_equal(found[:, :4], VALUES["bits"][compounds])
    np.testing.assert_allclose(found[:, 4:], np.log1p(VALUES["counts"][compounds].astype(float)), rtol=1e-6)


def test_descriptors_are_standardised_by_the_training_compounds():
    """Each compound counts once, unknown values count as the mean, and large ones are clipped."""
    view = fit(sets=("bits", "numbers"))
    known = np.array([1, 2, 4.0])
    assert view.mean == (pytest.approx(known.mean()), 5)
    assert view.std == (pytest.approx(known.std()), 1)
    found = view(torch.from_numpy(rows_of(view, rows=np.arange(6)).read(np.arange(6)))).numpy()
    expected = (np.array([1, 2, 0, 4, 0, 7]) - known.mean()) / known.std()
    expected[2], expected[4] = 0, 10
    np.testing.assert_allclose(found[:, 4], expected, rtol=1e-5)
    np.testing.assert_array_equal(found[:, 5], np.zeros(6))
    clipped = fit(sets=("numbers",), clip=1.0)(torch.from_numpy(VALUES["numbers"]))
    assert clipped.abs().max() == 1


def test_other_compounds_do_not_change_what_is_learned():
    changed = {**VALUES, "numbers": VALUES["numbers"].copy()}
    changed["numbers"][4:] = 3
    assert fit(StructureFeatures(SETS, changed), sets=("numbers",)) == fit(sets=("numbers",))


def test_other_settings_and_missing_sets_or_rows_are_refused():
    view = fit(sets=("counts",))
    with pytest.raises(ValueError, match="there is no set torsions of structural features, only bits, counts, numbers"):
        fit(sets=("torsions",))
    other = StructureFeatures({**SETS, "counts": SETS["counts"] | {"radius": 3}}, VALUES)
    with pytest.raises(ValueError, match=r"the set counts .* has other settings \(radius\) than in training: train"):
        rows_of(view, other)
    for row in (6, -1):
        with pytest.raises(ValueError, match=f"no structural features of row {row}, since there are only 6"):
            rows_of(view, rows=np.array([0, row]))
    with pytest.raises(
        ValueError, match="the set counts of structural features does not have 3 features of 6 compounds"
    ):
        StructureFeatures(SETS, {**VALUES, "counts": VALUES["counts"][:, :2]})


def test_the_settings_name_each_set_once():
    for sets in ((), ("bits", "bits")):
        with pytest.raises(ValueError, match="the view structures needs `sets`, the names of one or more sets"):
            StructureSettings(sets)
    with pytest.raises(ValueError, match="clip must be positive"):
        StructureSettings(("bits",), clip=0)


def test_the_identity_of_rows_is_that_of_their_content():
    view = fit(sets=("counts",))
    changed = {**VALUES, "counts": VALUES["counts"].copy()}
    changed["counts"][1, 1] += 1
    identities = [
        rows_of(view).identity,
        rows_of(view, StructureFeatures(SETS, changed)).identity,
        rows_of(view, rows=TABLE["structure_row"][::-1]).identity,
        rows_of(fit(sets=("bits",))).identity,
    ]
    assert len(set(identities)) == 4
    unread = {**VALUES, "bits": 1 - VALUES["bits"]}
    assert rows_of(view, StructureFeatures(SETS, unread)).identity == identities[0]


def test_without_sets_there_are_no_compounds():
    assert len(StructureFeatures({}, {})) == 0
    assert isinstance(fit(sets=("bits",)), Structures)
