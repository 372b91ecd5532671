import pickle

import numpy as np
import pytest
import torch

from cloome_kedro.learning.views.morgan import Fingerprints, Morgan, MorganSettings

BITS = np.random.default_rng(0).integers(0, 2, (6, 16), dtype=np.uint8)
SETTINGS = {"radius": 2, "bits": 16, "chirality": False}
FINGERPRINTS = Fingerprints(np.packbits(BITS, axis=1), SETTINGS)
VIEW = Morgan(**SETTINGS)


def rows(structure_rows, fingerprints=FINGERPRINTS, view=VIEW):
    return view.rows({"structure_row": structure_rows}, {"fingerprints": fingerprints})


def test_rows_are_bits_of_the_structures():
    found = rows([5, 0, 5, 2])
    assert found.known.tolist() == [True] * 4
    bits = found.read(np.array([3, 0, 2]))
    np.testing.assert_array_equal(bits, BITS[[2, 5, 5]])
    again = pickle.loads(pickle.dumps(found.read))  # for the processes of several devices
    np.testing.assert_array_equal(again(np.array([3, 0, 2])), bits)


def test_the_encoder_gets_numbers_and_training_the_same():
    batch = torch.from_numpy(BITS)
    assert VIEW(batch).dtype == torch.float32
    np.testing.assert_array_equal(VIEW(batch).numpy(), BITS)
    assert torch.equal(VIEW.augment(batch, np.arange(6)), VIEW(batch))
    assert VIEW.differences({"structure_row": [0]}, {"fingerprints": FINGERPRINTS}) == []


def test_a_view_has_the_settings_of_the_fingerprints():
    view = MorganSettings().fit({}, {"fingerprints": FINGERPRINTS}, np.arange(3), seed=0, progress=False)
    assert view == VIEW
    assert (view.inputs, len(FINGERPRINTS)) == (16, 6)


@pytest.mark.parametrize("change", [{"radius": 3}, {"bits": 8}, {"chirality": True}])
def test_fingerprints_of_other_settings_are_refused(change):
    settings = SETTINGS | change
    packed = np.packbits(BITS[:, : settings["bits"]], axis=1)
    ((name, value),) = change.items()
    message = (
        f"'{name}': {value}.*, but the model was trained on .*'{name}': {SETTINGS[name]}.*: train the model again, or"
    )
    with pytest.raises(ValueError, match=message):
        rows([0], Fingerprints(packed, settings))


@pytest.mark.parametrize(("structure_rows", "named"), [([0, 6, 1], 6), ([0, -1, 5], -1), ([9, 7], 9)])
def test_a_structure_without_a_fingerprint_is_named(structure_rows, named):
    with pytest.raises(
        ValueError, match=f"no fingerprint of row {named}, since there are only 6: run the pipeline featurization again"
    ):
        rows(structure_rows)


@pytest.mark.parametrize(
    "packed", [np.zeros((6, 3), np.uint8), np.zeros((6, 2), np.int64), np.zeros(2, np.uint8)], ids=str
)
def test_an_array_that_does_not_fit_the_settings_is_refused(packed):
    with pytest.raises(ValueError, match="do not have 16 bits: run the pipeline featurization again"):
        Fingerprints(packed, SETTINGS)


def test_the_identity_of_rows_is_that_of_their_content():
    changed = BITS.copy()
    changed[5, 3] ^= 1
    others = Fingerprints(np.packbits(changed, axis=1), SETTINGS)
    chiral = SETTINGS | {"chirality": True}
    identity = rows([0, 5, 1]).identity
    assert identity == rows([0, 5, 1]).identity
    assert rows([0, 4, 1]).identity == rows([0, 4, 1], others).identity
    different = [
        rows([0, 5, 1], others).identity,
        rows([5, 0, 1]).identity,
        rows([0, 5]).identity,
        rows([0, 5, 1], Fingerprints(FINGERPRINTS.packed, chiral), Morgan(**chiral)).identity,
    ]
    assert len({identity, *different}) == 1 + len(different)
