"""Nodes of ``zero_shot``. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import ZeroShotParameters

logger = logging.getLogger(__name__)


def classify_fields(methods, examples, zero_shot: ZeroShotParameters, seed: int):
    """Rank the compound and the mechanism of every field of the fold, by every protocol, method and draw.

    Fields of compounds without a mechanism are not asked about it. What a screen cannot answer has no rows, with a
    warning.

    Returns
    -------
    zero_shot_ranks, zero_shot_metrics, zero_shot_differences
        Ranks of the first draw alone; metrics and differences of all. Differences are those of each exclusion to none,
        of the same plate to all plates, and of the first method to each other one.

    Raises
    ------
    ValueError
        If the fold has no fields, or methods are of other folds.
    """
    import pandas as pd
    from tqdm import tqdm

    from cloome_kedro import schemas
    from cloome_kedro.evaluation.methods import asked, check_methods
    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.evaluation.summary import SETTING, Summary
    from cloome_kedro.evaluation.zero_shot_protocols import (
        classes_of,
        draw_plans,
        evaluate_ranks,
        protocols_of,
        rank_method,
    )
    from cloome_kedro.words import CLEAN, ZERO_SHOT_COMPOUND, ZERO_SHOT_MOA

    check_methods(methods, examples)
    split = examples["split"].iloc[0]
    classes = classes_of(fold_fields(examples, zero_shot.fold))
    moa = classes[ZERO_SHOT_MOA].set_index("inchikey")["label"].astype("str")
    if several := moa[moa.str.contains("|", regex=False)].index.nunique():
        logger.warning(
            "%s: %d compounds have several mechanisms: every combination counts as a class of its own", split, several
        )
    summary = Summary(zero_shot.top_k, zero_shot.confidence, seed)
    results = []
    for question, fields in classes.items():
        logger.info("%s, %s: %d fields of %d classes", split, question, len(fields), fields["label"].nunique())
        protocols = protocols_of(
            zero_shot.exclude, zero_shot.shown_by, zero_shot.same_plate, question == ZERO_SHOT_COMPOUND
        )
        plans = draw_plans(fields, protocols, zero_shot.draws, seed)
        if not plans:
            logger.warning(
                "%s: %s is left out, for no class has a second field that could be asked about", split, question
            )
            continue
        model = None
        for name, method in tqdm(asked(methods, question).items(), desc=f"{split}, {question}", unit="method"):
            ranks = {
                protocol: table.assign(split=split, task=question, method=name, images=CLEAN)
                for protocol, table in rank_method(method, fields, plans, seed).items()
            }
            found = evaluate_ranks(name, ranks, summary, model)
            model = model or found
            results.append(found)

    def joined(tables, schema):
        tables = [table for table in tables if len(table)]
        table = pd.concat(tables, ignore_index=True) if tables else schemas.empty(schema)
        return table.assign(split_hash=examples["split_hash"].iloc[0]) if "split_hash" in schema.columns else table

    first_draws = [table[table["draw"] == 0] for found in results for table in found.ranks.values()]
    metrics = joined([table for found in results for table in found.metrics], schemas.metrics)
    # Chance is the same for every method that knows all fields.
    metrics = metrics.drop_duplicates([*SETTING, "draws", "metric"], ignore_index=True)
    differences = joined([table for found in results for table in found.differences], schemas.differences)
    return joined(first_draws, schemas.ranks), metrics, differences
