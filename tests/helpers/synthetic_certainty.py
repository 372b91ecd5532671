"""How sure the answers of the invented study are: the tables of the pipeline ``uncertainty``."""

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.evaluation.answers import AnswerSettings, measure_answers, retrieval_answers, zero_shot_answers
from cloome_kedro.evaluation.familiarity import familiarity_of_methods
from cloome_kedro.evaluation.methods import Method
from cloome_kedro.evaluation.zero_shot_protocols import Protocol
from cloome_kedro.words import PROBING, RANDOM, TASKS, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA


def make_certainty(examples, field_embeddings, compound_embeddings, labels):
    """Tables by name. All models have the embeddings of the first one; probabilities of probes are invented."""
    methods = {label: Method(field_embeddings, compound_embeddings, TASKS) for label in labels}
    in_order = examples.sort_values(["inchikey", "field_id"])
    folds = {
        fold: in_order[in_order["fold"] == fold].reset_index(drop=True) for fold in ("train", "validation", "test")
    }
    measured = {fold: folds[fold] for fold in ("validation", "test")}
    protocols = {ZERO_SHOT_COMPOUND: [Protocol(("plate",))], ZERO_SHOT_MOA: [Protocol(("plate", "compound"))]}
    answers = [*retrieval_answers(methods, measured, 0), *zero_shot_answers(methods, measured, protocols, 0)]
    sets, answered, calibration = measure_answers(iter(answers), AnswerSettings(seed=0))
    probes = [
        {"method": method, "calibrated": calibrated, "error": 0.1, "brier": 0.2}
        for method, calibrated in [*((label, state) for label in labels for state in (False, True)), (RANDOM, True)]
    ]
    probes = pd.DataFrame(probes).assign(task=PROBING, direction=None, shown_by="mean", excluded=None)
    probes = probes.assign(temperature=np.nan, error_of_calibrated=0.05, n=12, calibration=14, compounds=28)
    tables = {
        "candidate_sets": (pd.concat(sets), schemas.candidate_sets),
        "answered": (pd.concat(answered), schemas.answered),
        "softmax_calibration": (pd.DataFrame(calibration), schemas.calibration),
        "probe_calibration": (probes, schemas.calibration),
        "familiarity": (pd.DataFrame(familiarity_of_methods(methods, folds, 100, 0)), schemas.familiarity),
    }
    identity = {"split": examples["split"].iloc[0], "split_hash": examples["split_hash"].iloc[0]}
    return {
        name: schema.validate(table.assign(**identity).reset_index(drop=True)[list(schema.columns)])
        for name, (table, schema) in tables.items()
    }
