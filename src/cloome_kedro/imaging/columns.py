"""Find the columns of a table that say where an image or a compound is, by their usual names."""

import re
from collections.abc import Iterable

#: usual names, without the prefixes of CellProfiler, case and separators; a name before others takes precedence
_USUAL = {
    "plate": ("plate", "platename", "plateid", "platebarcode", "assayplatebarcode", "assayplate", "barcode"),
    "well": ("well", "wellname", "wellid", "wellposition", "wellpos", "wellcode"),
    "site": ("site", "siteid", "field", "fieldid", "fieldindex", "fieldofview", "fov", "imagesite"),
    "row": ("row", "wellrow", "platerow", "rowid", "rowindex"),
    "column": ("col", "column", "wellcol", "wellcolumn", "platecol", "platecolumn", "columnid", "colindex"),
    "compound": ("broadsample", "compoundid", "jcp2022", "compound", "perturbationid", "perturbation", "treatmentid"),
    "smiles": ("smiles", "canonicalsmiles", "isomericsmiles", "compoundsmiles", "structure"),
    "inchikey": ("inchikey", "compoundinchikey"),
    "name": ("pertiname", "compoundname", "commonname", "name"),
    "moa": ("moa", "mechanismofaction", "mechanism", "pertmoa"),
    "concentration": (
        *("mmolesperliter", "umolesperliter", "nmolesperliter"),
        *("concentrationmm", "concentrationum", "concentrationnm", "concentration", "dose"),
    ),
    "control": ("controltype", "perttype", "control", "iscontrol", "welltype"),
    "assay": ("assay", "assayid", "assayname", "aid", "task", "endpoint"),
    "value": (
        *("value", "label", "activity", "outcome", "activityoutcome", "active", "call", "hitcall"),
        *("result", "measurement", "standardvalue", "pchemblvalue"),
    ),
    "cells": ("countcells", "cellcount", "relcellcount", "nuclei", "nucleicount"),
}


def find_column(columns: Iterable[str], kind: str) -> str | None:
    """Return the column of a table that gives one kind of information about a well; None if there is none.

    Kinds are plate, well, site, row and column; and compound, smiles, inchikey, name, moa, concentration, control and
    cells (their number). Of tables of assay labels: assay and value.

    >>> find_column(["ImageNumber", "Metadata_Plate", "Image_Metadata_Well"], "well")
    'Image_Metadata_Well'
    """
    plain = {}
    for column in columns:
        # A name with CellProfiler's prefix Metadata_ takes precedence over the same name without it.
        name = re.sub(r"[\s_\-.]", "", column.lower()).removeprefix("image")
        if name.startswith("metadata") or name not in plain:
            plain[name.removeprefix("metadata")] = column
    return next((plain[name] for name in _USUAL[kind] if name in plain), None)
