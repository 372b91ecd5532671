"""The parts of an index folder: names of files, tables and columns."""

from typing import Any

import pyarrow as pa

#: version of the folder; an index of another version is refused
FORMAT = 1

INDEX_FILE, MODEL_FOLDER, LANCE_FOLDER = "index.json", "model", "lance"
#: tables beside the vectors
TABLES = ("plate_statistics", "ranks", "candidate_sets", "familiarity", "fingerprints")

FIELDS, WELLS, COMPOUNDS = "fields", "wells", "compounds"
KINDS = (FIELDS, WELLS, COMPOUNDS)
#: kind of rows -> column with their key
KEYS = {FIELDS: "field_id", WELLS: "well_id", COMPOUNDS: "inchikey"}
VECTOR, THUMBNAIL = "vector", "thumbnail"

_TEXT = pa.string()
_PLACE = {"plate": _TEXT, "well": _TEXT}
_COMPOUND = {"inchikey": _TEXT, "compound": _TEXT, "smiles": _TEXT, "moa": _TEXT}
_TREATMENT = {**_COMPOUND, "concentration_um": pa.float64(), "control": pa.bool_(), "fold": _TEXT}

#: kind of rows -> columns of metadata, with their types
COLUMNS: dict[str, dict[str, Any]] = {
    FIELDS: {"field_id": _TEXT, **_PLACE, "site": pa.int64(), **_TREATMENT},
    WELLS: {"well_id": _TEXT, **_PLACE, **_TREATMENT},
    COMPOUNDS: {**_COMPOUND, "fold": _TEXT, "fields": pa.int64()},
}


def schema_of(kind: str, size: int) -> pa.Schema:
    """Schema of the table of a kind, with vectors of ``size`` numbers."""
    columns = [pa.field(name, type_) for name, type_ in COLUMNS[kind].items()]
    if kind == FIELDS:
        columns.append(pa.field(THUMBNAIL, pa.binary()))
    return pa.schema([*columns, pa.field(VECTOR, pa.list_(pa.float32(), size))])
