"""What a hyperparameter search of the invented study left behind."""

import numpy as np
import pandas as pd

from cloome_kedro import schemas
from cloome_kedro.chemistry.splits import split_hash

RATE, OBJECTIVE = "training.fit.learning_rate", "training.fit.objective"
BETA, WIDTH = "training.fit.hopfield_beta", "training.structure_encoder.width"
EPOCHS = 6
PRUNED, FAILED, KILLED, WINNER = (6, 9, 12), 7, 4, 11


def make_search(folds, split="random", metric="top1", tunes="training", trials=16, seed=0):
    """Tables ``trials``, ``trial_epochs`` and ``importances`` of a search on these folds, by dataset name.

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
                **{"study": "laptop", "split": split, "tunes": tunes, "metric": metric, "n_validation": 14},
                **{"number": number, "state": state, "source": "default" if number == 0 else "tpe"},
                "value": None if state == "FAIL" else curve[ran - 1],
                **{"epoch": None if state == "FAIL" else ran - 1, "epochs": ran, "seconds": 20.0 + number},
                **{"started": f"2026-01-02T03:{number:02d}:00", "worker": "host:1", "device": "cpu"},
                "retry_of": KILLED if number == trials - 1 else None,
                "reason": "OutOfMemoryError: no memory is left" if number == FAILED else None,
                "best": number == WINNER,
                "split_hash": split_hash(folds),
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


def no_search():
    """The same tables where nothing was searched, and those of a winner that was not trained."""
    metrics = {
        f"tuned.{task}_metrics": schemas.empty(schemas.metrics) for task in ("retrieval", "zero_shot", "probing")
    }
    kinds = {name: getattr(schemas, name) for name in ("trials", "trial_epochs", "importances")}
    names = {name: [column for column in kind.columns if not column.startswith("^")] for name, kind in kinds.items()}
    return metrics | {name: pd.DataFrame(columns=columns) for name, columns in names.items()}


def make_tuned(study, split="random", tunes="training", gain=0.1):
    """Test metrics of the winner: those of the study, of another split's name, each share higher by ``gain``.

    Where the model was tuned there is no baseline.
    """
    tuned = {}
    for task in ("retrieval", "zero_shot", "probing"):
        table = study[f"{task}_metrics"]
        shares = table["metric"].str.startswith("top-") | (table["metric"] == "mean AUC")
        raised = table[["value", "low", "high"]].add(gain).clip(upper=1).where(shares, table[["value", "low", "high"]])
        kept = table["method"].ne("Bilinear") | (tunes == "bilinear")
        tuned[f"tuned.{task}_metrics"] = table.assign(split=f"{split}.tuned", **raised)[kept]
    return tuned
