"""Planted signals in assays, and the probes that find them."""

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.evaluation.assays import ProbeInputs, probe

COMPOUNDS, FIELDS = 300, 4
C_GRID = [1e-2, 1.0, 1e2]


@pytest.fixture(scope="session")
def planted():
    """Features by method, and what probes are fitted to.

    There are 300 compounds with four fields each. The assays ``easy`` and ``hard`` follow the first feature, ``noise``
    follows nothing, ``rare`` has no active test compound.
    """
    generator = np.random.default_rng(0)
    names = np.array([f"compound{i:03d}" for i in range(COMPOUNDS)])
    fold_of = np.repeat(["train", "validation", "test"], [180, 60, 60])
    latent = generator.normal(size=(COMPOUNDS, 5))
    compounds = np.repeat(np.arange(COMPOUNDS), FIELDS)
    good = latent[compounds] + generator.normal(0, 1, (len(compounds), 5))
    bad = generator.normal(size=(len(compounds), 5))
    labels = pd.DataFrame(
        {
            "easy": latent[:, 0] > 0.5,
            "hard": latent[:, 0] + generator.normal(0, 2, COMPOUNDS) > 0,
            "noise": generator.random(COMPOUNDS) < 0.5,
            "rare": (generator.random(COMPOUNDS) < 0.3) & (fold_of != "test"),
        },
        index=names,
    ).astype(float)
    labels = labels.mask(generator.random(labels.shape) < 0.3)
    labels.loc["compound299"] = np.nan
    fields = pd.DataFrame({"inchikey": names[compounds], "fold": fold_of[compounds]})
    fields["field_id"] = [f"s/{number:04d}" for number in range(len(fields))]
    return {"CLOOME": good, "Untrained": bad}, ProbeInputs(fields, labels, C_GRID)


@pytest.fixture(scope="session")
def probed(planted):
    """Probes of both methods, and the first one's scores on the second's features (worse) and on its own (same)."""
    features, inputs = planted
    test = (inputs.fields["fold"] == "test").to_numpy()
    corrupted = {"worse": {"CLOOME": features["Untrained"][test]}, "same": {"CLOOME": features["CLOOME"][test]}}
    return probe(features, inputs, corrupted)
