"""Nodes of ``uncertainty``. :mod:`cloome_kedro.schemas` describes the tables of the same names."""

import logging

from cloome_kedro.parameters import (
    ProbingParameters,
    RetrievalParameters,
    StudyParameters,
    UncertaintyParameters,
    ZeroShotParameters,
)

logger = logging.getLogger(__name__)


def measure_sets(
    *,
    methods,
    examples,
    study: StudyParameters,
    retrieval: RetrievalParameters,
    zero_shot: ZeroShotParameters,
    uncertainty: UncertaintyParameters,
    seed: int,
):
    """Calibrate candidate sets and probabilities on the validation fold, and measure them on the test fold.

    One query per compound is used. Zero-shot classification uses the strictest protocol that the screen allows. If an
    evaluation is set to the validation fold, the test fold is not read, and nothing is measured.

    Returns
    -------
    candidate_sets, answered, softmax_calibration

    Raises
    ------
    ValueError
        If methods were gathered for other folds.
    """
    from itertools import chain

    import pandas as pd

    from cloome_kedro import schemas
    from cloome_kedro.evaluation.answers import AnswerSettings, measure_answers, retrieval_answers, zero_shot_answers
    from cloome_kedro.evaluation.methods import check_methods
    from cloome_kedro.evaluation.zero_shot_protocols import protocols_of
    from cloome_kedro.words import PROFILES, ZERO_SHOT, ZERO_SHOT_COMPOUND

    check_methods(methods, examples)
    split, split_hash = (str(examples[name].iloc[0]) for name in ("split", "split_hash"))
    chosen = {name: method for name, method in methods.items() if name in (*study.labels, PROFILES)}
    protocols = {
        task: protocols_of(zero_shot.exclude, zero_shot.shown_by, False, task == ZERO_SHOT_COMPOUND)
        for task in ZERO_SHOT
    }
    settings = AnswerSettings(
        uncertainty.levels, uncertainty.confidence, uncertainty.steps, uncertainty.bins, retrieval.top_k, seed
    )
    answers = chain(
        retrieval_answers(chosen, _folds(examples, retrieval.fold), seed),
        zero_shot_answers(chosen, _folds(examples, zero_shot.fold), protocols, seed),
    )
    sets, answered, calibration = measure_answers(answers, settings)
    tables = (
        (sets, schemas.candidate_sets),
        (answered, schemas.answered),
        ([pd.DataFrame(calibration)] if calibration else [], schemas.calibration),
    )
    found = [_joined(parts, schema, split, split_hash) for parts, schema in tables]
    few = found[0][found[0]["reason"].notna()]
    for reason, rows in few.groupby("reason"):
        logger.warning("%s split: %d candidate sets: %s", split, len(rows), reason)
    return tuple(found)


def calibrate_probabilities(
    *,
    methods,
    examples,
    labels,
    probing_scores,
    study: StudyParameters,
    probing: ProbingParameters,
    uncertainty: UncertaintyParameters,
):
    """Measure the probabilities of probes before and after Platt scaling on the validation fold.

    Returns
    -------
    probe_calibration
        Without rows if no assay was scored.
    """
    from cloome_kedro import schemas
    from cloome_kedro.evaluation.assays import ProbeInputs
    from cloome_kedro.evaluation.methods import check_methods, methods_of_task
    from cloome_kedro.evaluation.probe_calibration import calibrate_probes
    from cloome_kedro.words import PROBING, PROFILES

    check_methods(methods, examples)
    split, split_hash = (str(examples[name].iloc[0]) for name in ("split", "split_hash"))
    labels = labels.set_index("inchikey")
    fields = examples[examples["inchikey"].isin(labels.index)].sort_values("field_id", ignore_index=True)
    inputs = ProbeInputs(fields, labels, probing.c_grid, probing.level)
    scored = probing_scores[probing_scores["scored"]]
    chosen = {
        name: inputs.features(method)
        for name, method in methods_of_task(methods, PROBING).items()
        if name in (*study.labels, PROFILES) and name in set(scored["method"])
    }
    if not chosen:
        logger.warning("%s split: no assay is scored, so no probabilities of probes are calibrated", split)
        return schemas.empty(schemas.calibration)
    table = calibrate_probes(chosen, inputs, scored, uncertainty.bins).assign(
        task=PROBING,
        direction=None,
        shown_by="mean" if probing.level == "compound" else "field",
        excluded=None,
        temperature=float("nan"),
    )
    return _joined([table], schemas.calibration, split, split_hash)


def measure_familiarity(
    *,
    methods,
    examples,
    fingerprints,
    study: StudyParameters,
    retrieval: RetrievalParameters,
    uncertainty: UncertaintyParameters,
    seed: int,
):
    """Measure how similar the queries of validation and test fold are to the nearest training field or compound.

    Fields on the plate of the query do not count, if there are several plates: images of a user are of other plates.

    Returns
    -------
    familiarity
    """
    import pandas as pd

    from cloome_kedro import schemas
    from cloome_kedro.evaluation.familiarity import familiarity_of_methods, familiarity_of_structures
    from cloome_kedro.evaluation.methods import check_methods

    check_methods(methods, examples)
    split, split_hash = (str(examples[name].iloc[0]) for name in ("split", "split_hash"))
    folds = {"train": examples[examples["fold"] == "train"], **_folds(examples, retrieval.fold)}
    rows = familiarity_of_methods(
        {name: method for name, method in methods.items() if name in study.labels}, folds, uncertainty.similar, seed
    )
    rows.append(familiarity_of_structures(fingerprints.packed, folds, uncertainty.similar, seed))
    return _joined([pd.DataFrame(rows)], schemas.familiarity, split, split_hash)


def _folds(examples, fold: str) -> dict:
    """Fields of the validation and the test fold. That of the test fold is empty if the evaluation may not read it."""
    in_order = examples.sort_values(["inchikey", "field_id"])
    read = {"validation": "validation", "test": fold if fold == "test" else "none"}
    return {name: in_order[in_order["fold"] == kept].reset_index(drop=True) for name, kept in read.items()}


def _joined(tables, schema, split: str, split_hash: str):
    """Join tables, with the columns of the schema in its order. Without tables, there are no rows."""
    import pandas as pd

    from cloome_kedro import schemas

    if not tables:
        return schemas.empty(schema)
    table = pd.concat(tables, ignore_index=True).assign(split=split, split_hash=split_hash)
    return table[list(schema.columns)]
