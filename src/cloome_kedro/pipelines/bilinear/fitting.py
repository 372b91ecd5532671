"""One training of the bilinear baseline on the tables of a split, as the pipeline runs it and a search many times."""

from collections.abc import Callable
from typing import Any

from cloome_kedro.parameters import BilinearParameters, FingerprintParameters
from cloome_kedro.pipelines.bilinear.inputs import fingerprint_rows, profiled_fields


def fit_bilinear(
    bilinear_state,
    field_profiles,
    pairs,
    compounds,
    fingerprints,
    folds,
    bilinear: BilinearParameters,
    fingerprint_settings: FingerprintParameters,
    seed: int,
    split: str,
    report: Callable[[dict[str, Any]], bool] | None = None,
    progress: bool = True,
):
    """Train on the training fold, choose epochs on the validation fold; profiles of the test fold are never read.

    Parameters
    ----------
    report, progress
        As in :func:`cloome_kedro.learning.fit.fit`; the rest is as in :func:`.nodes.train_bilinear`.

    Returns
    -------
    cloome_kedro.learning.fit.FitResult, list of str, cloome_kedro.learning.bilinear.Standardise
        What was found, the features that it is of, and how they are standardised.

    Raises
    ------
    ValueError
        As :func:`.nodes.train_bilinear` does.
    """
    import hashlib

    import numpy as np

    from cloome_kedro.evaluation.retrieval import retrieval_accuracies
    from cloome_kedro.learning.batches import as_tensor
    from cloome_kedro.learning.bilinear import BilinearModel, Standardise
    from cloome_kedro.learning.data import PairData
    from cloome_kedro.learning.fit import fit

    if (found := fingerprints.shape[1] * 8) != (bits := fingerprint_settings.bits):
        raise ValueError(
            f"fingerprints have {found} bits, params:fingerprints say {bits}: run the featurization pipeline again"
        )
    # Only these fields go on: what belongs to the test fold cannot be read.
    seen = pairs.merge(folds[folds["fold"] != "test"], on="inchikey", validate="many_to_one")
    seen, profiles = profiled_fields(seen, field_profiles, split)
    data = PairData.by_fold(
        profiles.values.__getitem__,
        fingerprint_rows(seen, compounds, fingerprints),
        fingerprints,
        seen["fold"].to_numpy(),
        seed,
        keys=seen["field_id"].to_numpy(),
    )
    preprocess = Standardise.of(as_tensor(profiles.values[data.train]))
    identity = hashlib.sha256(np.ascontiguousarray(profiles.values).data).hexdigest()
    result = fit(
        BilinearModel(len(profiles.columns), bits),
        data,
        preprocess,
        bilinear.fit,
        seed,
        retrieval_accuracies,
        bilinear_state,
        identity,
        report=report,
        progress=progress,
    )
    return result, profiles.columns, preprocess
