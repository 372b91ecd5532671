"""The pipelines on small tables, run by Kedro through the schemas of the catalog."""

import io
import logging

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError
from rdkit import Chem
from rdkit.Chem import Descriptors, rdFingerprintGenerator

from cloome_kedro import schemas
from cloome_kedro.chemistry.fingerprints import morgan, pack, unpack
from cloome_kedro.chemistry.folds import SplitError, split_hash
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import (
    FingerprintParameters,
    LabelParameters,
    SplitParameters,
    StructureFeatureParameters,
    StructureParameters,
)
from cloome_kedro.pipeline_registry import register_pipelines
from cloome_kedro.pipelines.featurization import create_pipeline, create_split_pipeline
from cloome_kedro.pipelines.featurization.nodes import (
    check_leaks,
    compute_structure_features,
    fingerprint_compounds,
    join_labels,
    make_examples,
    pair_fields,
    standardise_compounds,
)
from planted_examples import run_pipeline

LABELS = LabelParameters(table={})
SETS = {"counts": {"kind": "morgan", "counts": True, "size": 64}, "keys": {"kind": "maccs"}, "removed": None}
SMILES = ["C" * n + tail for n in range(1, 11) for tail in ("O", "N", "c1ccccc1")]


@pytest.fixture
def compound_table():
    ids = [f"c{i}" for i in range(len(SMILES))]
    table = pd.DataFrame({"compound_id": ids, "smiles": SMILES, "name": ids, "moa": [f"moa of {i}" for i in ids]})
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


@pytest.fixture
def assay_labels():
    """Two assays, by the screen's ids: of c0, of c1, of a compound without a field, of another screen's compound."""
    rows = [("c0", 1.0, np.nan), ("c1", 0.0, 1.0), ("unused", 1.0, 1.0), ("foreign", 1.0, 0.0)]
    return schemas.assay_labels.validate(pd.DataFrame(rows, columns=["compound_id", "one", "two"]))


# ---- what all splits share


@pytest.fixture
def features(compound_table, fields, assay_labels):
    inputs = {"compound_table": compound_table, "fields": fields, "assay_labels": assay_labels}
    parameters = {
        "params:structures": StructureParameters(),
        "params:fingerprints": FingerprintParameters(bits=256),
        "params:structure_features": StructureFeatureParameters(sets=SETS, n_jobs=1),
        "params:splits": SplitParameters(),
        "params:labels": LABELS,
    }
    found = run_pipeline(create_pipeline(), {**inputs, **parameters})
    tables = ("compounds", "compound_keys", "rejected_compounds", "merged_compounds", "pairs", "labels")
    return found | {name: getattr(schemas, name).validate(found[name]) for name in tables}


def test_features(features):
    assert features["rejected_compounds"].values.tolist() == [["broken", "C(C", "not a SMILES"]]
    assert features["fingerprints"].packed.shape == (len(SMILES) + 2, 256 // 8)
    assert features["fingerprints"].settings == {"radius": 3, "bits": 256, "chirality": True}
    assert len(features["pairs"]) == 3 * len(SMILES)
    keys = features["compound_keys"].set_index("compound_id")["inchikey"]
    assert features["labels"]["inchikey"].tolist() == sorted(keys[["c0", "c1"]])


def test_only_the_configured_sets_are_computed(features):
    found = features["structure_features"]
    shapes = {name: values.shape for name, values in found.values.items()}
    assert shapes == {"counts": (len(SMILES) + 2, 64), "keys": (len(SMILES) + 2, 167)}
    assert found.sets["counts"] == {"kind": "morgan", "counts": True, "size": 64, "radius": 2, "chirality": True}
    generator = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=64, includeChirality=True)
    for row in (0, 17):
        mol = Chem.MolFromSmiles(features["compounds"]["smiles"].iloc[row])
        np.testing.assert_array_equal(found.values["counts"][row], generator.GetCountFingerprintAsNumPy(mol))


def test_unknown_descriptors_are_counted(monkeypatch, caplog):
    numbers = [("weight", Descriptors.MolWt), ("charge", lambda mol: 1 / (mol.GetNumAtoms() - 1))]
    monkeypatch.setattr(Descriptors, "descList", numbers)
    compounds = pd.DataFrame({"smiles": ["C", "CC", "O"]})
    found = compute_structure_features(
        compounds, StructureFeatureParameters(sets={"d": {"kind": "descriptors"}}, n_jobs=1)
    )
    np.testing.assert_array_equal(np.isnan(found.values["d"]), [[False, True], [False, False], [False, True]])
    assert "the set d: 2 values of 1 descriptors are unknown or too large, in 2 of 3 compounds" in caplog.text


def test_settings_of_structures_reach_the_compounds():
    rows = [("long", "C" * 16), ("salt", "CCCN.OC(=O)c1ccc(I)cc1"), ("plain", "CCCN")]
    table = pd.DataFrame(rows, columns=["compound_id", "smiles"]).assign(name=None, moa=None)
    assert standardise_compounds(table, StructureParameters())[2]["compound_id"].tolist() == ["salt"]
    settings = StructureParameters(max_atoms=15, counter_ions={"Iodobenzoate": "OC(=O)c1ccc(I)cc1"})
    compounds, keys, rejected, _ = standardise_compounds(table, settings)
    assert rejected["compound_id"].tolist() == ["long"]
    assert keys["inchikey"].nunique() == 1
    assert compounds["stripped"].tolist() == ["Iodobenzoate"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"counter_ions": {"x": "C(C"}}, r"structures.counter_ions, x: 'C\(C' is not a SMILES of one counter-ion"),
        ({"counter_ions": {"x": "[Na+].[Cl-]"}}, "is not a SMILES of one counter-ion"),
        ({"counter_ions": ["CC"]}, "counter_ions"),
        ({"max_atoms": 0}, "max_atoms"),
        ({"max_atoms": 1024}, "max_atoms"),
        ({"salts": {}}, "salts"),
    ],
)
def test_wrong_settings_of_structures_are_named(settings, message):
    with pytest.raises(ValidationError, match=message):
        StructureParameters(**settings)


def test_fingerprints_follow_compounds(compound_table):
    compounds = standardise_compounds(compound_table, StructureParameters())[0]
    parameters = FingerprintParameters(bits=256, radius=2, chirality=False)
    fingerprints = fingerprint_compounds(compounds, parameters)
    expected = morgan(compounds["smiles"], 256, radius=2, chirality=False)
    assert fingerprints.packed.dtype == np.uint8
    np.testing.assert_array_equal(unpack(fingerprints.packed), expected)
    assert fingerprints.settings == {"radius": 2, "bits": 256, "chirality": False}


def test_pairs(fields):
    compound_keys = pd.DataFrame(
        {"compound_id": ["c0", "c1", "DMSO"], "inchikey": [f"{c * 14}-UHFFFAOYSA-N" for c in "ABD"]}
    )
    pairs = schemas.pairs.validate(pair_fields(fields, compound_keys, SplitParameters()))
    assert list(pairs.columns) == list(schemas.pairs.columns)
    a, b = compound_keys["inchikey"][:2]
    assert pairs["treatment"].tolist() == [f"{a}@5", f"{a}@0.333333", f"{a}@", f"{b}@5", f"{b}@0.333333", f"{b}@"]
    assert pairs["row"].tolist() == list(range(6))  # neither controls nor c0 in a control well
    assert (pairs["inchikey"] == pairs["treatment"].str.partition("@")[0]).all()


@pytest.mark.parametrize(
    ("compounds", "share", "said"),
    [
        (2, 0.2, "0 test compounds among 2 compounds"),
        (5, 0.2, "1 test compound among 5 compounds"),
        (7, 0.2, "1 test compound among 7 compounds"),
        (8, 0.2, ""),
        (5, 0.4, ""),
    ],
)
def test_too_few_compounds_for_an_evaluation_are_said_before_anything_is_measured(compounds, share, said, caplog):
    names = [f"c{i}" for i in range(compounds)]
    place = {"screen": "s", "plate": "p", "well": "A01", "site": 1, "plate_file": "p", "row": range(compounds)}
    fields = pd.DataFrame({"field_id": names, "compound_id": names, "control": False, "concentration_um": 1.0} | place)
    keys = pd.DataFrame({"compound_id": names, "inchikey": [f"{letter * 14}-A-N" for letter in "ABCDEFGH"[:compounds]]})
    pair_fields(fields, keys, SplitParameters(train=0.8 - share, test=share))
    assert ("cannot be evaluated" in caplog.text) == bool(said)
    assert said in caplog.text
    order = [node.short_name for node in register_pipelines()["study"].nodes]
    assert order.index("pair_fields") < order.index("measure_profiles")


def test_a_fold_of_one_compound_is_said(split_inputs, caplog):
    compounds = split_inputs["compounds"]
    few = split_inputs["pairs"][split_inputs["pairs"]["inchikey"].isin(split_inputs["pairs"]["inchikey"].unique()[:5])]
    make_examples(compounds, few, SplitParameters(), split="random")
    for fold in ("validation", "test"):
        assert f"random split: the {fold} fold cannot be evaluated: 1 {fold} compound" in caplog.text


def test_no_pairs_stop_the_run(fields):
    with pytest.raises(ValueError, match=f"none of the {3 * len(SMILES) + 1} treated fields"):
        pair_fields(fields, pd.DataFrame({"compound_id": ["x"], "inchikey": ["A"]}), SplitParameters())


# ---- labels


@pytest.fixture
def labelled(assay_labels, features):
    """Arguments of ``join_labels``, and the InChIKey of each compound id."""
    arguments = {
        "assay_labels": assay_labels,
        "compound_keys": features["compound_keys"],
        "compounds": features["compounds"],
        "pairs": features["pairs"],
        "labels": LABELS,
    }
    return arguments, features["compound_keys"].set_index("compound_id")["inchikey"]


def test_labels_are_those_of_compounds_with_a_field(labelled, caplog):
    caplog.set_level(logging.INFO, "cloome_kedro")
    arguments, keys = labelled
    joined, joins = join_labels(**arguments)
    labels = schemas.labels.validate(joined).set_index("inchikey")
    expected = pd.DataFrame({"one": [1.0, 0.0], "two": [np.nan, 1.0]}, index=[keys["c0"], keys["c1"]])
    pd.testing.assert_frame_equal(labels, expected.sort_index().rename_axis("inchikey"))
    assert schemas.label_joins.validate(joins).set_index("key").loc["id"].tolist() == [2, 3, 0]
    assert "2 compounds with 3 labels (2 active) in 2 assays" in caplog.text
    assert "2 compounds of the table with 4 labels are not in the screen" in caplog.text


def test_labels_by_inchikey_are_those_by_compound_id(labelled):
    arguments, keys = labelled
    keyed = arguments["assay_labels"].assign(inchikey=lambda table: table["compound_id"].map(keys))
    keyed = schemas.assay_labels.validate(keyed.dropna(subset="inchikey").drop(columns="compound_id"))
    found, expected = join_labels(**{**arguments, "assay_labels": keyed})[0], join_labels(**arguments)[0]
    pd.testing.assert_frame_equal(found, expected)


def test_labels_by_name(labelled):
    """Names of the compounds are their ids here; an id that is not in the screen may be the name of a compound."""
    arguments, _ = labelled
    named = {**arguments, "compound_keys": arguments["compound_keys"].assign(compound_id="other")}
    named["assay_labels"] = arguments["assay_labels"].rename(columns={"compound_id": "Compound Name"})
    pd.testing.assert_frame_equal(join_labels(**named)[0], join_labels(**arguments)[0])


def test_ids_that_disagree_are_told_and_count_as_not_measured(labelled, caplog):
    arguments, keys = labelled
    twin = pd.DataFrame({"compound_id": ["twin"], "one": [0.0], "two": [0.0]})
    of_twin = pd.DataFrame({"compound_id": ["twin"], "inchikey": [keys["c0"]]})
    arguments["assay_labels"] = pd.concat([arguments["assay_labels"], twin])
    arguments["compound_keys"] = pd.concat([arguments["compound_keys"], of_twin])
    labels, joins = join_labels(**arguments)
    row = labels.set_index("inchikey").loc[keys["c0"]]
    assert np.isnan(row["one"])
    assert row["two"] == 0, "one id measured it"
    assert joins["contradictions"].tolist() == [0, 0, 1, 0]
    assert "1 label of compounds with several measurements contradict each other" in caplog.text


@pytest.mark.parametrize("foreign", [False, True], ids=["no labels", "labels of other compounds"])
def test_a_screen_without_labels_has_an_empty_table(labelled, caplog, foreign):
    arguments, _ = labelled
    labels = arguments["assay_labels"].query("compound_id == 'foreign'")
    arguments["assay_labels"] = labels if foreign else schemas.empty(schemas.assay_labels)
    assert schemas.labels.validate(join_labels(**arguments)[0]).empty
    assert bool([record for record in caplog.records if record.levelno >= logging.WARNING]) == foreign


# ---- splits


@pytest.fixture
def split_inputs(compound_table, fields):
    compounds, compound_keys, *_ = standardise_compounds(compound_table, StructureParameters())
    fingerprints = Fingerprints(pack(morgan(compounds["smiles"], 256)), {"bits": 256})
    return {
        "compounds": compounds,
        "pairs": pair_fields(fields, compound_keys, SplitParameters()),
        "fingerprints": fingerprints,
        "params:splits": SplitParameters(),
    }


@pytest.mark.parametrize("split", ["random", "scaffold"])
def test_split(split, split_inputs, caplog):
    caplog.set_level(logging.INFO, logger="cloome_kedro")
    outputs = run_pipeline(create_split_pipeline(split), split_inputs)
    examples = schemas.examples.validate(outputs[f"{split}.examples"])
    folds = examples[["inchikey", "fold", "structure_row"]].drop_duplicates()
    # neither the compound without a field nor DMSO
    assert sorted(folds["inchikey"]) == sorted(split_inputs["pairs"]["inchikey"].unique())
    assert folds["fold"].value_counts().to_dict() == {"train": 18, "validation": 6, "test": 6}
    assert "train 18 compounds, 54 fields; validation 6 compounds, 18 fields" in caplog.text
    benzenes = split_inputs["compounds"].query("scaffold == 'c1ccccc1'")["inchikey"]
    if split == "scaffold":
        assert folds[folds["inchikey"].isin(benzenes)]["fold"].nunique() == 1
    leaks = schemas.leaks.validate(outputs[f"{split}.leaks"])
    found = leaks.groupby("kind")["compounds"].sum()
    assert found["structure"] == 0
    assert (found["scaffold"] > 0) == (split == "random")
    assert set(leaks["split_hash"]) == {split_hash(folds)}
    assert "of 6 test compounds" in caplog.text
    assert "LEAKS" not in caplog.text


def test_examples_join_pairs_folds_and_compounds(split_inputs):
    compounds, pairs, splits = (split_inputs[name] for name in ("compounds", "pairs", "params:splits"))
    shuffled = pairs.sample(frac=1, random_state=0).reset_index(drop=True)
    examples = schemas.examples.validate(make_examples(compounds, shuffled, splits, split="random"))
    pd.testing.assert_frame_equal(examples[list(pairs.columns)], shuffled)
    of_compound = compounds.iloc[examples["structure_row"]].reset_index(drop=True)
    assert (of_compound["inchikey"] == examples["inchikey"]).all()
    assert (of_compound["moa"] == examples["moa"]).all()
    assert set(examples["split"]) == {"random"}
    assert (examples.groupby("inchikey")["fold"].nunique() == 1).all()
    assert set(examples["split_hash"]) == {split_hash(examples[["inchikey", "fold"]].drop_duplicates())}
    again = make_examples(compounds, pairs, splits, split="random")
    assert set(again["split_hash"]) == set(examples["split_hash"]), "the order of pairs does not decide folds"
    other = make_examples(compounds, pairs, SplitParameters(seed=1), split="random")
    assert set(other["split_hash"]) != set(examples["split_hash"])


def provided_table(text):
    """As the catalog reads it."""
    return schemas.provided_folds.validate(pd.read_csv(io.StringIO(text), dtype={"plate": str}))


def test_provided(split_inputs, caplog):
    table = provided_table("plate,well,site,fold\np,A01,0,train\np,A01,3,validation\np,A01,6,test\nq,A01,1,test\n")
    pipeline = create_split_pipeline("provided")
    assert "provided_folds" in pipeline.inputs()
    examples = run_pipeline(pipeline, {**split_inputs, "provided_folds": table})["provided.examples"]
    by_fold = examples.groupby("fold")["site"].unique().map(list).to_dict()
    assert by_fold == {"train": [0, 1, 2], "validation": [3, 4, 5], "test": [6, 7, 8]}, "all fields of the compound"
    assert "1 rows of provided_folds match no compound or field" in caplog.text
    assert f"{len(SMILES) - 3} compounds have no fold" in caplog.text


@pytest.mark.parametrize("length", [14, 25, 27])
def test_provided_keys_may_be_cut(split_inputs, length):
    folds = ["train", "validation", "test"]
    keys = split_inputs["pairs"]["inchikey"].unique()[:3]
    lines = [f"{key[:length]},{fold}" for key, fold in zip(keys, folds, strict=True)]
    table = provided_table("\n".join(["inchikey,fold", *lines]))
    compounds, pairs, splits = (split_inputs[name] for name in ("compounds", "pairs", "params:splits"))
    examples = make_examples(compounds, pairs, splits, split="provided", provided_folds=table)
    assert examples.groupby("inchikey")["fold"].first().to_dict() == dict(zip(keys, folds, strict=True))


def test_provided_stereoisomers_in_two_folds_stop_the_run(split_inputs):
    isomers = pd.DataFrame({"compound_id": ["R", "S", "x"], "smiles": ["C[C@H](N)Cl", "C[C@@H](N)Cl", "CCCl"]})
    compounds, keys, *_ = standardise_compounds(isomers.assign(name=None, moa=None), StructureParameters())
    pairs = keys.assign(plate="p", well=["A01", "A02", "A03"], site=1)
    table = provided_table("plate,well,fold\np,A01,train\np,A02,test\np,A03,validation\n")
    with pytest.raises(SplitError, match="provided split: 1 blocks are in more than one fold"):
        make_examples(compounds, pairs, SplitParameters(), split="provided", provided_folds=table)


def test_an_empty_fold_stops_the_run(split_inputs):
    few = split_inputs["pairs"].query("site < 6")  # two compounds
    with pytest.raises(SplitError, match="random split: none of the 2 compounds is in "):
        make_examples(split_inputs["compounds"], few, SplitParameters(), split="random")


def test_structures_in_two_folds_are_warned_of(split_inputs, caplog):
    compounds = split_inputs["compounds"].assign(block="A" * 14)
    folds = compounds[["inchikey"]].assign(fold=["train", "test"] * (len(compounds) // 2))
    examples = pd.concat([folds, folds]).assign(split_hash="h")  # two fields of each compound
    leaks = check_leaks(examples, compounds, split_inputs["fingerprints"], SplitParameters())
    assert leaks.query("kind == 'structure' and fold == 'test'")["compounds"].tolist() == [len(compounds) // 2, 0]
    assert "THE SPLIT LEAKS: 16 of 16 compounds of the fold test" in caplog.text
    assert set(leaks["split_hash"]) == {"h"}


def test_parameters_are_typed_for_kedro():
    pipelines = {"shared": create_pipeline(), "split": create_split_pipeline("random")}
    found = TypeExtractor(pipelines).extract_types_from_pipelines()
    assert found == {
        "structures": StructureParameters,
        "fingerprints": FingerprintParameters,
        "structure_features": StructureFeatureParameters,
        "labels": LabelParameters,
        "splits": SplitParameters,
    }
