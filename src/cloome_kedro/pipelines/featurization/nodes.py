"""Nodes of ``featurization``; tables are pandas DataFrames with the schemas of their names."""

import logging
from collections import Counter

from cloome_kedro.parameters import FingerprintParameters, SplitParameters

logger = logging.getLogger(__name__)


def standardise_compounds(compound_table):
    """Return `compounds`, `compound_keys` and `rejected_compounds`."""
    from cloome_kedro.chemistry.standardise import standardise

    compounds, compound_keys, rejected = standardise(compound_table)
    logger.info(
        "%d structures: %d compounds, %d rejected %s",
        len(compound_table),
        len(compounds),
        len(rejected),
        dict(Counter(reason.partition(":")[0] for reason in rejected["reason"])) or "",
    )
    return compounds, compound_keys, rejected


def fingerprint_compounds(compounds, parameters: FingerprintParameters):
    """Return packed Morgan fingerprints, uint8 (N, bits / 8), in the order of `compounds`."""
    from cloome_kedro.chemistry.fingerprints import morgan, pack

    return pack(morgan(compounds["smiles"].tolist(), parameters.bits, parameters.radius, parameters.chirality))


def pair_fields(fields, compound_keys):
    """Return `pairs`: fields with a known structure. Controls never enter, even those that are a known compound.

    Raises
    ------
    ValueError
        If there is none.
    """
    treated = fields[~fields["control"]]
    pairs = treated.merge(compound_keys, on="compound_id")
    if pairs.empty:
        raise ValueError(
            f"no pairs: none of the {len(treated)} treated fields has a standardised compound; compare the compound "
            "ids in 'fields' with those in 'compound_keys' and the reasons in 'rejected_compounds'"
        )
    logger.info(
        "%d fields: %d pairs of %d compounds; left out: %d of control wells, %d without a standardised compound",
        len(fields),
        len(pairs),
        pairs["inchikey"].nunique(),
        len(fields) - len(treated),
        len(treated) - len(pairs),
    )
    # the concentration in µM with six digits, nothing after @ where it is unknown
    micromolar = pairs["concentration_um"].map("{:.6g}".format).where(pairs["concentration_um"].notna(), "")
    columns = ["field_id", "screen", "plate", "well", "site", "plate_file", "row", "inchikey"]
    return pairs[columns].assign(treatment=pairs["inchikey"] + "@" + micromolar)


def split_random(compounds, pairs, parameters: SplitParameters):
    """Return `folds` of the compounds in `pairs`, at random."""
    from cloome_kedro.chemistry.splits import random_split

    paired = compounds[compounds["inchikey"].isin(pairs["inchikey"])]
    return _checked(random_split(paired, _fractions(parameters), parameters.seed), compounds, pairs, "random")


def split_scaffold(compounds, pairs, parameters: SplitParameters):
    """Return `folds` of the compounds in `pairs`, with no scaffold in two of them."""
    from cloome_kedro.chemistry.splits import scaffold_split

    paired = compounds[compounds["inchikey"].isin(pairs["inchikey"])]
    return _checked(scaffold_split(paired, _fractions(parameters), parameters.seed), compounds, pairs, "scaffold")


def split_provided(compounds, pairs, provided_folds):
    """Return `folds` as `provided_folds` gives them; compounds that it does not name are left out."""
    from cloome_kedro.chemistry.splits import provided_split

    folds, unmatched = provided_split(provided_folds, pairs)
    if unmatched:
        logger.warning("%d rows of provided_folds name nothing in this screen, e.g. %s", len(unmatched), unmatched[:3])
    if without := pairs["inchikey"].nunique() - len(folds):
        logger.warning("%d compounds have no fold in provided_folds and are left out", without)
    return _checked(folds, compounds, pairs, "provided")


def check_leaks(folds, compounds, fingerprints, parameters: SplitParameters):
    """Return `leaks`: structures, scaffolds and near-duplicates that folds share. Only structures are warned of."""
    from cloome_kedro.chemistry.leaks import find_leaks
    from cloome_kedro.chemistry.splits import split_hash

    leaks = find_leaks(folds, compounds, fingerprints, parameters.near_duplicate)
    of_test = leaks[(leaks["fold"] == "test") & (leaks["other_fold"] == "train")].set_index("kind")["compounds"]
    logger.info(
        "of %d test compounds %d have a scaffold of the training fold, %d a near-duplicate in it (Tanimoto >= %g)",
        (folds["fold"] == "test").sum(),
        of_test["scaffold"],
        of_test["near-duplicate"],
        parameters.near_duplicate,
    )
    for leak in leaks[(leaks["kind"] == "structure") & (leaks["compounds"] > 0)].to_dict("records"):
        logger.warning(
            "THE SPLIT LEAKS: %(compounds)d of %(of)d compounds of the fold %(fold)s have their structure in the fold "
            "%(other_fold)s, e.g. %(example)s",
            leak,
        )
    return leaks.assign(split_hash=split_hash(folds))


def _fractions(parameters: SplitParameters) -> dict[str, float]:
    return {"train": parameters.train, "validation": parameters.validation, "test": parameters.test}


def _checked(folds, compounds, pairs, kind: str):
    from cloome_kedro.chemistry.splits import FOLDS, check_folds, split_hash

    check_folds(folds, compounds, kind)
    fields = pairs.merge(folds, on="inchikey").groupby("fold").size()
    sizes = folds.groupby("fold").size()
    logger.info(
        "%s split %s: %s",
        kind,
        split_hash(folds),
        "; ".join(f"{fold} {sizes[fold]} compounds, {fields[fold]} fields" for fold in FOLDS),
    )
    return folds
