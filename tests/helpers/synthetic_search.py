"""What a hyperparameter search of the invented study left behind."""

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.words import RANDOM

RATE, WIDTH = "fit.learning_rate", "compound.encoder.width"
OBJECTIVE, BETA = "objective.name", "objective.hopfield_beta"
EPOCHS = 6
PRUNED, FAILED, KILLED, WINNER = (6, 9, 12), 7, 4, 11


def make_search(examples, metric="top1", tunes="cloome", trials=16, seed=0):
    """Tables ``trials``, ``trial_epochs`` and ``importances`` of a search on the folds of ``examples``, by name.

    Trial 0 is the default; of the others one has failed, one was killed and run again as the last one, and three were
    pruned after their second epoch. A trial's value is 0.01 more than that of its number before, but for the winner.
    """
    generator = np.random.default_rng(seed)
    rows, epochs = [], []
    for number in range(trials):
        loob = number % 2 == 1
        state = "PRUNED" if number in PRUNED else "FAIL" if number in (FAILED, KILLED) else "COMPLETE"
        ran = {"PRUNED": 2, "FAIL": 1, "COMPLETE": EPOCHS}[state]
        best = 0.5 if number == WINNER else 0.1 + 0.01 * number
        curve = best * (1 - 0.5 ** np.arange(1, EPOCHS + 1)) / (1 - 0.5**EPOCHS)
        epochs += [{"trial": number, "epoch": epoch, "value": curve[epoch]} for epoch in range(ran)]
        rows.append(
            {
                **{"study": "laptop", "split": examples["split"].iloc[0], "tunes": tunes, "metric": metric},
                "n_validation": examples.loc[examples["fold"] == "validation", "inchikey"].nunique(),
                **{"number": number, "state": state, "source": "default" if number == 0 else "tpe"},
                "value": None if state == "FAIL" else curve[ran - 1],
                **{"epoch": None if state == "FAIL" else ran - 1, "epochs": ran, "seconds": 20.0 + number},
                **{"started": f"2026-01-02T03:{number:02d}:00", "worker": "host:1", "device": "cpu"},
                "retry_of": KILLED if number == trials - 1 else None,
                "reason": "OutOfMemoryError: no memory is left" if number == FAILED else None,
                "best": number == WINNER,
                "split_hash": examples["split_hash"].iloc[0],
                RATE: 0.004 if number == 0 else 10 ** generator.uniform(-3, -1.8),
                OBJECTIVE: "info_loob" if loob else "info_nce",
                BETA: [8, 14.3, 22][number % 3] if loob else None,
                WIDTH: int(generator.integers(64, 513)),
            }
        )
    shares = {RATE: 0.6, OBJECTIVE: 0.1, BETA: 0.05, WIDTH: 0.25}
    importances = pd.DataFrame({"parameter": list(shares), "importance": list(shares.values()), "trials": trials - 5})
    return {
        "trials": schemas.trials.validate(pd.DataFrame(rows)),
        "trial_epochs": schemas.trial_epochs.validate(pd.DataFrame(epochs)),
        "importances": schemas.importances.validate(importances),
    }


def make_tuned(metrics, tuned="CLOOME", gain=0.1):
    """Table ``metrics`` of the winner, which is evaluated alone on clean images: each share is higher by ``gain``.

    Parameters
    ----------
    metrics
        Table ``metrics`` of the study.
    tuned
        Label of the model.
    """
    rows = metrics[metrics["method"].isin([tuned, RANDOM]) & (metrics["images"] == "clean")]
    raised = (rows["method"] == tuned) & (rows["metric"].str.startswith("top-") | (rows["metric"] == "mean AUC"))
    values = rows[["value", "low", "high"]]
    return rows.assign(**values.add(gain).clip(upper=1).where(raised, values)).reset_index(drop=True)
