import pandas as pd
import pytest
from rdkit.Chem import MolFromSmiles
from rdkit.Chem.inchi import MolToInchiKey
from rdkit.Chem.Scaffolds.MurckoScaffold import MurckoScaffoldSmiles

from cloome_kedro.chemistry.splits.by_structure import scaffold_split
from cloome_kedro.simulation import compounds
from cloome_kedro.simulation.compounds import build_library
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.mechanisms import INACTIVE, INACTIVES, MECHANISMS, Mechanism

NO_PAIRS = pd.DataFrame()  # the scaffold split does not read them


@pytest.fixture(scope="module")
def library():
    return build_library(ScreenConfig())


@pytest.fixture(scope="module")
def scaffolds(library):
    return library["smiles"].map(MurckoScaffoldSmiles)


def test_structures_are_distinct_in_the_first_block(library):
    blocks = {MolToInchiKey(MolFromSmiles(smiles))[:14] for smiles in library["smiles"]}
    assert len(blocks) == len(library) == 1280
    assert library["compound_id"].is_unique
    assert library["name"].is_unique
    assert library["compound_id"].str.fullmatch(r"VRT-K\d{8}").all()


def test_a_quarter_is_inactive_and_mechanisms_are_equally_large(library):
    counts = library["mechanism"].value_counts()
    assert counts.pop(INACTIVE) == 320
    assert len(counts) == len(MECHANISMS)
    assert counts.max() - counts.min() <= 1


def test_every_mechanism_has_several_scaffolds(library, scaffolds):
    assert scaffolds.groupby(library["mechanism"]).nunique().min() >= 15
    assert scaffolds.nunique() >= 500


def test_series_have_ten_to_twenty_five_compounds(library):
    series = {t.name for m in MECHANISMS for t in m.templates if t.is_series}
    assert library.loc[library["template"].isin(series), "template"].value_counts().between(10, 25).all()


@pytest.mark.parametrize("seed", range(5))
def test_scaffold_split_keeps_whole_templates_of_known_mechanisms_out_of_training(library, scaffolds, seed):
    table = pd.DataFrame({"inchikey": library["compound_id"], "block": library["compound_id"], "scaffold": scaffolds})
    folds = scaffold_split(table, NO_PAIRS, {"train": 0.6, "validation": 0.2, "test": 0.2}, seed)
    training = library[library["compound_id"].isin(folds.loc[folds["fold"] == "train", "inchikey"])]
    unseen = set(library["template"]) - set(training["template"])
    assert len(unseen) >= 2
    assert set(library["mechanism"]) == set(training["mechanism"])


def test_order_tells_nothing_of_the_mechanism(library):
    same = (library["mechanism"] == library["mechanism"].shift()).mean()
    expected = (library["mechanism"].value_counts(normalize=True) ** 2).sum()
    assert abs(same - expected) < 0.04


def test_same_seed_same_library():
    small = ScreenConfig(compounds=60)
    pd.testing.assert_frame_equal(build_library(small), build_library(small))
    assert set(build_library(small)["smiles"]) != set(build_library(ScreenConfig(compounds=60, seed=1))["smiles"])


def test_more_compounds_than_templates_can_give(monkeypatch):
    series = Mechanism("small", {}, tuple(t for t in INACTIVES.templates if t.is_series))
    monkeypatch.setattr(compounds, "INACTIVES", series)
    with pytest.raises(ValueError, match="200 structures of 'small' are needed, but its templates give only 40"):
        build_library(ScreenConfig(compounds=200, inactive_fraction=1.0))
