"""Table of the pre-trainings of a split."""

from collections.abc import Mapping

import pandas as pd

from cloome_kedro.reporting.cells import ABSENT


def pretraining_table(histories: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tabulate the epochs and the kept error of each pre-training.

    Parameters
    ----------
    histories
        Label of a model -> table ``pretraining_history``. Models with an empty table are left out.

    Returns
    -------
    pandas.DataFrame
        One row per model, all cells are text. The validation error is the mean squared error of the predicted features
        at the epoch that was kept.

    Examples
    --------
    >>> history = pd.DataFrame({"epoch": [0, 1], "validation_loss": [0.9, 0.75], "best": [False, True]})
    >>> print(pretraining_table({"CLOOME": history}).to_string(index=False))
     model epochs kept epoch validation error
    CLOOME      2          1            0.750
    """
    rows = []
    for label, history in histories.items():
        if history.empty:
            continue
        kept = history[history["best"]].iloc[0]
        error = kept.get("validation_loss")
        rows.append(
            {
                "model": label,
                "epochs": f"{len(history):,}",
                "kept epoch": f"{kept['epoch']:,}",
                "validation error": ABSENT if pd.isna(error) else f"{error:.3f}",
            }
        )
    return pd.DataFrame(rows, columns=["model", "epochs", "kept epoch", "validation error"])
