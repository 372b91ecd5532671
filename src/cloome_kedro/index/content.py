"""What an index is made from, and the rows of its tables."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from cloome_kedro.index.layout import COLUMNS, COMPOUNDS, FIELDS, WELLS
from cloome_kedro.pooling import weigh
from cloome_kedro.words import FOLDS


@dataclass(frozen=True)
class Content:
    """What an index is made from.

    Attributes
    ----------
    info
        Facts for ``index.json``: screen, split, model, label, weights, split_hash, normalised, simulated, ...
    fields, compounds
        Metadata of fields and of compounds, as :func:`field_rows` and :func:`compound_rows` give them.
    field_vectors, compound_vectors
        (rows, d) float32: the vectors of these rows.
    field_logits
        (rows,) float: logits of the weights of fields in the mean of a well. None: all have the same weight.
    tables
        Name in `layout.TABLES` -> table beside the vectors; a table may be empty or missing.
    read_thumbnails
        Field ids (N,) -> small images, uint8 (N, 5, H, W). None: the screen has no images.
    save_model
        Writes the checkpoint of the model into a folder. None: this kind of model has none.
    exact_below
        Tables with fewer rows are searched exactly; others get an approximate index.
    probes
        Smallest number of partitions of an approximate index that a query reads.
    recall
        Wanted recall of an approximate index, for which more partitions are read.
    uri
        Place of the LanceDB tables, such as ``s3://bucket/folder``. None: in the folder of the index.
    """

    info: dict[str, Any]
    fields: pd.DataFrame
    field_vectors: np.ndarray
    compounds: pd.DataFrame
    compound_vectors: np.ndarray
    field_logits: np.ndarray | None = None
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)
    read_thumbnails: Callable[[np.ndarray], np.ndarray] | None = None
    save_model: Callable[[Path], None] | None = None
    exact_below: int = 50_000
    probes: int = 20
    recall: float = 0.95
    uri: str | None = None

    def __post_init__(self) -> None:
        for what, rows, vectors in (
            ("fields", self.fields, self.field_vectors),
            ("compounds", self.compounds, self.compound_vectors),
        ):
            if vectors.ndim != 2 or len(rows) != len(vectors):
                raise ValueError(f"index: {len(rows)} {what} do not fit vectors of shape {vectors.shape}")
        if self.field_logits is not None and self.field_logits.shape != (len(self.fields),):
            raise ValueError(f"index: {len(self.fields)} fields do not fit logits of shape {self.field_logits.shape}")
        if self.field_vectors.shape[1] != self.compound_vectors.shape[1]:
            raise ValueError(
                f"index: vectors of fields have {self.field_vectors.shape[1]} numbers, those of compounds "
                f"{self.compound_vectors.shape[1]}"
            )

    def rows(self) -> dict[str, tuple[pd.DataFrame, np.ndarray]]:
        """Kind of rows -> their metadata and vectors."""
        normalised = bool(self.info["normalised"])
        return {
            FIELDS: (self.fields[list(COLUMNS[FIELDS])], np.asarray(self.field_vectors, np.float32)),
            WELLS: well_rows(self.fields, self.field_vectors, normalised, self.field_logits),
            COMPOUNDS: (self.compounds[list(COLUMNS[COMPOUNDS])], np.asarray(self.compound_vectors, np.float32)),
        }


def field_rows(
    fields: pd.DataFrame, pairs: pd.DataFrame, examples: pd.DataFrame, compounds: pd.DataFrame
) -> pd.DataFrame:
    """Join the metadata of all fields of a screen from tables of these names, in the order of ``fields``."""
    described = compounds.set_index("inchikey")
    inchikey = fields["field_id"].map(pairs.set_index("field_id")["inchikey"])
    name = inchikey.map(described["name"]) if len(described) else inchikey
    return pd.DataFrame(
        {
            "field_id": fields["field_id"],
            "plate": fields["plate"],
            "well": fields["well"],
            "site": fields["site"],
            "inchikey": inchikey,
            "compound": name.where(name.notna(), fields["compound_id"]),
            "smiles": inchikey.map(described["smiles"]),
            "moa": inchikey.map(described["moa"]),
            "concentration_um": fields["concentration_um"].astype(float),
            "control": fields["control"].astype(bool),
            "fold": fields["field_id"].map(examples.set_index("field_id")["fold"]),
        }
    ).reset_index(drop=True)


def compound_rows(compounds: pd.DataFrame, pairs: pd.DataFrame, examples: pd.DataFrame) -> pd.DataFrame:
    """Join the metadata of all compounds, in the order of ``compounds``.

    If fields of a compound are in several folds, ``fold`` names all of them, separated by ``|``.
    """
    folds = examples.groupby("inchikey")["fold"].agg(lambda values: joined_folds(values.unique()))
    return pd.DataFrame(
        {
            "inchikey": compounds["inchikey"],
            "compound": compounds["name"],
            "smiles": compounds["smiles"],
            "moa": compounds["moa"],
            "fold": compounds["inchikey"].map(folds),
            "fields": compounds["inchikey"].map(pairs["inchikey"].value_counts()).fillna(0).astype(int),
        }
    ).reset_index(drop=True)


def joined_folds(folds: Iterable[str]) -> str:
    """Names of folds as one text, in the order train, validation, test.

    >>> joined_folds(["test", "train"])
    'train|test'
    """
    return "|".join(fold for fold in FOLDS if fold in set(folds))


def well_rows(
    fields: pd.DataFrame, vectors: np.ndarray, normalised: bool, logits: np.ndarray | None = None
) -> tuple[pd.DataFrame, np.ndarray]:
    """Metadata and vectors of wells. The vector of a well is the mean over its fields.

    Parameters
    ----------
    fields, vectors
        Metadata and vectors (N, d) of fields.
    normalised
        Whether rows have length 1. Means are then divided by their length.
    logits
        (N,) logits of fields. The softmax of the logits of a well's fields are their weights. None: equal weights.

    Returns
    -------
    rows : pandas.DataFrame
        Columns of wells, in the order of their first fields.
    vectors : (wells, d) float32
    """
    well_id = fields["field_id"].str.rsplit("/", n=1).str[0]
    numbers, ids = pd.factorize(well_id)
    first = fields.assign(well_id=well_id).drop_duplicates("well_id")
    sums = np.zeros((len(ids), vectors.shape[1]), np.float64)
    np.add.at(sums, numbers, weigh(vectors, logits, numbers))
    means = sums / np.bincount(numbers, minlength=len(ids))[:, None]
    if normalised:
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return first[list(COLUMNS[WELLS])].reset_index(drop=True), means.astype(np.float32)
