"""Nodes of ``featurization``. :mod:`cloome_kedro.schemas` describes the tables, by their names."""

import logging
from collections import Counter

from cloome_kedro.parameters import (
    FingerprintParameters,
    LabelParameters,
    SplitParameters,
    StructureFeatureParameters,
    StructureParameters,
)
from cloome_kedro.words import counted

logger = logging.getLogger(__name__)


def standardise_compounds(compound_table, structures: StructureParameters):
    """Standardise the structures of the screen.

    Returns
    -------
    compounds, compound_keys, rejected_compounds, merged_compounds
    """
    from cloome_kedro.chemistry.standardise import standardise

    compounds, compound_keys, rejected, merged = standardise(compound_table, **structures.model_dump())
    logger.info(
        "%d structures give %d compounds, %d of them without counter-ions or solvents; %d structures are rejected %s",
        len(compound_table),
        len(compounds),
        compounds["stripped"].notna().sum(),
        len(rejected),
        dict(Counter(reason.partition(":")[0] for reason in rejected["reason"])) or "",
    )
    if len(merged):
        logger.warning(
            "%d compounds unite ids with different names or mechanisms. See merged_compounds, e.g. %s",
            merged["inchikey"].nunique(),
            " and ".join(merged.loc[merged["inchikey"] == merged["inchikey"].iloc[0], "compound_id"][:2]),
        )
    return compounds, compound_keys, rejected, merged


def fingerprint_compounds(compounds, fingerprints: FingerprintParameters):
    """Compute Morgan fingerprints: ``Fingerprints``, in the order of ``compounds``."""
    from cloome_kedro.chemistry.fingerprints import packed_morgan
    from cloome_kedro.learning.views.morgan import Fingerprints

    settings = fingerprints.model_dump()
    return Fingerprints(packed_morgan(compounds["smiles"].tolist(), **settings), settings)


def compute_structure_features(compounds, structure_features: StructureFeatureParameters):
    """Compute sets of structural features: ``StructureFeatures``, in the order of ``compounds``."""
    import numpy as np

    from cloome_kedro.chemistry.structure_sets import compute_sets, describe
    from cloome_kedro.learning.views.structures import StructureFeatures

    sets = structure_features.sets
    values = compute_sets(compounds["smiles"].tolist(), sets, structure_features.n_jobs)
    for name, numbers in values.items():
        if numbers.dtype == np.float32 and (unknown := np.isnan(numbers)).any():
            logger.warning(
                "the set %s: %d values of %d descriptors are unknown or too large, in %d of %d compounds. Models see "
                "the mean of the training compounds instead",
                *(name, unknown.sum(), unknown.any(axis=0).sum(), unknown.any(axis=1).sum(), len(numbers)),
            )
    return StructureFeatures({name: describe(entry) for name, entry in sets.items()}, values)


def pair_fields(fields, compound_keys, splits: SplitParameters):
    """Pair treated fields with their compounds: ``pairs``. Controls are left out, also those with a known compound.

    A warning is logged if the screen is too small for an evaluation. It comes before anything is measured or trained.

    Raises
    ------
    ValueError
        If there is no pair.
    """
    treated = fields[~fields["control"]]
    pairs = treated.merge(compound_keys, on="compound_id")
    if pairs.empty:
        raise ValueError(
            f"there are no pairs: none of the {len(treated)} treated fields has a standardised compound. Compare the "
            "compound_id in the tables fields and compound_keys, and see the reasons in rejected_compounds"
        )
    logger.info(
        "%d fields give %d pairs with %d compounds; %d fields of control wells and %d fields without a standardised "
        "compound are left out",
        len(fields),
        len(pairs),
        pairs["inchikey"].nunique(),
        len(fields) - len(treated),
        len(treated) - len(pairs),
    )
    n_compounds = pairs["inchikey"].nunique()
    if (n_test := round(n_compounds * splits.test)) < 2:
        logger.warning(
            "retrieval and zero-shot classification cannot be evaluated: %s among %s with fields, if the test fold has "
            "a share of %g (splits.test). At least two are needed: add compounds, or provide folds",
            *(counted(n_test, "test compound"), counted(n_compounds, "compound"), splits.test),
        )
    # The concentration in µM has six significant digits. If it is unknown, nothing follows the @.
    micromolar = pairs["concentration_um"].map("{:.6g}".format).where(pairs["concentration_um"].notna(), "")
    columns = ["field_id", "screen", "plate", "well", "site", "plate_file", "row", "inchikey"]
    columns = [column for column in columns if column in pairs]  # a screen without images has no plate files
    return pairs[columns].assign(treatment=pairs["inchikey"] + "@" + micromolar)


def join_labels(assay_labels, compound_keys, compounds, pairs, labels: LabelParameters):
    """Join the assay labels to the compounds of the screen.

    Returns
    -------
    labels, label_joins
    """
    from cloome_kedro.chemistry.label_tables import read_labels
    from cloome_kedro.chemistry.labels import describe_joins, labels_of_screen
    from cloome_kedro.chemistry.standardise import identify
    from cloome_kedro.imaging.columns import find_column

    given = read_labels(assay_labels, labels.table, find_column, identify)
    names = compounds.set_index("inchikey")["name"]
    joined, joins = labels_of_screen(given, pairs["inchikey"].unique(), compound_keys, names, labels.repeats)
    for text, is_problem in describe_joins(given, joined, joins):
        logger.log(logging.WARNING if is_problem else logging.INFO, text)
    return joined, joins


def make_examples(compounds, pairs, splits: SplitParameters, *, split: str, **tables):
    """Split the compounds, and join pairs, folds and compounds: ``examples``.

    Parameters
    ----------
    split
        Name of the split.
    tables
        Further tables that the split reads.

    Raises
    ------
    cloome_kedro.chemistry.folds.SplitError
        If the folds leak or one is empty.
    """
    import numpy as np

    from cloome_kedro.chemistry.folds import check_folds, split_hash
    from cloome_kedro.chemistry.splits import find_split
    from cloome_kedro.words import FOLDS

    paired = compounds[compounds["inchikey"].isin(pairs["inchikey"])]
    named = find_split(split)
    folds = named.function(splits.folds)(paired, pairs, splits.fractions, splits.seed, **tables)
    check_folds(folds, compounds, split, named.facts["together"])
    columns = compounds[["inchikey", "moa"]].assign(structure_row=np.arange(len(compounds)))
    identity = split_hash(folds)
    examples = (
        pairs.merge(folds, on="inchikey", validate="many_to_one")
        .merge(columns, on="inchikey", validate="many_to_one")
        .assign(split=split, split_hash=identity)
    )
    sizes = examples.groupby("fold").agg(compounds=("inchikey", "nunique"), fields=("field_id", "size"))
    logger.info(
        "%s split %s: %s",
        split,
        identity,
        "; ".join(f"{fold} {sizes.compounds[fold]} compounds, {sizes.fields[fold]} fields" for fold in FOLDS),
    )
    for fold in sizes.index[sizes.compounds == 1].intersection(["validation", "test"]):
        logger.warning("%s split: the %s fold cannot be evaluated: 1 %s compound", split, fold, fold)
    return examples


def check_leaks(examples, compounds, fingerprints, splits: SplitParameters):
    """Find structures, scaffolds and near-duplicates that folds share: ``leaks``. Warn of shared structures only."""
    from cloome_kedro.chemistry.leaks import find_leaks

    folds = examples[["inchikey", "fold"]].drop_duplicates()
    leaks = find_leaks(folds, compounds, fingerprints.packed, splits.near_duplicate)
    shared = leaks[(leaks["fold"] == "test") & (leaks["other_fold"] == "train")].set_index("kind")["compounds"]
    logger.info(
        "of %d test compounds, %d share a scaffold with the training fold and %d have a near-duplicate in it "
        "(Tanimoto >= %g)",
        (folds["fold"] == "test").sum(),
        shared["scaffold"],
        shared["near-duplicate"],
        splits.near_duplicate,
    )
    for leak in leaks[(leaks["kind"] == "structure") & (leaks["compounds"] > 0)].to_dict("records"):
        logger.warning(
            "THE SPLIT LEAKS: %(compounds)d of %(of)d compounds of the fold %(fold)s have the same structure as a "
            "compound of the fold %(other_fold)s, e.g. %(example)s",
            leak,
        )
    return leaks.assign(split_hash=examples["split_hash"].iloc[0])
