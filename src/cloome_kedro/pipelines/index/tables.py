"""Parts of the content of an index, from datasets of the catalog."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from cloome_kedro.imaging.channels import CHANNELS

__all__ = ["CHANNELS"]


class SearchSettings(NamedTuple):
    """How searches are measured.

    Attributes
    ----------
    levels, confidence
        Settings of ``uncertainty``.
    seed
        Seed of the drawn fields.
    normalised
        Whether embeddings have length 1.
    """

    levels: Sequence[float]
    confidence: float
    seed: int
    normalised: bool


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
        "field_logits": field_embeddings.logits_of(field_table["field_id"]),
        "compounds": compound_table,
        "compound_vectors": compound_embeddings.of(compound_table["inchikey"]),
    }


def measure_searches(described: dict, examples, folds: Mapping[str, str], settings: SearchSettings) -> dict:
    """Tables ``ranks`` and ``candidate_sets``: how well a search of the index finds the match.

    An image asks for compounds, and a compound asks for fields and wells. All rows of the index are candidates. One
    drawn field stands for a compound of the fold.

    Parameters
    ----------
    described
        Result of :func:`describe`.
    examples
        Table of that name.
    folds
        ``validation`` and ``test`` -> fold that is read, or another text for none.
    settings
        How it is measured.
    """
    import numpy as np
    import pandas as pd

    from cloome_kedro.evaluation.draws import draw_fields
    from cloome_kedro.evaluation.whole_screen import best_match_ranks, sets_of_ranks
    from cloome_kedro.index.content import well_rows

    fields, compounds = described["fields"], described["compounds"]
    field_vectors, compound_vectors = described["field_vectors"], described["compound_vectors"]
    field_place, compound_place = pd.Index(fields["field_id"]), pd.Index(compounds["inchikey"])
    known = examples[examples["field_id"].isin(field_place) & examples["inchikey"].isin(compound_place)]
    wells, well_vectors = well_rows(fields, field_vectors, settings.normalised, described["field_logits"])
    searched = {
        "compounds": (compound_vectors, compounds["inchikey"]),
        "fields": (field_vectors, fields["inchikey"]),
        "wells": (well_vectors, wells["inchikey"]),
    }
    ranks: dict[str, dict[str, np.ndarray]] = {kind: {} for kind in searched}
    for name, fold in folds.items():
        asked = draw_fields(known[known["fold"] == fold], settings.seed)
        images = field_vectors[field_place.get_indexer(asked["field_id"])]
        structures = compound_vectors[compound_place.get_indexer(asked["inchikey"])]
        for kind, (candidates, keys) in searched.items():
            queries = images if kind == "compounds" else structures
            ranks[kind][name] = best_match_ranks(
                queries, asked["inchikey"].to_numpy(), candidates, keys.to_numpy(object)
            )
    tested = [pd.DataFrame({"searched": kind, "rank": of_fold["test"]}) for kind, of_fold in ranks.items()]
    sets = [
        sets_of_ranks(of_fold, len(searched[kind][0]), settings.levels, settings.confidence).assign(searched=kind)
        for kind, of_fold in ranks.items()
    ]
    sizes = {kind: len(vectors) for kind, (vectors, _) in searched.items()}
    table = pd.concat(tested, ignore_index=True)
    return {
        "ranks": table.assign(candidates=table["searched"].map(sizes).astype("int64")),
        "candidate_sets": pd.concat(sets, ignore_index=True),
    }


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
