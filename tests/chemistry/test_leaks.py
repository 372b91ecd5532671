import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rdkit.DataStructs import CreateFromBitString, TanimotoSimilarity

from cloome_kedro.chemistry import leaks
from cloome_kedro.chemistry.fingerprints import morgan, pack
from cloome_kedro.chemistry.leaks import find_leaks, nearest
from cloome_kedro.chemistry.standardise import standardise


def similarities(one, two):
    """Every pair by RDKit."""
    vectors = [[CreateFromBitString("".join(map(str, row))) for row in side] for side in (one, two)]
    return np.array([[TanimotoSimilarity(a, b) for b in vectors[1]] for a in vectors[0]]).reshape(len(one), len(two))


def expected(similarity, threshold):
    """Largest coefficient and first row that has it, 0 and -1 below the threshold."""
    best = similarity.max(axis=1, initial=0)
    row = np.where(best >= threshold, similarity.argmax(axis=1) if similarity.size else -1, -1)
    return np.where(best >= threshold, best, 0), row


@settings(max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    sizes=st.tuples(st.integers(0, 25), st.integers(0, 25)),
    threshold=st.sampled_from([0.2, 1 / 3, 0.5, 0.75, 0.8, 0.9, 0.95, 1.0]),
    block=st.integers(1, 9),
)
def test_nearest_is_rdkits(seed, sizes, threshold, block):
    """Few bits and copies of one another: coefficients on the threshold, ties and empty fingerprints all happen."""
    rng = np.random.default_rng(seed)
    base = rng.random((4, 24)) < rng.choice([0.05, 0.5, 0.9])
    one, two = ((base[rng.integers(0, 4, n)] ^ (rng.random((n, 24)) < 0.05)).astype(np.uint8) for n in sizes)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(leaks, "_BLOCK", block)
        found = nearest(pack(one), pack(two), threshold)
    similarity = similarities(one, two)
    for side, table in zip(found, (similarity, similarity.T), strict=True):
        best, row = expected(table, threshold)
        np.testing.assert_allclose(side.similarity, best, rtol=1e-12)
        np.testing.assert_array_equal(side.row, row)


@pytest.mark.parametrize("threshold", [0, 1.01, -1])
def test_thresholds_outside_of_0_to_1_are_refused(threshold):
    with pytest.raises(ValueError, match=f"near-duplicates is {threshold}"):
        nearest(np.zeros((1, 4), np.uint8), np.zeros((1, 4), np.uint8), threshold)


SMILES = {
    "long": "CCCCCCCCCCCCCCCCCCCCO",  # its environments are all those of the next
    "longer": "CCCCCCCCCCCCCCCCCCCCCCO",
    "toluene": "Cc1ccccc1",
    "phenol": "Oc1ccccc1",
    "left": "C[C@H](N)Cl",
    "right": "C[C@@H](N)Cl",
    "ethanol": "CCO",
}
FOLD = {
    "long": "train", "longer": "test", "toluene": "train", "phenol": "validation", "left": "train", "right": "test",
    "ethanol": "validation",
}  # fmt: skip


@pytest.fixture
def screen():
    table = pd.DataFrame({"compound_id": list(SMILES), "smiles": SMILES.values(), "name": None, "moa": None})
    compounds, keys, *_ = standardise(table)
    keys = dict(zip(keys["compound_id"], keys["inchikey"], strict=True))
    folds = pd.DataFrame({"inchikey": [keys[name] for name in FOLD], "fold": FOLD.values()})
    return keys, folds, compounds, pack(morgan(compounds["smiles"], 1024))


def test_leaks_of_each_kind(screen):
    keys, folds, compounds, fingerprints = screen
    table = find_leaks(folds.sample(frac=1, random_state=0), compounds, fingerprints)
    assert len(table) == 18
    assert table["of"].tolist() == table["fold"].map({"train": 3, "validation": 2, "test": 2}).tolist()
    found = table[table["compounds"] > 0].set_index(["kind", "fold", "other_fold"])
    assert found["compounds"].to_dict() == {
        ("structure", "train", "test"): 1,
        ("structure", "test", "train"): 1,
        ("scaffold", "train", "validation"): 1,
        ("scaffold", "validation", "train"): 1,
        ("scaffold", "train", "test"): 1,  # the acyclic isomers are their own scaffold
        ("scaffold", "test", "train"): 1,
        ("near-duplicate", "train", "test"): 1,
        ("near-duplicate", "test", "train"): 1,
    }
    assert found.loc[("structure", "train", "test"), "example"] == keys["left"][:14] == keys["right"][:14]
    assert found.loc[("scaffold", "train", "validation"), "example"] == "c1ccccc1"
    assert found.loc[("near-duplicate", "test", "train"), "example"] == f"{keys['longer']} and {keys['long']}, 1.000"
    assert table.loc[table["compounds"] == 0, "example"].isna().all()


def test_the_threshold_counts(screen):
    _, folds, compounds, fingerprints = screen

    def near(threshold):
        table = find_leaks(folds, compounds, fingerprints, threshold).query("kind == 'near-duplicate'")
        return table.set_index(["fold", "other_fold"])["compounds"]

    assert near(0.01).loc["train"].to_dict() == {"validation": 3, "test": 3}
    assert (near(0.01) >= near(0.4)).all()
    assert near(0.4).sum() > near(0.95).sum() == 2


def test_unknown_compounds_and_other_fingerprints_are_refused(screen):
    keys, folds, compounds, fingerprints = screen
    with pytest.raises(ValueError, match=f"compound {keys['ethanol']} of the folds"):
        find_leaks(folds, *(x[compounds["inchikey"] != keys["ethanol"]] for x in (compounds, fingerprints)))
    with pytest.raises(ValueError, match="6 fingerprints but 7 compounds: run the pipeline featurization again"):
        find_leaks(folds, compounds, fingerprints[1:])
