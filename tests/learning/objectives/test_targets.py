"""Similarities of the pairs of a batch, by loops and by RDKit."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit import Chem, DataStructs
from rdkit.Chem import rdFingerprintGenerator

from cloome_kedro.learning.objectives.targets import check_targets, needed, similarities
from objective_formulas import cosine, min_max, similarity

SMILES = ["CCO", "CCN", "c1ccccc1O", "c1ccccc1N", "CC(=O)Oc1ccccc1C(=O)O", "CCCCCCCC", "O"]


def found(targets, inputs, unit=None, dtype=torch.float64):
    sets = {needed(targets)[0]: torch.tensor(inputs, dtype=dtype), "unit": torch.arange(len(inputs))}
    return similarities(targets, sets | ({} if unit is None else {"unit": torch.tensor(unit)})).numpy()


@settings(max_examples=50)
@given(n=st.integers(2, 9), p=st.integers(1, 12), largest=st.integers(1, 5), seed=st.integers(0, 99))
def test_tanimoto_is_its_closed_form(n, p, largest, seed):
    rng = np.random.default_rng(seed)
    counts, unit = rng.integers(0, largest + 1, (n, p)), rng.integers(0, n, n)
    expected = similarity(counts, unit, min_max)
    np.testing.assert_allclose(found("tanimoto", counts, unit), expected, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_tanimoto_is_that_of_rdkit(dtype):
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=256)
    molecules = [Chem.MolFromSmiles(smiles) for smiles in SMILES]
    for compute, array in [
        (generator.GetFingerprint, generator.GetFingerprintAsNumPy),
        (generator.GetCountFingerprint, generator.GetCountFingerprintAsNumPy),
    ]:
        fingerprints = [compute(molecule) for molecule in molecules]
        expected = [[DataStructs.TanimotoSimilarity(a, b) for b in fingerprints] for a in fingerprints]
        values = np.stack([array(molecule) for molecule in molecules]).astype(float)
        np.testing.assert_allclose(found("tanimoto", values, dtype=dtype), expected, rtol=1e-6)


@pytest.mark.parametrize("targets", ["compound_cosine", "field_cosine"])
def test_cosines_are_their_closed_form(targets):
    inputs, unit = np.random.default_rng(0).normal(size=(8, 5)), [0, 1, 2, 3, 3, 1, 4, 5]
    np.testing.assert_allclose(found(targets, inputs, unit), similarity(inputs, unit, cosine), atol=1e-12)


def test_empty_inputs_are_similar_to_nothing_but_themselves():
    for targets in ("tanimoto", "field_cosine"):
        np.testing.assert_array_equal(found(targets, [[0.0, 0], [0, 0], [1, 0]])[:2], np.eye(3)[:2])


def test_negative_inputs_have_no_tanimoto():
    with pytest.raises(ValueError, match="compares bits or counts, but the view of compounds gives negative numbers"):
        found("tanimoto", [[1.0, -0.1], [0, 1]])


def test_what_is_compared_must_be_known():
    with pytest.raises(ValueError, match="targets must be one of tanimoto, compound_cosine, field_cosine, is dice"):
        check_targets("S2L", "dice", 0.5)
    with pytest.raises(ValueError, match=r"S2L: threshold must be from 0 to 1, is 1\.5"):
        check_targets("S2L", "tanimoto", 1.5)


def test_similarities_have_no_gradient():
    inputs = torch.rand(3, 4, requires_grad=True)
    assert not similarities("field_cosine", {"field_input": inputs, "unit": torch.arange(3)}).requires_grad
