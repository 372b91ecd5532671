"""What a training reads of the examples: which rows train, which validate, and what their inputs are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloome_kedro.learning.data import pair_data
from cloome_kedro.learning.views.base import Rows, View
from cloome_kedro.learning.views.images import Images, ImageSettings
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan, MorganSettings
from cloome_kedro.learning.views.profiles import ProfileSettings
from stored_plates import write_plates

BITS = np.random.default_rng(0).integers(0, 2, (8, 16), dtype=np.uint8)
FINGERPRINTS = Fingerprints(np.packbits(BITS, axis=1), {"radius": 3, "bits": 16, "chirality": True})
VIEWS = {"field": ProfileSettings(), "compound": MorganSettings()}


def make_examples(folds, structures):
    """A field of each row, by fold and compound; compounds 0 and 1 have one treatment, the others one each."""
    structures = np.array(structures)
    return pd.DataFrame(
        {
            "field_id": [f"f{row}" for row in range(len(folds))],
            "structure_row": structures,
            "treatment": [f"t{max(1, structure)}" for structure in structures],
            "fold": folds,
        }
    )


#: compounds 0 to 3 train with three fields each, 4 and 5 validate with two each
EXAMPLES = make_examples(["train"] * 12 + ["validation"] * 4, [0, 1, 2, 3] * 3 + [4, 5] * 2)


def profiles_of(examples, missing=()):
    values = np.random.default_rng(1).normal(5, 2, (len(examples), 3))
    profiles = pd.DataFrame(values, columns=["a", "b", "c"]).assign(field_id=examples["field_id"])
    return profiles[~profiles["field_id"].isin(missing)].reset_index(drop=True)


def pairs_of(examples=EXAMPLES, missing=(), seed=0, unit="structure_row", views=VIEWS, **sources):
    sources = {"field_profiles": profiles_of(examples, missing), "fingerprints": FINGERPRINTS} | sources
    return pair_data(examples, sources, views, seed, unit, progress=False)


def test_all_training_fields_train_and_one_of_each_validation_compound_validates():
    pairs, known = pairs_of()
    assert pairs.train.tolist() == list(range(12))
    structures = EXAMPLES["structure_row"].to_numpy()
    assert structures[pairs.validation].tolist() == [4, 5]
    assert set(EXAMPLES["fold"].iloc[pairs.validation]) == {"validation"}
    assert known.all()
    assert pairs.names(np.array([3, 15])) == ["f3", "f15"]


def test_both_sides_read_the_same_pair():
    pairs, _ = pairs_of()
    positions = np.array([13, 2, 7])
    expected = profiles_of(EXAMPLES)[["a", "b", "c"]].to_numpy(np.float32)[positions]
    np.testing.assert_array_equal(pairs.field.rows.read(positions), expected)
    np.testing.assert_array_equal(pairs.compound.rows.read(positions), BITS[[5, 2, 3]])


def test_the_validation_fields_follow_the_seed():
    drawn = [tuple(pairs_of(seed=seed)[0].validation) for seed in range(40)]
    assert drawn == [tuple(pairs_of(seed=seed)[0].validation) for seed in range(40)]
    assert set(drawn) == {(12, 13), (12, 15), (14, 13), (14, 15)}


def test_views_learn_from_the_training_fold_alone():
    pairs, _ = pairs_of()
    of_training = profiles_of(EXAMPLES)[["a", "b", "c"]].to_numpy(np.float32)[:12].astype(float)
    np.testing.assert_allclose(pairs.field.view.mean, of_training.mean(0), rtol=1e-6)
    np.testing.assert_allclose(pairs.field.view.std, of_training.std(0), rtol=1e-6)
    assert pairs.compound.view == Morgan(3, 16, True)


def test_fields_without_an_input_are_left_out():
    pairs, known = pairs_of(missing=["f0", "f4", "f12", "f13", "f15"])
    assert known.tolist() == [row not in (0, 4, 12, 13, 15) for row in range(16)]
    assert pairs.train.tolist() == [1, 2, 3, 5, 6, 7, 8, 9, 10, 11]
    assert pairs.validation.tolist() == [14], "of compound 5 there is no input at all"


@settings(max_examples=50)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["train", "validation"]), st.integers(0, 7), st.booleans()), min_size=1, max_size=30
    ),
    seed=st.integers(0, 9),
)
def test_what_trains_and_validates_is_known_and_of_its_fold(rows, seed):
    folds, structures, missing = (list(column) for column in zip(*[("train", 0, False), *rows], strict=True))
    examples = make_examples(folds, structures)
    pairs, known = pairs_of(examples, examples["field_id"][np.array(missing)], seed)
    folds, structures = np.array(folds), np.array(structures)
    assert known.tolist() == [not row for row in missing]
    assert pairs.train.tolist() == np.flatnonzero((folds == "train") & known).tolist()
    held_out = structures[(folds == "validation") & known]
    assert structures[pairs.validation].tolist() == sorted(set(held_out))
    assert ((folds == "validation") & known)[pairs.validation].all()


def test_rows_of_other_folds_are_not_among_the_pairs():
    examples = make_examples(["train", "train", "validation", "test", "test"], [0, 1, 2, 3, 0])
    pairs, _ = pairs_of(examples)
    assert {*pairs.train, *pairs.validation} == {0, 1, 2}
    without, _ = pairs_of(examples[examples["fold"] != "test"])
    assert pairs.field.view == without.field.view


def test_a_unit_is_a_compound_or_a_treatment():
    by_compound, _ = pairs_of()
    by_treatment, _ = pairs_of(unit="treatment")
    assert len(set(by_compound.trained_units)) == 4
    assert len(set(by_treatment.trained_units)) == 3
    for column, pairs in (("structure_row", by_compound), ("treatment", by_treatment)):
        same_unit = pairs.units[:, None] == pairs.units[None]
        values = EXAMPLES[column].to_numpy()
        np.testing.assert_array_equal(same_unit, values[:, None] == values[None])


def test_the_identity_of_a_side_is_that_of_its_rows():
    pairs, _ = pairs_of()
    other_profiles = profiles_of(EXAMPLES).assign(a=0.0)
    changed, _ = pairs_of(field_profiles=other_profiles)
    assert changed.field.rows.identity != pairs.field.rows.identity
    assert changed.compound.rows.identity == pairs.compound.rows.identity
    assert pairs_of()[0].field.rows.identity == pairs.field.rows.identity


def test_images_come_from_the_plate_store(tmp_path):
    fields = np.random.default_rng(2).integers(0, 256, (16, 5, 12, 14), np.uint8)
    store = write_plates(tmp_path / "store", {"P": fields})
    order = np.random.default_rng(3).permutation(16)
    examples = EXAMPLES.assign(plate_file="P", row=order)
    views = {"field": ImageSettings(crop=8), "compound": MorganSettings()}
    pairs, known = pairs_of(examples, views=views, plate_store=store)
    assert known.all()
    assert isinstance(pairs.field.view, Images)
    np.testing.assert_array_equal(pairs.field.rows.read(np.array([5, 0])), fields[order[[5, 0]]])
    np.testing.assert_allclose(pairs.field.view.mean, fields[order[:12]].mean((0, 2, 3)), rtol=1e-9)


def test_without_training_fields_there_is_nothing_to_train_on():
    with pytest.raises(ValueError, match="the table examples has no field in the training fold"):
        pairs_of(make_examples(["validation", "test"], [0, 1]))
    with pytest.raises(ValueError, match="no field of the training fold has a row in field_profiles"):
        pairs_of(missing=[f"f{row}" for row in range(12)])


class Half(View):
    """Knows the rows of one parity; what is read of a row is its position."""

    inputs = 1

    def __init__(self, parity):
        self.parity = parity

    def fit(self, table, sources, train, seed, progress):
        return self

    def rows(self, table, sources):
        positions = np.arange(len(table))
        return Rows(positions.__getitem__, positions % 2 == self.parity, str(self.parity))

    def __call__(self, batch):
        return batch


def test_a_pair_needs_an_input_on_both_sides():
    pairs, known = pairs_of(views={"field": Half(1), "compound": MorganSettings()})
    assert known.tolist() == [row % 2 == 1 for row in range(16)]
    assert pairs.train.tolist() == [1, 3, 5, 7, 9, 11]
    with pytest.raises(ValueError, match="has an input on both sides of the model"):
        pairs_of(views={"field": Half(0), "compound": Half(1)})


def test_without_validation_fields_none_validate():
    pairs, _ = pairs_of(make_examples(["train"] * 3, [0, 1, 2]))
    assert len(pairs.validation) == 0
