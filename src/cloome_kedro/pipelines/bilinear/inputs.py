"""What the bilinear baseline is made of: the profiles of fields and the fingerprints of their compounds."""

import logging
from typing import Any, NamedTuple

logger = logging.getLogger(__name__)


class Profiles(NamedTuple):
    columns: list[str]
    values: Any  # (fields, columns) float32


def profiled_fields(fields, field_profiles, split: str):
    """The rows of ``fields`` that have a profile, and their profiles, in the same order."""
    import numpy as np
    import pandas as pd

    from cloome_kedro.evaluation.features import feature_columns

    columns = feature_columns(field_profiles)
    if not columns:
        raise ValueError(
            "field_profiles has no feature: run the pipeline profiles, or leave out bilinear; in a table of your own, "
            "no feature is named Metadata_..."
        )
    if text := [name for name in columns if field_profiles[name].dtype.kind not in "fiu"]:
        raise ValueError(f"field_profiles: column {text[0]} is not numeric; if it is no feature, name it Metadata_…")
    rows = pd.Index(field_profiles["field_id"]).get_indexer(fields["field_id"])
    if len(missing := fields["field_id"][rows < 0]):
        logger.warning(
            "%s: %d of %d fields have no profile and are left out of the bilinear baseline, the first is %s",
            split,
            len(missing),
            len(fields),
            missing.iloc[0],
        )
    fields = fields[rows >= 0].reset_index(drop=True)
    values = field_profiles[columns].iloc[rows[rows >= 0]].to_numpy(np.float32)
    if not (finite := np.isfinite(values)).all():
        row, column = np.argwhere(~finite)[0]
        raise ValueError(
            f"field_profiles: {columns[column]} of field {fields['field_id'][row]} is {values[row, column]}: "
            "give it a finite value or leave the row out"
        )
    return fields, Profiles(columns, values)


def fingerprint_rows(fields, compounds, fingerprints):
    """Row of ``fingerprints`` of every field: (fields,) int."""
    import pandas as pd

    if len(fingerprints) != len(compounds):
        raise ValueError(
            f"there are {len(fingerprints)} fingerprints of {len(compounds)} compounds: "
            "run the featurization pipeline again"
        )
    rows = pd.Index(compounds["inchikey"]).get_indexer(fields["inchikey"])
    if (rows < 0).any():
        raise ValueError(f"pairs: compound {fields['inchikey'][rows < 0].iloc[0]} is not in the table compounds")
    return rows
