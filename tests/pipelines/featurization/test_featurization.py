"""The pipelines on small tables, run by Kedro through the schemas of the catalog."""

import io
import logging

import numpy as np
import pandas as pd
import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.chemistry.fingerprints import morgan, pack, unpack
from cloome_kedro.chemistry.splits import SplitError, split_hash
from cloome_kedro.parameters import FingerprintParameters, SplitParameters
from cloome_kedro.pipelines.featurization import create_pipeline, create_split_pipeline
from cloome_kedro.pipelines.featurization.nodes import check_leaks, pair_fields

SMILES = ["C" * n + tail for n in range(1, 11) for tail in ("O", "N", "c1ccccc1")]


@pytest.fixture
def compound_table():
    ids = [f"c{i}" for i in range(len(SMILES))]
    table = pd.DataFrame({"compound_id": ids, "smiles": SMILES, "name": ids, "moa": None})
    extra = [("DMSO", "CS(C)=O", "DMSO", None), ("broken", "C(C", None, None), ("unused", "CCCCCCS", None, None)]
    return pd.concat([table, pd.DataFrame(extra, columns=table.columns)], ignore_index=True)


@pytest.fixture
def fields():
    rows = [(f"c{i}", concentration, False) for i in range(len(SMILES)) for concentration in (5.0, 1 / 3, np.nan)]
    rows += [("DMSO", np.nan, True), (None, np.nan, True), ("c0", 5.0, True), ("broken", 5.0, False)]
    table = pd.DataFrame(rows, columns=["compound_id", "concentration_um", "control"])
    table["site"] = np.arange(len(table))
    table["row"] = table["site"]
    table["field_id"] = "s/p/A01/" + table["site"].astype(str)
    return table.assign(screen="s", plate="p", well="A01", plate_file="p")


class Kept(MemoryDataset):
    """Stays when no node needs it any more, as a table on disk would."""

    def _release(self):
        pass


def run(pipeline, **inputs):
    catalog = DataCatalog({name.replace("params_", "params:"): MemoryDataset(data) for name, data in inputs.items()})
    for name in pipeline.all_outputs():
        catalog[name] = Kept()
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog[name].load() for name in pipeline.all_outputs()}


@pytest.fixture
def features(compound_table, fields):
    parameters = FingerprintParameters(bits=256)
    outputs = run(create_pipeline(), compound_table=compound_table, fields=fields, params_fingerprints=parameters)
    return {
        name: schemas.__dict__[name].validate(value) if name in schemas.__dict__ else value
        for name, value in outputs.items()
    }


def test_features(features):
    assert features["rejected_compounds"].values.tolist() == [["broken", "C(C", "not a SMILES"]]
    assert features["fingerprints"].shape == (len(SMILES) + 2, 256 // 8)
    assert len(features["pairs"]) == 3 * len(SMILES)


def test_fingerprints_follow_compounds(compound_table):
    from cloome_kedro.pipelines.featurization.nodes import fingerprint_compounds, standardise_compounds

    compounds, _, _ = standardise_compounds(compound_table)
    packed = fingerprint_compounds(compounds, FingerprintParameters(bits=256, radius=2, chirality=False))
    expected = morgan(compounds["smiles"], 256, radius=2, chirality=False)
    assert packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack(packed), expected)


def test_pairs(fields):
    compound_keys = pd.DataFrame(
        {"compound_id": ["c0", "c1", "DMSO"], "inchikey": [f"{c * 14}-UHFFFAOYSA-N" for c in "ABD"]}
    )
    pairs = schemas.pairs.validate(pair_fields(fields, compound_keys))
    assert list(pairs.columns) == list(schemas.pairs.columns)
    a, b = compound_keys["inchikey"][:2]
    assert pairs["treatment"].tolist() == [f"{a}@5", f"{a}@0.333333", f"{a}@", f"{b}@5", f"{b}@0.333333", f"{b}@"]
    assert pairs["row"].tolist() == list(range(6))  # neither controls nor c0 in a control well
    assert (pairs["inchikey"] == pairs["treatment"].str.partition("@")[0]).all()


def test_no_pairs_stop_the_run(fields):
    with pytest.raises(ValueError, match=f"none of the {3 * len(SMILES) + 1} treated fields"):
        pair_fields(fields, pd.DataFrame({"compound_id": ["x"], "inchikey": ["A"]}))


@pytest.fixture
def split_inputs(compound_table, fields):
    from cloome_kedro.pipelines.featurization.nodes import standardise_compounds

    compounds, compound_keys, _ = standardise_compounds(compound_table)
    return {
        "compounds": compounds,
        "pairs": pair_fields(fields, compound_keys),
        "fingerprints": pack(morgan(compounds["smiles"], 256)),
        "params_splits": SplitParameters(),
    }


@pytest.mark.parametrize("split", ["random", "scaffold"])
def test_split(split, split_inputs, caplog):
    caplog.set_level(logging.INFO, logger="cloome_kedro")
    outputs = run(create_split_pipeline(split), **split_inputs)
    folds = schemas.folds.validate(outputs["folds"])
    # neither the compound without a field nor DMSO
    assert set(folds["inchikey"]) == set(split_inputs["pairs"]["inchikey"])
    assert folds["fold"].value_counts().to_dict() == {"train": 18, "validation": 6, "test": 6}
    assert "train 18 compounds, 54 fields; validation 6 compounds, 18 fields" in caplog.text
    benzenes = split_inputs["compounds"].query("scaffold == 'c1ccccc1'")["inchikey"]
    if split == "scaffold":
        assert folds[folds["inchikey"].isin(benzenes)]["fold"].nunique() == 1
    leaks = schemas.leaks.validate(outputs["leaks"])
    found = leaks.groupby("kind")["compounds"].sum()
    assert found["structure"] == 0
    assert (found["scaffold"] > 0) == (split == "random")
    assert set(leaks["split_hash"]) == {split_hash(folds)}
    assert "of 6 test compounds" in caplog.text
    assert "LEAKS" not in caplog.text


def provided_table(text):
    """As the catalog reads it."""
    return schemas.provided_folds.validate(pd.read_csv(io.StringIO(text), dtype={"plate": str}))


def test_provided(split_inputs, caplog):
    table = provided_table("plate,well,site,fold\np,A01,0,train\np,A01,3,validation\np,A01,6,test\nq,A01,1,test\n")
    folds = run(create_split_pipeline("provided"), **split_inputs, provided_folds=table)["folds"]
    assert sorted(folds["fold"]) == ["test", "train", "validation"]
    assert "1 rows of provided_folds name nothing" in caplog.text
    assert f"{len(SMILES) - 3} compounds have no fold" in caplog.text


def test_provided_stereoisomers_in_two_folds_stop_the_run(split_inputs):
    from cloome_kedro.chemistry.standardise import standardise

    isomers = pd.DataFrame({"compound_id": ["R", "S", "x"], "smiles": ["C[C@H](N)Cl", "C[C@@H](N)Cl", "CCCl"]})
    compounds, keys, _ = standardise(isomers.assign(name=None, moa=None))
    pairs = keys.assign(plate="p", well=["A01", "A02", "A03"], site=1)
    table = provided_table("plate,well,fold\np,A01,train\np,A02,test\np,A03,validation\n")
    with pytest.raises(SplitError, match="provided split: 1 blocks cross folds"):
        run(
            create_split_pipeline("provided"),
            **{**split_inputs, "compounds": compounds, "pairs": pairs},
            provided_folds=table,
        )


def test_structures_in_two_folds_are_warned_of(split_inputs, caplog):
    compounds = split_inputs["compounds"].assign(block="A" * 14)
    folds = compounds[["inchikey"]].assign(fold=["train", "test"] * (len(compounds) // 2))
    leaks = check_leaks(folds, compounds, split_inputs["fingerprints"], SplitParameters())
    assert leaks.query("kind == 'structure' and fold == 'test'")["compounds"].tolist() == [len(compounds) // 2, 0]
    assert "THE SPLIT LEAKS: 16 of 16 compounds of the fold test" in caplog.text
