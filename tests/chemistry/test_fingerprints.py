import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cloome_kedro.chemistry import fingerprints as module
from cloome_kedro.chemistry.fingerprints import morgan, pack, packed_morgan, unpack


def test_enantiomers_differ_only_with_chirality():
    pair = ["C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O"]
    with_chirality, without = morgan(pair, 2048), morgan(pair, 2048, chirality=False)
    assert (with_chirality[0] != with_chirality[1]).any()
    np.testing.assert_array_equal(without[0], without[1])


def test_unreadable_smiles_is_named():
    with pytest.raises(ValueError, match=r"row 1: .*'nonsense'"):
        morgan(["CCO", "nonsense"], 64)


def test_nothing():
    assert morgan([], 64).shape == (0, 64)
    assert packed_morgan([], 64).shape == (0, 8)


@pytest.mark.parametrize("parallel_from", [100, 5])
def test_parts_give_the_same_in_any_number_of_processes(monkeypatch, parallel_from):
    monkeypatch.setattr(module, "_STRUCTURES", 3)
    monkeypatch.setattr(module, "_PARALLEL_FROM", parallel_from)
    smiles = ["C" * length + end for length in range(1, 5) for end in ("O", "N")]
    np.testing.assert_array_equal(packed_morgan(smiles, 64), pack(morgan(smiles, 64)))


def test_unreadable_smiles_of_a_later_part_is_named(monkeypatch):
    monkeypatch.setattr(module, "_STRUCTURES", 2)
    with pytest.raises(ValueError, match=r"row 3: .*'nonsense'"):
        packed_morgan(["CCO", "C", "CC", "nonsense"], 64)
    with pytest.raises(ValueError, match="multiple of 8"):
        packed_morgan(["CCO"], 12)


@given(
    arrays(np.uint8, st.tuples(st.integers(0, 5), st.integers(1, 6).map(lambda n: 8 * n)), elements=st.integers(0, 1))
)
def test_packing_is_reversible(fingerprints):
    packed = pack(fingerprints)
    assert packed.shape == (len(fingerprints), fingerprints.shape[1] // 8)
    np.testing.assert_array_equal(unpack(packed), fingerprints)


def test_packing_refuses_what_it_could_not_undo():
    with pytest.raises(ValueError, match="multiple of 8"):
        pack(np.zeros((1, 12), np.uint8))
