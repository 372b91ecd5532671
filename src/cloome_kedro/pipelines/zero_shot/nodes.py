"""Nodes of the zero-shot pipeline. Tables are those of :mod:`cloome_kedro.schemas` of the same name."""

import logging

from cloome_kedro.parameters import ZeroShotParameters

logger = logging.getLogger(__name__)


def classify_fields(
    image_embeddings,
    untrained_embeddings,
    field_profiles,
    cell_counts,
    pairs,
    compounds,
    folds,
    parameters: ZeroShotParameters,
    seed: int,
    *,
    split: str,
):
    """Rank the compound and the mechanism of every field of the fold, by every protocol, method and draw.

    Methods are the model, the same architecture untrained, classical profiles (standardised by the training fold), and
    confounders, whose ties are broken at random. Fields of compounds without a mechanism are not asked about it. What a
    screen cannot answer has no rows, with a warning.

    Returns
    -------
    ranks, metrics, differences
        Ranks of the first draw alone; metrics and differences of all. Differences are those of each exclusion to none,
        of the same plate to all, and of the model to each other method.

    Raises
    ------
    ValueError
        If the embeddings are of a model trained on other folds, or the fold has no fields.
    KeyError
        If a field has no embedding.
    """
    import pandas as pd
    from tqdm import tqdm

    from cloome_kedro import schemas
    from cloome_kedro.chemistry.splits import split_hash
    from cloome_kedro.datasets.embeddings import check_split
    from cloome_kedro.evaluation.retrieval import fold_fields
    from cloome_kedro.evaluation.summary import SETTING
    from cloome_kedro.evaluation.zero_shot_protocols import classes_of, draw_plans, evaluate_method, protocols_of

    identity = split_hash(folds)
    check_split(image_embeddings, "image_embeddings", identity, split, parameters.fold)
    check_split(untrained_embeddings, "untrained_embeddings", identity, split, parameters.fold)
    fields = fold_fields(pairs, folds, parameters.fold, split)[["field_id", "plate", "well", "inchikey"]]
    methods = _methods(image_embeddings, untrained_embeddings, field_profiles, cell_counts, pairs, fields, folds, split)
    classes = classes_of(fields, compounds)
    moa = classes["zero-shot MoA"].set_index("inchikey")["label"].astype("str")
    if several := moa[moa.str.contains("|", regex=False)].index.nunique():
        logger.warning(
            "%s: %d compounds have several mechanisms: every combination counts as a class of its own", split, several
        )
    settings = parameters.top_k, parameters.confidence, seed
    ranks, metrics, differences = [], [], []
    for task, labelled in classes.items():
        logger.info("%s, %s: %d fields of %d classes", split, task, len(labelled), labelled["label"].nunique())
        of_compounds = task == "zero-shot compound"
        protocols = protocols_of(parameters.exclude, parameters.shown_by, parameters.same_plate, of_compounds)
        plans = draw_plans(labelled, protocols, parameters.draws, seed)
        if not plans:
            logger.warning("%s: %s is left out, for no class has a second field that could be asked about", split, task)
            continue
        setting = {"split": split, "task": task, "images": "clean"}
        model = None
        for name, method in tqdm(methods.items(), desc=f"{split}, {task}", unit="method"):
            asked = method.of(labelled.index)
            found = evaluate_method(name, asked, labelled, plans, setting, *settings, model)
            model = found if name == "CLOOME" else model
            ranks += [table[table["draw"] == 0] for table in found.ranks.values()]
            metrics += found.metrics
            differences += found.differences

    def joined(tables, schema):
        tables = [table for table in tables if len(table)]
        table = pd.concat(tables, ignore_index=True) if tables else schemas.empty(schema)
        return table.assign(split_hash=identity) if "split_hash" in schema.columns else table

    # Chance is the same for every method that knows all fields.
    of_metrics = joined(metrics, schemas.metrics).drop_duplicates([*SETTING, "draws", "metric"], ignore_index=True)
    return joined(ranks, schemas.ranks), of_metrics, joined(differences, schemas.differences)


def _methods(image_embeddings, untrained_embeddings, field_profiles, cell_counts, pairs, fields, folds, split):
    """What ranks fields, by name, the model first."""
    from cloome_kedro.evaluation.confounders import confounder_vectors
    from cloome_kedro.evaluation.features import standardised_profiles, unit_rows
    from cloome_kedro.evaluation.zero_shot_protocols import Method

    methods = {"CLOOME": Method(image_embeddings.of(fields["field_id"]))}
    training = pairs["inchikey"].isin(folds.loc[folds["fold"] == "train", "inchikey"]).to_numpy()
    profiles, missing = standardised_profiles(field_profiles, pairs["field_id"], training)
    rows = pairs.set_index("field_id").index.get_indexer(fields["field_id"])
    profiles, known = profiles[rows], ~missing[rows]
    if not known.all():
        logger.warning(
            "%s: %d of %d fields have no profile: the method Profiles is not asked about them",
            split,
            (~known).sum(),
            len(known),
        )
    if known.any():
        methods["Profiles"] = Method(unit_rows(profiles), known=known)
    methods["Untrained"] = Method(untrained_embeddings.of(fields["field_id"]))
    for name, vectors in confounder_vectors(fields, cell_counts).items():
        methods[name] = Method(vectors, ties="random")
    return methods
