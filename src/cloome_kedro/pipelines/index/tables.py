"""Parts of the content of an index, from datasets of the catalog."""

from collections.abc import Callable
from functools import partial

from cloome_kedro.imaging.channels import CHANNELS

__all__ = ["CHANNELS"]


def describe(fields, pairs, compounds, examples, field_embeddings, compound_embeddings) -> dict:
    """Metadata and vectors of all fields and compounds that have an embedding, in the order of their tables."""
    from cloome_kedro.index.content import compound_rows, field_rows

    field_table = field_rows(fields, pairs, examples, compounds)
    field_table = field_table[field_embeddings.knows(field_table["field_id"])].reset_index(drop=True)
    compound_table = compound_rows(compounds, pairs, examples)
    compound_table = compound_table[compound_embeddings.knows(compound_table["inchikey"])].reset_index(drop=True)
    return {
        "fields": field_table,
        "field_vectors": field_embeddings.of(field_table["field_id"]),
        "compounds": compound_table,
        "compound_vectors": compound_embeddings.of(compound_table["inchikey"]),
    }


def own(table, label: str, **values):
    """Rows of a method with these values in other columns."""
    kept = table[table["method"] == label]
    for column, value in values.items():
        kept = kept[kept[column] == value]
    return kept.reset_index(drop=True)


def own_familiarity(table, label: str):
    """Rows of a method, and those that belong to no method."""
    return table[table["method"].isna() | (table["method"] == label)].reset_index(drop=True)


def training_fingerprints(fingerprints, compounds, examples):
    """Fingerprints of the compounds of the training fold: ``inchikey`` and ``bits`` (packed, bytes)."""
    import pandas as pd

    training = set(examples.loc[examples["fold"] == "train", "inchikey"])
    rows = compounds["inchikey"].isin(training).to_numpy().nonzero()[0]
    bits = [bytes(row) for row in fingerprints.packed[rows]]
    return pd.DataFrame({"inchikey": compounds["inchikey"].iloc[rows].to_numpy(), "bits": bits})


def statistics(plate_statistics, fields):
    """Statistics and thresholds of all plates; without rows if the screen has no images."""
    import pandas as pd

    from cloome_kedro.asking.inputs import statistics_table

    if plate_statistics is None or not len(plate_statistics):
        return pd.DataFrame()
    return statistics_table(plate_statistics, fields)


def thumbnail_reader(plate_store, fields, side: int) -> Callable:
    """Function from field ids to images, uint8 (N, 5, h, w), of which no side is longer than ``side`` pixels."""
    import numpy as np

    from cloome_kedro.imaging.images import area_average

    places = fields.set_index("field_id")[["plate_file", "row"]]

    def read(field_ids):
        rows = places.loc[list(field_ids)]
        images = plate_store.reader(rows["plate_file"].tolist(), rows["row"].to_numpy())(np.arange(len(rows)))
        height, width = images.shape[2:]
        factor = side / max(height, width)
        if factor >= 1:
            return images
        return area_average(images, (max(1, round(height * factor)), max(1, round(width * factor))))

    return read


def model_writer(checkpoint) -> Callable:
    """Function that writes a checkpoint into a folder."""
    from cloome_kedro.learning.checkpoint import save

    return partial(save, checkpoint)
