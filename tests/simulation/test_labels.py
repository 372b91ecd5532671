import numpy as np
import pytest

from cloome_kedro.simulation.compounds import build_library
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.effects import phenotypes
from cloome_kedro.simulation.labels import FLIPPED, label_compounds

CONFIG = ScreenConfig(compounds=600)


@pytest.fixture(scope="module")
def library():
    return build_library(CONFIG)


@pytest.fixture(scope="module")
def known(library):
    return phenotypes(library, CONFIG.effect_strength)


@pytest.fixture(scope="module")
def labels(library, known):
    return label_compounds(library, known, CONFIG)


def test_labels_are_a_sparse_matrix_of_zeros_and_ones(library, labels):
    assert list(labels["compound_id"]) == list(library["compound_id"])
    matrix = labels.drop(columns="compound_id")
    assert matrix.shape[1] == CONFIG.assays >= 40
    assert set(np.unique(matrix.to_numpy()[matrix.notna()])) == {0.0, 1.0}
    assert 0.6 < matrix.isna().to_numpy().mean() < 0.8
    actives = (matrix == 1).sum()
    assert actives.min() >= 1
    assert (actives < 12).any()
    assert (actives > 30).any()


def test_cell_labels_follow_the_phenotype_up_to_the_errors(known, labels):
    sizes = known.loc[labels["compound_id"]].filter(like="phenotype_").abs()
    columns = [name for name in labels if "_cell_" in name]
    expected = np.column_stack(
        [
            sizes[axis] > sizes[axis].quantile(0.9)
            for axis in ("phenotype_" + name.split("_cell_")[1] for name in columns)
        ]
    )
    check_errors(labels[columns].to_numpy(), expected)


def test_target_labels_are_the_more_potent_two_thirds_of_a_mechanism(library, known, labels):
    column = "assay_001_target_tubulin_inhibitor"
    members = known.loc[labels["compound_id"], "mechanism"].to_numpy() == "tubulin inhibitor"
    potency = known.loc[labels["compound_id"], "potency"].to_numpy()
    label = labels[column].to_numpy()
    active = members & (label == 1)
    assert np.nanmean(label[~members]) < 3 * FLIPPED
    assert potency[active].mean() > potency[members].mean()


def check_errors(label: np.ndarray, expected: np.ndarray) -> None:
    measured = ~np.isnan(label)
    wrong = label[measured] != expected[measured]
    assert FLIPPED / 2 < wrong.mean() < 2 * FLIPPED


def test_same_seed_same_labels_whatever_the_number_of_assays(library, known, labels):
    fewer = label_compounds(library, known, ScreenConfig(compounds=600, assays=5))
    assert fewer.equals(labels[fewer.columns])
