"""The comparison pipeline: its joint results from hits, and a run of the project."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cloome_kedro import schemas
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.parameters import CompareParameters, RetrievalParameters, StudyParameters
from cloome_kedro.pipelines.compare import create_joint_pipeline
from cloome_kedro.pipelines.compare.nodes import _hits
from cloome_kedro.words import DIRECTIONS
from planted_examples import inchikey, run_pipeline

COMPARE = CompareParameters(
    chosen="study",
    seeds=[0, 1],
    resamples=200,
    lists={"study": {"reference": "bilinear", "models": {"cloome": "CLOOME", "bilinear": "Bilinear"}}},
)
INPUTS = {
    "params:compare": COMPARE,
    "params:study": StudyParameters(screen="s", simulated=True, models={"cloome": "CLOOME"}),
    "params:retrieval": RetrievalParameters(top_k=[1, 10]),
}


def hits(split, chances, compounds=range(60)):
    """Hits of both models: a compound is found with the chance of its model."""
    generator = np.random.default_rng(len(split))
    rows = [
        {"split": split, "seed": seed, "method": method, "direction": direction, "compound": inchikey(compound)}
        for method in chances
        for seed in (0, 1)
        for direction in DIRECTIONS
        for compound in compounds
    ]
    table = pd.DataFrame(rows).assign(candidates=20.0, chance_1=0.05, chance_10=0.5, split_hash="0" * 16)
    found = generator.random(len(table)) < table["method"].map(chances)
    return schemas.comparison_hits.validate(table.assign(**{"top-1": found.astype(float), "top-10": 1.0}))


def run(tables):
    inputs = {f"{split}.comparison_study_hits": table for split, table in tables.items()}
    return run_pipeline(create_joint_pipeline(list(tables), "study"), {**INPUTS, **inputs})


def test_models_are_compared_drawn_and_described():
    found = run({split: hits(split, {"CLOOME": 0.6, "Bilinear": 0.2}) for split in ("random", "scaffold")})
    comparison = schemas.comparison.validate(found["comparison_study"])
    assert set(comparison["split"]) == {"random", "scaffold"}
    assert set(comparison.loc[comparison["metric"] == "top-1", "verdict"].dropna()) == {"above"}
    assert set(comparison.loc[comparison["metric"] == "top-10", "verdict"].dropna()) == {"no different"}
    assert isinstance(found["comparison_study_figure"], Figure)
    summary = found["comparison_study_summary"]
    assert "SIMULATED DATA" in summary
    row = comparison.query("split == 'scaffold' and method == 'CLOOME' and direction == 'both' and metric == 'top-1'")
    for number in (100 * row["value"].item(), 100 * row["difference"].item()):
        assert f"{number:.1f}" in summary.split("scaffold split")[1]


def test_folds_of_a_cross_validation_are_one_row():
    tables = {
        f"scaffold_fold_{number}": hits(f"scaffold_fold_{number}", {"CLOOME": 0.5, "Bilinear": 0.5}, compounds)
        for number, compounds in ((1, range(40)), (2, range(40, 90)))
    }
    comparison = run(tables)["comparison_study"]
    assert set(comparison["split"]) == {"scaffold_fold"}
    assert set(comparison["compounds"]) == {90}


def test_the_mean_over_fields_can_stand_for_a_compound():
    """Noise of two fields that cancels in their mean hides a match only from single fields."""
    number = np.arange(12)
    keys = [inchikey(each) for each in number]
    fields = pd.DataFrame({"field_id": [f"{each}/{copy}" for each in number for copy in "ab"]})
    fields = fields.assign(inchikey=np.repeat(keys, 2), split="random", plate="P")
    structures = np.eye(24)[number]
    noise = 3 * np.eye(24)[12 + number]
    vectors = np.stack([structures + noise, structures - noise], axis=1).reshape(24, 24)
    fields_and_compounds = (
        Embeddings(fields["field_id"].to_numpy(), unit_rows(vectors), {"normalised": True}),
        Embeddings(np.array(keys), unit_rows(structures + 0.5 * noise), {"normalised": True}),
    )
    retrieval = RetrievalParameters(candidates=12, draws=4, top_k=[1])
    found = {
        shown_by: _hits(fields_and_compounds, fields, retrieval, 0, shown_by)["top-1"].mean()
        for shown_by in ("field", "mean")
    }
    assert found["mean"] == 1
    assert found["field"] < 0.9


@pytest.mark.slow
def test_models_are_trained_once_and_compared(study):
    """A second run trains nothing again, and the study's own trainings are used."""
    (study.folder / "conf" / "test" / "parameters_compare.yml").write_text(
        """
compare:
  chosen: short
  seeds: [0, 1]
  lists:
    short:
      reference: bilinear
      models:
        cloome: CLOOME
        shorter: {label: One epoch, of: cloome, changes: {fit.epochs: 1}}
        bilinear: Bilinear
        both: {label: Both, of: fusion, changes: {parts: [cloome, bilinear]}}
        ridge: Ridge
"""
    )
    first = study.kedro("run", "--env", "test", "--pipelines", "compare", "--namespaces", "random.comparison")
    found = schemas.comparison_hits.validate(study.load("random.comparison_short_hits"))
    assert set(found["method"]) == {"CLOOME", "One epoch", "Bilinear", "Both", "Ridge"}
    assert set(found["seed"]) == {0, 1}
    assert (first.stdout + first.stderr).count("this training is already finished") == 5
    again = study.kedro(
        *("run", "--env", "test", "--pipelines", "compare", "--namespaces", "random.comparison", "--fresh")
    )
    assert (again.stdout + again.stderr).count("this training is already finished") == 10
    assert "fields/s" not in again.stdout + again.stderr, "nothing was trained or embedded again"
    pd.testing.assert_frame_equal(study.load("random.comparison_short_hits"), found)
    ranks = study.load("random.retrieval_ranks").query(
        "method == 'CLOOME' and pool == 'sampled' and shown_by == 'field'"
    )
    assert found.query("method == 'CLOOME' and seed == 0")["top-1"].mean() == pytest.approx((ranks["rank"] == 1).mean())
