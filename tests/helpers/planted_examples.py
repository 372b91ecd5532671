"""Small invented screens as evaluations read them, and pipelines run on them by Kedro's own runner."""

import numpy as np
import pandas as pd
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Pipeline
from kedro.runner import SequentialRunner

from cloome_kedro import schemas
from cloome_kedro.chemistry.folds import split_hash


def inchikey(number):
    """An InChIKey of its own for every number."""
    return "".join(chr(65 + int(digit)) for digit in f"{number:014d}") + "-ABCDEFGHIJ-N"


def unit(vectors):
    """Rows of length 1, float32."""
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def make_examples(fields, folds, split="scaffold", moa=None):
    """Table ``examples``.

    Parameters
    ----------
    fields
        One row per field: ``plate``, ``well`` and ``number``, that of its compound. ``treatment``, ``plate_file`` and
        ``row`` may be given, too.
    folds
        Fold of each compound, by number.
    moa
        Mechanism of each compound, by number.
    """
    keys = np.array([inchikey(number) for number in range(len(folds))])
    identity = split_hash(pd.DataFrame({"inchikey": keys, "fold": folds}))
    of_fields = {
        "field_id": "s/" + fields["plate"] + "/" + fields["well"] + "/0",
        "inchikey": keys[fields["number"]],
        "structure_row": fields["number"],
        "fold": np.asarray(folds)[fields["number"]],
        "moa": np.full(len(fields), None) if moa is None else np.asarray(moa, object)[fields["number"]],
        **{"screen": "s", "site": 0, "split": split, "split_hash": identity},
    }
    rest = {"treatment": of_fields["inchikey"], "plate_file": fields["plate"], "row": np.arange(len(fields))}
    given = {name: fields[name] for name in rest if name in fields}
    table = fields[["plate", "well"]].assign(**of_fields, **{**rest, **given})
    return schemas.examples.validate(table[list(schemas.examples.columns)])


class Kept(MemoryDataset):
    """Stays when no node needs it any more, as a table on disk would."""

    def _release(self):
        pass


def run_pipeline(pipeline: Pipeline, inputs, **datasets):
    """Run a pipeline.

    Parameters
    ----------
    pipeline
        What is run.
    inputs
        Values of datasets and parameters by name.
    datasets
        Datasets in place of values in memory, by name.

    Returns
    -------
    dict
        All that the pipeline writes, by name.
    """
    catalog = DataCatalog({name: MemoryDataset(value, "assign") for name, value in inputs.items()})
    for name, dataset in datasets.items():
        catalog[name] = dataset
    for name in pipeline.all_outputs() - set(datasets):
        catalog[name] = Kept(copy_mode="assign")
    SequentialRunner().run(pipeline, catalog)
    return {name: catalog[name].load() for name in pipeline.all_outputs()}


def write_plate(store, name, images, digest="first", storage=None):
    """Write the fields of a plate, uint8 (N, 5, H, W), to a plate store."""
    storage = storage or {"channels": ["Mito", "ER", "RNA", "AGP", "DNA"], "size": list(images.shape[2:])}
    with store.writer(name, digest, storage) as writer:
        rows = [writer.append(field) for field in images]
        writer.commit(pd.DataFrame({"field_id": [f"{name}/{row}" for row in rows], "row": rows, "reason": None}))
