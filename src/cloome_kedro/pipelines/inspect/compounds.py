"""Checks of the compounds and the labels of a screen."""

from cloome_kedro.parameters import LabelParameters, StructureParameters
from cloome_kedro.words import counted, one_line


def check_compounds(compound_table, assay_labels, structures, labels, inspect):
    """Check the structures of the compounds, or of a sample of them, and the labels; return findings."""
    findings, compounds, keys = check_structures(compound_table, structures, inspect.structures)
    is_sample = len(compound_table) > inspect.structures
    return [*findings, *check_labels(assay_labels, compounds, keys, labels, is_sample)]


def check_structures(compound_table, structures: StructureParameters, limit: int):
    """Standardise the structures of at most ``limit`` compounds, and judge how many can be used.

    Returns
    -------
    findings, compounds, compound_keys
        The last two as of the pipeline ``featurization``; None if there are no compounds.
    """
    from cloome_kedro.chemistry.standardise import standardise
    from cloome_kedro.imaging.inspection.findings import Finding

    total = len(compound_table)
    if not total:
        return [Finding("compounds", "error", "no treated field has a compound")], None, None
    some = compound_table if total <= limit else compound_table.sample(limit, random_state=0)
    among = counted(total, "compound") + (f", of which {limit:,} drawn at random were read" if total > limit else "")
    compounds, keys, rejected, _ = standardise(some, **structures.model_dump())
    lacking = int(compound_table["smiles"].isna().sum())
    unusable = rejected[rejected["smiles"].notna()]
    findings = []
    if lacking:
        first = compound_table.loc[compound_table["smiles"].isna(), "compound_id"].iloc[0]
        text = f"{lacking:,} of {among} have no structure, e.g. {one_line(first)}: their fields are not learned from"
        findings.append(Finding("compounds", "error" if lacking == total else "warning", text))
    if len(unusable):
        first = unusable.iloc[0]
        text = f"{len(unusable):,} structures of {among} cannot be used, e.g. {one_line(first['compound_id'])}: "
        findings.append(Finding("compounds", "warning", text + one_line(first["reason"], 200)))
    if not findings:
        findings.append(Finding("compounds", "ok", f"{among}: all have a structure"))
    if not len(compounds):
        findings.append(Finding("compounds", "error", "no compound has a structure that can be used"))
    return findings, compounds, keys


def check_labels(assay_labels, compounds, compound_keys, labels: LabelParameters, is_sample: bool):
    """Join the table of labels to compounds, and say how many by which key.

    Parameters
    ----------
    is_sample
        Whether ``compounds`` are only some compounds of the screen.
    """
    from cloome_kedro.chemistry.label_tables import read_labels
    from cloome_kedro.chemistry.labels import describe_joins, labels_of_screen
    from cloome_kedro.chemistry.standardise import identify
    from cloome_kedro.imaging.columns import find_column
    from cloome_kedro.imaging.inspection.findings import Finding

    try:
        given = read_labels(assay_labels, labels.table, find_column, identify)
    except ValueError as error:
        return [Finding("labels", "error", one_line(error))]
    if compounds is None:
        return []
    names = compounds.set_index("inchikey")["name"]
    joined, joins = labels_of_screen(given, compounds["inchikey"].tolist(), compound_keys, names, labels.repeats)
    if is_sample:
        joins.loc[joins["key"] == "none", ["compounds", "labels"]] = 0  # some belong to compounds that were not read
    return [
        Finding("labels", "warning" if is_problem else "ok", text.removeprefix("assay labels: "))
        for text, is_problem in describe_joins(given, joined, joins)
    ]
