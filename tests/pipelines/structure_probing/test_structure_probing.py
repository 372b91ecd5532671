"""Probes of structures alone, on planted labels."""

import numpy as np
import pandas as pd
import pytest
from kedro.validation.type_extractor import TypeExtractor
from rdkit import Chem

from cloome_kedro import schemas
from cloome_kedro.inference import Cloome
from cloome_kedro.parameters import (
    LabelParameters,
    ProbingParameters,
    SplitParameters,
    StructureFeatureParameters,
    StructureParameters,
    StructureProbingParameters,
    StudyParameters,
)
from cloome_kedro.pipelines.structure_probing import create_pipeline
from planted_examples import run_pipeline

HEADS = ["C1CCCCC1", "C1CCOC1", "C1CCNCC1", "c1ccccc1", "c1ccncc1", "c1ccoc1"]
SMILES = [f"{'C' * n}{tail}{head}" for head in HEADS for n in range(1, 7) for tail in ("O", "N", "C(=O)N", "S")]


@pytest.fixture(scope="module")
def structures():
    """The first assay is that of aromatic rings; the second is random; the third has no actives."""
    aromatic = [any(atom.GetIsAromatic() for atom in Chem.MolFromSmiles(smiles).GetAtoms()) for smiles in SMILES]
    random = np.random.default_rng(0).integers(0, 2, len(SMILES))
    table = pd.DataFrame({"id": [f"c{i}" for i in range(len(SMILES))], "smiles": SMILES, "aromatic": aromatic})
    return table.assign(random=random, never=0).astype(str)


def given(structures, **changes):
    inputs = {
        "structure_table": structures.rename(columns={"id": "compound_id"})[["compound_id", "smiles"]],
        "assay_labels": structures.rename(columns={"id": "compound_id"}).drop(columns="smiles"),
        "structure_checkpoints": {},
        "published_aucs": pd.DataFrame({"compound_id": []}),
        "params:structures": StructureParameters(),
        "params:labels": LabelParameters(table={}),
        "params:splits": SplitParameters(),
        "params:structure_features": StructureFeatureParameters(
            sets={"counts": {"kind": "morgan", "counts": True, "size": 256}, "keys": {"kind": "maccs"}}, n_jobs=1
        ),
        "params:structure_probing": StructureProbingParameters(
            methods={"Counts": ["counts"], "Both": ["counts", "keys"]}
        ),
        "params:probing": ProbingParameters(c_grid=[0.01, 1, 100], resamples=100),
        "params:seed": 0,
        "params:study": StudyParameters(screen="s", simulated=True, models={"cloome": "CLOOME"}),
    }
    return inputs | changes


def run(inputs, split="random"):
    found = run_pipeline(create_pipeline(split), inputs)
    for table in ("compounds", "rejected_compounds", "labels", "label_joins", "folds", "probing_scores", "metrics"):
        getattr(schemas, table).validate(found[f"structure_probing_{table}"])
    schemas.differences.validate(found["structure_probing_differences"])
    return found


def test_structures_predict_what_they_say_and_nothing_else(structures):
    found = run(given(structures))
    scores = found["structure_probing_probing_scores"]
    aucs = scores.pivot(index="assay", columns="method", values="auc")
    assert (aucs.loc["aromatic"] == 1).all()
    assert (aucs.loc["random"] < 0.85).all()
    assert scores.set_index("assay").loc["never", "scored"].tolist() == [False, False]
    folds = found["structure_probing_folds"]
    assert folds["fold"].value_counts().to_dict() == {"train": 86, "validation": 29, "test": 29}
    first = scores[scores["assay"] == "random"].iloc[0]
    assert first["test_actives"] + first["test_inactives"] == 29
    text = found["structure_probing_summary"]
    assert "2 assays, 29 test compounds" in text
    assert "SIMULATED" in text
    assert "Counts minus" in text
    assert "id or name" in text
    mean = aucs["Counts"].dropna().mean()
    assert f"{mean:.3f} [" in text


def test_published_values_stand_beside(structures):
    published = pd.DataFrame(
        {
            "assay_id": ["aromatic", "random", "other", "aromatic"],
            "descriptor": ["cs", "cs", "cs", "ge"],
            "auc": ["0.8", "0.6", "0.1", "0.3"],
        }
    )
    parameters = StructureProbingParameters(methods={"Counts": ["counts"]}, published={"Structure": "cs"})
    inputs = given(structures, published_aucs=published, **{"params:structure_probing": parameters})
    found = run(inputs)
    assert "Structure (published)" in found["structure_probing_summary"]
    assert "0.700 of 2 assays" in found["structure_probing_summary"]
    legend = found["structure_probing_figure"].figure.axes[0].get_legend()
    assert any("Structure (published): 0.700" in text.get_text() for text in legend.get_texts())
    wrong = parameters.model_copy(update={"published": {"Structure": "absent"}})
    with pytest.raises(ValueError, match="there is no descriptor absent of these assays"):
        run_pipeline(create_pipeline("random"), inputs | {"params:structure_probing": wrong})


def test_embeddings_of_models_are_probed(structures, monkeypatch):
    """The embedding of this model is whether a structure is aromatic, so that its probe is perfect."""

    class Model:
        def embed_structures(self, smiles, **options):
            return np.array([["c" in text, 1] for text in smiles], np.float32)

    monkeypatch.setattr(Cloome, "of", lambda checkpoint, device: Model())
    scores = run(given(structures, structure_checkpoints={"A model": "checkpoint"}))["structure_probing_probing_scores"]
    found = scores[scores["method"] == "A model"].set_index("assay")["auc"]
    assert found["aromatic"] == 1
    assert 0.2 < found["random"] < 0.8


def test_scaffolds_are_kept_together(structures):
    found = run(given(structures), "scaffold")
    places = found["structure_probing_compounds"].merge(found["structure_probing_folds"], on="inchikey")
    assert (places.groupby("scaffold")["fold"].nunique() == 1).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"structure_table": pd.DataFrame({"compound_id": ["c1"]})}, "has no column of structures such as smiles"),
        ({"assay_labels": pd.DataFrame({"compound_id": ["z"], "x": ["1"]})}, "no compound of the table .* has a label"),
        (
            {"params:structure_probing": StructureProbingParameters(methods={"A": ["absent"]})},
            r"there is no set absent in structure_features\.sets",
        ),
    ],
    ids=["no structures", "no labels", "no set"],
)
def test_what_cannot_be_probed(structures, changes, message):
    with pytest.raises(ValueError, match=message):
        run_pipeline(create_pipeline("random"), given(structures, **changes))


def test_parameters_are_typed_for_kedro():
    types = TypeExtractor({"probing": create_pipeline("scaffold")}).extract_types_from_pipelines()
    assert set(types) == {
        *("structures", "labels", "splits", "structure_features", "structure_probing", "probing", "study")
    }
