"""A short measurement of this machine, for plans of a study without any earlier run."""

import tempfile
import time
from pathlib import Path
from typing import Any

from cloome_kedro.parameters import IngestionParameters, ModelParameters
from cloome_kedro.planning import Measured, Sizes

#: size for which the rates of a calibration are given
_FIELDS = 1000.0
#: fields that are read, and pixels of their raw images
_READ, _RAW = 6, (520, 696)


def calibrate(
    ingestion: IngestionParameters, model: ModelParameters | None, epochs: float, compounds: float, assays: float
) -> tuple[Sizes, dict[str, Measured]]:
    """Measure how fast this machine ingests fields, and trains and embeds with an encoder.

    The ingestion is measured as ``cloome check-screen`` does it, on random images of 520 × 696 pixels and 16 bits.

    Parameters
    ----------
    ingestion
        Settings of the environment.
    model
        First model of the study; None if it does not see images.
    epochs
        How often trainings see each field, over all epochs, models and splits.
    compounds, assays
        Size of the planned study, in proportion to which nothing is measured here.

    Returns
    -------
    Size for which the times are given, and what each step took
    """
    import torch

    stored = ingestion.storage.stored_shape(_RAW)
    per_field, size = _ingestion(ingestion)
    at = Sizes(_FIELDS, compounds, assays, float(stored[0] * stored[1]))
    found = {"ingestion": _measured(per_field * _FIELDS, size * _FIELDS, 1.0, "random images of 520 × 696 pixels")}
    if model is not None:
        from cloome_kedro.imaging.channels import CHANNELS
        from cloome_kedro.learning.speed import training_rate

        crop = getattr(model.field.view, "crop", None)
        shape = (crop, crop) if crop else stored
        rate = training_rate(model.field.encoder, len(CHANNELS), shape, model.fit, model.embedding_size)
        cores, text = float(torch.get_num_threads()), "forward and backward passes of random images"
        found["training"] = _measured(_FIELDS * epochs / rate, None, cores, text)
        found["embedding"] = _measured(
            _FIELDS / rate, 4.0 * model.embedding_size * _FIELDS, cores, f"{text}, an upper limit"
        )
    return at, found


def ranked_pairs_per_second(size: int) -> float:
    """Measure how many pairs of a query and a candidate this machine ranks per second.

    Parameters
    ----------
    size
        Length of the embeddings.
    """
    import numpy as np

    from cloome_kedro.evaluation.ranks import match_ranks

    generator = np.random.default_rng(0)
    queries, candidates = (generator.standard_normal((number, size), dtype=np.float32) for number in (1000, 10_000))
    start = time.perf_counter()
    match_ranks(queries, candidates, np.arange(len(queries)))
    return len(queries) * len(candidates) / (time.perf_counter() - start)


def _measured(seconds: float, disk: float | None, cores: float, what: str) -> Measured:
    return Measured(seconds, disk, None, None, cores, f"measured now on this machine: {what}")


def _ingestion(ingestion: IngestionParameters) -> tuple[float, float]:
    """Seconds of one process per field, and bytes of a stored field."""
    import numpy as np
    import pandas as pd
    import tifffile

    from cloome_kedro.imaging.channels import CHANNELS
    from cloome_kedro.imaging.inspection.images import ingestion_cost, sample_fields

    generator = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        rows: list[dict[str, Any]] = []
        for number in range(_READ):
            row: dict[str, Any] = {"source": "a", "plate": "A", "field_id": f"a/A/A01/{number}", "bit_depth": 16}
            for channel in CHANNELS:
                path = Path(folder, f"{number}_{channel}.tif")
                tifffile.imwrite(path, generator.poisson(900, _RAW).astype(np.uint16))
                row |= {f"path_{channel}": str(path), f"plane_{channel}": None}
            rows.append(row)
        index = pd.DataFrame(rows)
        sample = sample_fields(index, ingestion.storage, _READ, seconds=10)
        cost = ingestion_cost(sample, index, ingestion.storage, 1)
    return cost.seconds / _READ, cost.stored_bytes / _READ
