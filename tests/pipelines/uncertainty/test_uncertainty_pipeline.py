"""The pipeline ``uncertainty`` on invented screens: tables by their schemas, and reasons where data are missing."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro import schemas
from cloome_kedro.evaluation.assays import ProbeInputs, probe
from cloome_kedro.evaluation.candidate_sets import ADAPTIVE, FIRST_K
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.learning.views.morgan import Fingerprints
from cloome_kedro.parameters import (
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
    UncertaintyParameters,
    ZeroShotParameters,
)
from cloome_kedro.pipelines.uncertainty import create_pipeline
from cloome_kedro.words import DIRECTIONS, PROFILES, RANDOM, RETRIEVAL, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA
from invented_answers import invented_screen
from planted_examples import run_pipeline

STUDY = StudyParameters(screen="s", simulated=False, models={"cloome": "CLOOME"})
TABLES = {
    "candidate_sets": schemas.candidate_sets,
    "answered": schemas.answered,
    "softmax_calibration": schemas.calibration,
    "probe_calibration": schemas.calibration,
    "familiarity": schemas.familiarity,
}


def inputs_of(examples, method, **parameters):
    """What the pipeline reads: the model, profiles with vectors of fields only, and a method that is not measured."""
    generator = np.random.default_rng(0)
    compounds = examples.drop_duplicates("inchikey").sort_values("structure_row")
    labels = pd.DataFrame({"inchikey": compounds["inchikey"]})
    for assay in range(3):
        labels[f"assay {assay}"] = (generator.random(len(labels)) < 0.5).astype(float)
    fields = examples.sort_values("field_id", ignore_index=True)
    probed = probe(
        {name: method.fields.of(fields["field_id"]) for name in ("CLOOME", PROFILES, "Plate only")},
        ProbeInputs(fields, labels.set_index("inchikey"), [1.0]),
    )
    scores = probed.table.assign(split="scaffold", split_hash=examples["split_hash"].iloc[0])
    bits = generator.integers(0, 2, (len(compounds), 64), dtype=np.uint8)
    return {
        "scaffold.methods": {"CLOOME": method, PROFILES: Method(method.fields), "Plate only": Method(method.fields)},
        "scaffold.examples": examples,
        "scaffold.probing_scores": scores[list(schemas.probing_scores.columns)],
        "labels": labels,
        "fingerprints": Fingerprints(np.packbits(bits, axis=1), {"radius": 3, "bits": 64, "chirality": True}),
        "params:study": STUDY,
        "params:retrieval": parameters.get("retrieval", RetrievalParameters()),
        "params:zero_shot": parameters.get("zero_shot", ZeroShotParameters()),
        "params:probing": ProbingParameters(c_grid=[1.0]),
        "params:uncertainty": parameters.get("uncertainty", UncertaintyParameters()),
        "params:seed": 0,
    }


def run(examples, method, **parameters):
    given = inputs_of(examples, method, **parameters)
    pipeline = create_pipeline("scaffold", "scaffold")
    assert pipeline.inputs() == set(given)
    outputs = run_pipeline(pipeline, given)
    return {name: schema.validate(outputs[f"scaffold.{name}"]) for name, schema in TABLES.items()}


@pytest.fixture(scope="module")
def tables():
    return run(*invented_screen())


def test_every_answer_has_sets_of_both_kinds_and_all_levels(tables):
    sets = tables["candidate_sets"]
    answers = sets.groupby(["task", "method", "shown_by"], sort=False).size()
    assert answers.to_dict() == {
        (RETRIEVAL, "CLOOME", "field"): 12,
        (RETRIEVAL, "CLOOME", "mean"): 12,
        (ZERO_SHOT_COMPOUND, "CLOOME", "field"): 6,
        (ZERO_SHOT_COMPOUND, PROFILES, "field"): 6,
        (ZERO_SHOT_MOA, "CLOOME", "field"): 6,
        (ZERO_SHOT_MOA, PROFILES, "field"): 6,
    }
    assert set(sets["direction"].dropna()) == set(DIRECTIONS)
    assert sets["calibration"].eq(120).all()
    assert sets["compounds"].eq(120).all()
    assert sets["reason"].isna().all()
    assert (sets["share"].notna() == (sets["kind"] == FIRST_K)).all()
    assert (sets["threshold"].notna() == (sets["kind"] == ADAPTIVE)).all()
    assert (sets["coverage"] > sets["level"] - 0.12).all()


def test_zero_shot_uses_the_strictest_protocol(tables):
    excluded = tables["candidate_sets"].groupby("task")["excluded"].unique()
    assert excluded[ZERO_SHOT_COMPOUND].tolist() == ["plate"]
    assert excluded[ZERO_SHOT_MOA].tolist() == ["plate+compound"]


def test_answers_become_more_accurate_as_fewer_are_given(tables):
    rows = tables["answered"]
    assert rows["share"].between(0.05, 1).all()
    assert set(rows["k"]) == {1, 5, 10}
    images = rows[(rows["task"] == RETRIEVAL) & (rows["k"] == 1) & (rows["shown_by"] == "field")]
    by_share = images.groupby("share")["accuracy"].mean()
    assert by_share[0.25] > by_share[1.0]


def test_temperatures_are_before_and_after(tables):
    rows = tables["softmax_calibration"]
    before = rows[~rows["calibrated"] & (rows["task"] == RETRIEVAL)]
    assert before["temperature"].tolist() == pytest.approx([0.1] * 4), "the inverse of that of the model"
    for task, error in rows.groupby(["task", "calibrated"])["error"].mean().groupby("task"):
        assert error[task, True] <= error[task, False] + 0.02
    assert set(tables["probe_calibration"]["method"]) == {"CLOOME", PROFILES, RANDOM}


def test_familiarity_has_a_row_for_each_side(tables):
    rows = tables["familiarity"]
    assert rows[["method", "side", "measure"]].fillna("").to_numpy().tolist() == [
        ["CLOOME", "image", "cosine"],
        ["CLOOME", "compound", "cosine"],
        ["", "compound", "Tanimoto"],
    ]


def test_with_few_validation_compounds_there_are_reasons(caplog):
    tables = run(*invented_screen(sizes=(40, 6, 40)))
    sets = tables["candidate_sets"]
    assert sets.loc[sets["level"] == 0.8, "reason"].isna().all()
    few = sets[sets["level"] > 0.8]
    assert few["reason"].str.contains("all candidates are listed").all()
    assert few["coverage"].eq(1).all()
    assert few["share"].dropna().eq(1).all()
    assert "validation compounds, there are 6" in caplog.text


def test_without_a_validation_fold_nothing_is_calibrated():
    examples, method = invented_screen(sizes=(40, 0, 40))
    tables = run(examples, method)
    assert tables["candidate_sets"]["reason"].str.contains("there are 0").all()
    assert not tables["softmax_calibration"]["calibrated"].any()
    assert len(tables["probe_calibration"]) == 0
    assert tables["familiarity"]["q01"].isna().all()


def test_a_single_candidate_is_not_measured():
    tables = run(*invented_screen(sizes=(40, 20, 1)))
    sets = tables["candidate_sets"]
    assert sets.query("task == 'retrieval'")["reason"].str.contains("there is a single candidate").all()
    assert sets["coverage"].isna().all()
    assert len(tables["answered"]) == len(tables["softmax_calibration"]) == 0


def test_the_test_fold_is_not_read_if_evaluations_use_the_validation_fold():
    """Results are the same whatever the test compounds are."""
    found = []
    for seed in (0, 1):
        examples, method = invented_screen()
        test = examples.loc[examples["fold"] == "test", "field_id"]
        changed = method.fields.vectors.copy()
        generator = np.random.default_rng(seed)
        changed[np.isin(method.fields.keys, test)] = generator.normal(size=(len(test), 12))
        changed /= np.linalg.norm(changed, axis=1, keepdims=True)
        fields = type(method.fields)(method.fields.keys, changed, method.fields.meta)
        parameters = {
            "retrieval": RetrievalParameters(fold="validation"),
            "zero_shot": ZeroShotParameters(fold="validation"),
        }
        found.append(run(examples, Method(fields, method.compounds, method.tasks), **parameters))
    for name in ("candidate_sets", "answered", "softmax_calibration", "familiarity"):
        pd.testing.assert_frame_equal(found[0][name], found[1][name])
    assert (found[0]["candidate_sets"]["reason"] == "no test compound is measured").all()
    assert len(found[0]["answered"]) == 0


def test_levels_are_sorted_and_without_repetitions():
    assert UncertaintyParameters(levels=[0.9, 0.5, 0.9]).levels == [0.5, 0.9]
    with pytest.raises(ValueError, match="levels"):
        UncertaintyParameters(levels=[1.0])


def test_a_screen_without_labels_and_mechanisms_has_the_other_tables(caplog):
    examples, method = invented_screen(sizes=(20, 30, 30))
    examples = examples.assign(moa=None)
    given = inputs_of(examples, method)
    given["labels"] = given["labels"].iloc[:0]
    given["scaffold.probing_scores"] = schemas.empty(schemas.probing_scores)
    outputs = run_pipeline(create_pipeline("scaffold", "scaffold"), given)
    assert set(outputs["scaffold.candidate_sets"]["task"]) == {RETRIEVAL, ZERO_SHOT_COMPOUND}
    assert len(schemas.calibration.validate(outputs["scaffold.probe_calibration"])) == 0
    assert "no assay is scored" in caplog.text


def test_the_report_has_a_part_even_without_any_result():
    from cloome_kedro.pipelines.reporting.uncertainty import describe_uncertainty

    tables = {name: schemas.empty(schema) for name, schema in TABLES.items()}
    text, figure = describe_uncertainty(
        examples=pd.DataFrame({"split": ["random"]}), **tables, study=STUDY, uncertainty=UncertaintyParameters()
    )
    assert "<table" not in text
    assert "No test compound is measured" in figure.texts[0].get_text()
