"""Nodes of ``structure_probing``. :mod:`cloome_kedro.schemas` describes the tables."""

import logging

from cloome_kedro.parameters import (
    LabelParameters,
    ProbingParameters,
    SplitParameters,
    StructureFeatureParameters,
    StructureParameters,
    StructureProbingParameters,
    StudyParameters,
)
from cloome_kedro.words import counted

logger = logging.getLogger(__name__)


def read_structures(structure_table, assay_labels, structures: StructureParameters, labels: LabelParameters):
    """Standardise a table of structures, and join the labels to them.

    Returns
    -------
    compounds, rejected_compounds, labels, label_joins

    Raises
    ------
    ValueError
        If the table has no column of structures.
    """
    import pandas as pd

    from cloome_kedro.chemistry.standardise import standardise
    from cloome_kedro.imaging.columns import find_column
    from cloome_kedro.missing import known
    from cloome_kedro.pipelines.featurization.nodes import join_labels

    columns = [str(name) for name in structure_table]
    found = {kind: find_column(columns, kind) for kind in ("smiles", "compound", "name", "moa")}
    if found["smiles"] is None:
        raise ValueError(
            f"{structure_table.attrs.get('file', 'structure_table')} has no column of structures such as smiles; its "
            f"columns are {', '.join(columns[:10])}"
        )
    given = {kind: known(structure_table[name]) if name else None for kind, name in found.items()}
    ids = given["smiles"] if given["compound"] is None else given["compound"]
    named = {kind: given[kind] for kind in ("smiles", "name", "moa")}
    table = pd.DataFrame({"compound_id": ids, **named}).dropna(subset="compound_id")
    table = table.drop_duplicates("compound_id", ignore_index=True)
    compounds, keys, rejected, _ = standardise(table, **structures.model_dump())
    logger.info(
        "%s give %s; %s",
        counted(len(table), "structure"),
        counted(len(compounds), "compound"),
        f"{counted(len(rejected), 'structure')} cannot be used",
    )
    joined, joins = join_labels(assay_labels, keys, compounds, compounds, labels)
    return compounds, rejected, joined, joins


def split_compounds(compounds, joined, splits: SplitParameters, *, split: str, **tables):
    """Split the labelled compounds: ``folds``."""
    from cloome_kedro.chemistry.folds import check_folds
    from cloome_kedro.chemistry.splits import find_split

    if joined.empty:
        raise ValueError("no compound of the table of structures has a label: see the log, and params:labels")
    labelled = compounds[compounds["inchikey"].isin(joined["inchikey"])].reset_index(drop=True)
    named = find_split(split)
    folds = named.function(splits.folds)(labelled, labelled, splits.fractions, splits.seed, **tables)
    check_folds(folds, labelled, split, named.facts["together"])
    return folds


def probe_structures(
    *,
    compounds,
    joined,
    folds,
    structure_checkpoints,
    structure_features: StructureFeatureParameters,
    structure_probing: StructureProbingParameters,
    probing: ProbingParameters,
    seed: int,
    split: str,
):
    """Fit a linear probe for each assay to each kind of features of structures.

    Returns
    -------
    probing_scores, metrics, differences
        Differences are the first method minus each other one.
    """
    import numpy as np

    from cloome_kedro import schemas
    from cloome_kedro.chemistry.folds import split_hash
    from cloome_kedro.chemistry.structure_sets import compute_sets
    from cloome_kedro.evaluation.assays import ProbeInputs, probe
    from cloome_kedro.evaluation.comparison import pairs_to_compare
    from cloome_kedro.evaluation.probe_metrics import ProbeSummary, summarise_probes
    from cloome_kedro.inference import Cloome

    chosen = compounds.merge(folds, on="inchikey")
    smiles = chosen["smiles"].tolist()
    names = dict.fromkeys(name for sets in structure_probing.methods.values() for name in sets)
    if unknown := [name for name in names if name not in structure_features.sets]:
        raise ValueError(f"structure_probing.methods: there is no set {unknown[0]} in structure_features.sets")
    sets = {name: structure_features.sets[name] for name in names}
    values = {
        name: np.log1p(part.astype(np.float32)) if part.dtype == np.uint16 else part.astype(np.float32)
        for name, part in compute_sets(smiles, sets, structure_features.n_jobs).items()
    }
    train = (chosen["fold"] == "train").to_numpy()
    features = {
        label: _scaled(np.concatenate([values[name] for name in sets], axis=1), train)
        for label, sets in structure_probing.methods.items()
    }
    for label, checkpoint in structure_checkpoints.items():
        features[label] = Cloome.of(checkpoint, "cpu").embed_structures(smiles, progress=False, standardise=False)
    fields = chosen[["inchikey", "fold"]].assign(field_id=chosen["inchikey"])
    inputs = ProbeInputs(fields, joined.set_index("inchikey"), probing.c_grid)
    probed = probe(features, inputs)
    tested = {method: (method, images) for method, images in probed.scores}
    comparisons = [(tested[a], tested[b], f"method {b}") for a, b in pairs_to_compare(list(tested), [], "")]
    summary = ProbeSummary(probing.unscorable, probing.confidence, probing.resamples, seed)
    metrics, differences = summarise_probes(probed, comparisons, summary)
    marks = {"split": split, "split_hash": split_hash(folds)}
    return tuple(
        table.assign(**marks)[list(schema.columns)]
        for schema, table in (
            (schemas.probing_scores, probed.table),
            (schemas.metrics, metrics),
            (schemas.differences, differences),
        )
    )


def _scaled(values, train):
    """Standardise descriptors by the training fold. Bits and logarithms of counts stay as they are."""
    import numpy as np

    if np.isfinite(values).all() and values.max() <= 20:
        return values
    mean, std = np.nanmean(values[train], axis=0), np.nanstd(values[train], axis=0)
    return np.nan_to_num((values - mean) / np.where(std > 0, std, 1)).clip(-10, 10)


def describe_probes(
    *,
    scores,
    metrics,
    differences,
    joins,
    published_aucs,
    study: StudyParameters,
    structure_probing: StructureProbingParameters,
    probing: ProbingParameters,
):
    """Write the mean AUCs as text and draw the AUC of each assay: ``structure_probing_summary`` and ``..._figure``."""
    from cloome_kedro.reporting.structure_probing import draw_assays, format_probes, published_scores
    from cloome_kedro.reporting.style import Look

    published = published_scores(published_aucs, structure_probing.published, scores)
    look = Look("Linear probes of structures", study.note, {name: name for name in scores["method"].unique()})
    return (
        format_probes(scores, metrics, differences, joins, published, confidence=probing.confidence, look=look),
        draw_assays(scores, published, look),
    )
