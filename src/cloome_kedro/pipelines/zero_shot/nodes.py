"""The node of ``zero_shot``. :mod:`cloome_kedro.schemas` describes the tables of the same names."""

import logging

from cloome_kedro.parameters import CorrectionParameters, StudyParameters, ZeroShotParameters
from cloome_kedro.parameters.evaluation import NO_CORRECTIONS

logger = logging.getLogger(__name__)


def classify_fields(
    methods,
    examples,
    study: StudyParameters,
    zero_shot: ZeroShotParameters,
    seed: int,
    corrections: CorrectionParameters = NO_CORRECTIONS,
):
    """Rank the compound and the mechanism of every field of the fold, by every protocol, method and draw.

    Fields of compounds without a mechanism are left out of the task that classifies mechanisms. If no field can be a
    query of a task, the task has no rows, and a warning is logged.

    Returns
    -------
    zero_shot_ranks, zero_shot_metrics, zero_shot_differences
        Ranks of the first draw only, metrics and differences of all draws. Differences are each exclusion minus none,
        the same plate minus all plates, the first method minus each other one, each model minus the profiles,
        and each corrected method minus the method as it is.

    Raises
    ------
    ValueError
        If the fold has no fields, or methods were gathered for other folds.
    """
    import pandas as pd
    from tqdm import tqdm

    from cloome_kedro import schemas
    from cloome_kedro.evaluation.comparison import pairs_to_compare
    from cloome_kedro.evaluation.corrected_methods import corrected_pairs
    from cloome_kedro.evaluation.methods import check_methods, methods_of_task
    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.evaluation.summary import SETTING, Summary
    from cloome_kedro.evaluation.zero_shot_protocols import (
        MethodResult,
        classes_of,
        compare_results,
        draw_plans,
        evaluate_ranks,
        protocols_of,
        rank_method,
        warn_of_combinations,
    )
    from cloome_kedro.words import CLEAN, PROFILES, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

    check_methods(methods, examples)
    split = examples["split"].iloc[0]
    classes = classes_of(fold_fields(examples, zero_shot.fold))
    warn_of_combinations(classes[ZERO_SHOT_MOA], f"{split} split: ")
    summary = Summary(zero_shot.top_k, zero_shot.confidence, seed)
    results: list[MethodResult] = []
    differences = []
    for task, fields in classes.items():
        logger.info("%s split, %s: %d fields of %d classes", split, task, len(fields), fields["label"].nunique())
        protocols = protocols_of(
            zero_shot.exclude, zero_shot.shown_by, zero_shot.same_plate, task == ZERO_SHOT_COMPOUND
        )
        plans = draw_plans(fields, protocols, zero_shot.draws, seed)
        if not plans:
            logger.warning("%s split: %s is left out, since no query has a reference of its class", split, task)
            continue
        by_method = {}
        for name, method in tqdm(methods_of_task(methods, task).items(), desc=f"{split}, {task}", unit="method"):
            ranks = {
                protocol: table.assign(split=split, task=task, method=name, images=CLEAN)
                for protocol, table in rank_method(method, fields, plans, seed).items()
            }
            by_method[name] = evaluate_ranks(ranks, summary)
        results += by_method.values()
        corrected = corrected_pairs(by_method, corrections.labels)
        for a, b in pairs_to_compare(list(by_method), study.labels, PROFILES, corrected):
            differences += compare_results(by_method[a], by_method[b], b, summary)

    def join(tables, schema):
        tables = [table for table in tables if len(table)]
        table = pd.concat(tables, ignore_index=True) if tables else schemas.empty(schema)
        return table.assign(split_hash=examples["split_hash"].iloc[0]) if "split_hash" in schema.columns else table

    first_draws = [table[table["draw"] == 0] for result in results for table in result.ranks.values()]
    metrics = join([table for result in results for table in result.metrics], schemas.metrics)
    # Rows of the method Random repeat for every method that knows all fields.
    metrics = metrics.drop_duplicates([*SETTING, "draws", "metric"], ignore_index=True)
    differences = join(
        [*(table for result in results for table in result.differences), *differences], schemas.differences
    )
    return join(first_draws, schemas.ranks), metrics, differences
