"""Tables of results: of trainings, evaluations and hyperparameter searches."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import INCHIKEY, column, table
from cloome_kedro.words import DIRECTIONS, FOLDS, TASKS

#: one row per epoch of a training
history = table(
    {
        "epoch": column(int),
        "step": column(int),
        "train_loss": column(float),
        "train_target_mse": column(float, required=False),  # mean squared error of predicted features
        # loss, top-k accuracies in the full pool, and other metrics of the validation fold, if they were measured
        r"^validation_": column(float, nullable=True, regex=True, required=False),
        "inverse_temperature": column(float),
        "learning_rate": column(float),
        "gradient_norm": column(float, nullable=True),  # mean over the steps, before clipping
        "fields_per_second": column(float),
        "waiting_fraction": column(float),  # share of the training time that was spent waiting for data
        "best": column(bool),  # whether this epoch is the best by `selected_by`
    },
    unique=["epoch"],
)

#: one row per epoch of a pre-training. The loss is the mean squared error of the predicted features
pretraining_history = history.remove_columns(["inverse_temperature"])

#: record of runs: one row per training, pre-training or fit of a ridge
runs = table(
    {
        "run": column(str),  # date, time and four hexadecimal digits
        "started": column(str),  # date and time with the offset of the time zone
        "seconds": column(float, pa.Check.ge(0)),  # of the last part, if the training was interrupted
        "step": column(str, pa.Check.isin(["training", "pre-training", "ridge"])),
        "split": column(str),
        "variant": column(str),
        "seed": column(int),
        "model": column(str),
        "version": column(str),
        "commit": column(str),  # empty outside a repository
        "split_hash": column(str),
        "data_hash": column(str),
        "weights": column(str),  # hash of the chosen model
        "selected_by": column(str),
        "epoch": column(float, nullable=True),  # the chosen one; none for a ridge
        "epochs": column(float, nullable=True),
        "parameters": column(str),  # JSON: the entry of the model, flattened with dots
        "validation": column(str),  # JSON: validation metrics of the chosen epoch
    },
    unique=["run"],
)

#: what a ridge or a fusion tried and chose on the validation fold: one row per candidate and setting
selection = table(
    {
        "candidate": column(int, pa.Check.ge(0)),
        "setting": column(str, pa.Check.isin(["alpha", "weight"])),
        "part": column(str, nullable=True),  # name of the model that a weight belongs to
        "value": column(float, pa.Check.ge(0)),
        # of this candidate in the full pool: mean over both directions and several draws of fields
        "validation_top1": column(float, pa.Check.in_range(0, 1)),
        "validation_mrr": column(float, pa.Check.in_range(0, 1)),  # mean reciprocal rank
        "best": column(bool),
    },
    unique=["candidate", "setting", "part"],
)

#: columns that say what ranks, metrics and differences belong to; a column that does not apply to a task is empty
_setting = {
    "split": column(str),
    "task": column(str, pa.Check.isin(TASKS)),
    "method": column(str),  # a model of the study, or another method, see `words`
    "images": column(str),  # clean, or the name of a corruption
    "direction": column(str, pa.Check.isin(DIRECTIONS), nullable=True),
    "pool": column(str, pa.Check.isin(["full", "sampled", "same plate"]), nullable=True),
    # what represents a compound or class: one field, or the mean over its fields. In probing: whether a sample is a
    # field or a compound (mean)
    "shown_by": column(str, pa.Check.isin(["field", "mean"])),
    # what references may not share with their query, e.g. plate+compound; or none
    "excluded": column(str, nullable=True),
}

#: one row per query: the rank of its match among the candidates
ranks = table(
    {
        **_setting,
        "draw": column(int, pa.Check.ge(0)),  # draw of fields and candidates; draw 0 is also reported alone
        "candidates": column(int, pa.Check.ge(1)),  # size of the query's pool, including the match
        "query": column(str),  # field_id or InChIKey
        "match": column(str),  # InChIKey, field_id, or name of a class
        "compound": column(str, INCHIKEY),  # compound of the query; intervals resample compounds
        "rank": column(int, pa.Check.ge(1)),
    }
)

#: one row per metric of any task, with its interval and the numbers of queries and compounds
metrics = table(
    {
        **_setting,
        "draws": column(int, pa.Check.ge(1)),  # 1: draw 0 alone, as in the publication; more: mean over the draws
        "candidates": column(float, nullable=True),  # mean size of a query's pool
        "metric": column(str),  # e.g. top-1, mean rank, median rank, mean AUC, SD AUC, AUC > 0.9
        "value": column(float),
        "low": column(float, nullable=True),
        "high": column(float, nullable=True),
        "interval": column(str, pa.Check.isin(["exact", "bootstrap", "none"])),  # bootstrap: over compounds
        "n": column(int, pa.Check.ge(1)),  # number of queries per draw, or of assays
        "compounds": column(int, pa.Check.ge(1)),  # number of compounds of the queries, or of tested compounds
        "successes": column("Int64", nullable=True),  # number of successful queries, for proportions such as top-1
        "spread": column(float, nullable=True),  # standard deviation over draws
        "chance": column(float, nullable=True),
        "split_hash": column(str),
    }
)

#: one row per metric of the retrieval of compounds on other plates by their profiles
replicate_metrics = table(
    {
        "metric": column(str),
        "value": column(float),
        "low": column(float, nullable=True),
        "high": column(float, nullable=True),
        "n": column(int, pa.Check.ge(1)),  # number of compounds
        "chance": column(float, nullable=True),
    },
    unique=["metric"],
)

#: one row per metric over all seeds of a variant
seeds_metrics = table(
    {
        **_setting,
        "draws": column(int, pa.Check.ge(1)),
        "metric": column(str),
        "value": column(float, nullable=True),  # mean over seeds
        "spread": column(float, nullable=True),  # standard deviation over seeds; empty for a single seed
        "lowest": column(float, nullable=True),
        "highest": column(float, nullable=True),
        "n_seeds": column(int, pa.Check.ge(1)),
        "seeds": column(str),  # e.g. 0, 1, 2
        "candidates": column(float, nullable=True),
        "chance": column(float, nullable=True),
        "split_hash": column(str),
    },
    unique=[*_setting, "draws", "metric"],
)

#: one row per paired difference: the value of the row's setting minus that of a setting that differs in one column
differences = table(
    {
        **_setting,
        "against": column(str),  # what differs in the other setting, e.g. clean, excluded none, method Untrained
        "metric": column(str),
        "difference": column(float),
        "low": column(float),  # bootstrap over compounds
        "high": column(float),
        "n": column(int, pa.Check.ge(1)),  # number of queries, or assays, that both settings have
        "compounds": column(int, pa.Check.ge(1)),
        "split_hash": column(str),
    }
)

#: one row per measure and method: what corrections of batch effects change
corrections = table(
    {
        "measure": column(str),  # top-1, or mean average precision of replicates or of mechanisms
        "shown_by": column(str, nullable=True),  # protocol of top-1
        "excluded": column(str, nullable=True),
        "method": column(str),
        "value": column(float, nullable=True),
        "low": column(float, nullable=True),
        "high": column(float, nullable=True),
        "chance": column(float, nullable=True),
        "compounds": column(int, pa.Check.ge(0)),
        "against": column(str, nullable=True),  # the method as it is
        "difference": column(float, nullable=True),
        "difference_low": column(float, nullable=True),  # bootstrap over compounds
        "difference_high": column(float, nullable=True),
    }
)

#: one row per assay and method: the scores of the probe on the test fold, or the reason why there are none
probing_scores = table(
    {
        "split": column(str),
        "method": column(str),
        "images": column(str),
        "shown_by": column(str, pa.Check.isin(["field", "mean"])),
        "assay": column(str),
        "scored": column(bool),
        "reason": column(str, nullable=True),  # why the assay cannot be scored
        "c": column(float, nullable=True),  # inverse strength of regularisation with the best validation AUC
        "validation_auc": column(float, nullable=True),
        **{name: column(float, nullable=True) for name in ("auc", "f1", "average_precision", "mcc")},
        **{
            f"{fold}_{kind}": column(int, pa.Check.ge(0))
            for fold in FOLDS
            for kind in ("actives", "inactives")  # number of samples
        },
        "split_hash": column(str),
    },
    unique=["method", "images", "shown_by", "assay"],
)

#: one row per corrupted field: how its image was changed, so that a single row can be reproduced
corrupted_fields = table(
    {
        "field_id": column(str),
        "corruption": column(str),
        "stage": column(str, pa.Check.isin(["field", "crop"])),
        "seed": column("Int64"),  # seed of this field
        "settings": column(str),  # drawn settings as JSON, e.g. {"flip_horizontal": true, "angle": -3.2}
        "black": column(float, pa.Check.in_range(0, 1)),  # share of pixels of the encoder's input without image content
        # whether training showed such images; partly: only a part of the corruption, such as flips without rotations
        "augmentation": column(str, pa.Check.isin(["no", "partly", "yes"])),
        "weights": column(str),  # hash of the weights of the model that embedded the field
        "digest": column(str),  # digest of the embeddings that contain the field
    },
    unique=["corruption", "field_id"],
)

#: one row per trial of a hyperparameter search. A column with a dot in its name is a searched parameter. It is empty if
#: the condition of the parameter is not fulfilled
trials = pa.DataFrameSchema(
    {
        "study": column(str),
        "split": column(str),
        "tunes": column(str),  # name of the tuned model
        "metric": column(str),  # validation metric that is maximised: top1, probing_auc, ...
        "n_validation": column(int, pa.Check.ge(0)),  # number of compounds of the validation fold
        "number": column(int, pa.Check.ge(0)),
        "state": column(str, pa.Check.isin(["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"])),
        "source": column(str, nullable=True),  # default, published, or the sampler: grid, tpe, random
        "value": column(float, nullable=True),  # metric of the best epoch; for a pruned trial, of its last epoch
        "epoch": column("Int64", nullable=True),  # epoch of the value
        "epochs": column("Int64", nullable=True),  # number of trained epochs
        "seconds": column(float, nullable=True),
        "started": column(str, nullable=True),  # ISO 8601
        "worker": column(str, nullable=True),
        "device": column(str, nullable=True),
        "retry_of": column("Int64", nullable=True),  # number of the killed or interrupted trial that this trial repeats
        "reason": column(str, nullable=True),  # why the trial failed
        "best": column(bool),
        "split_hash": column(str),
        r"^.+\..+$": pa.Column(nullable=True, regex=True, required=False),
    },
    strict=True,
    coerce=True,
    unique=["number"],
)

#: one row per epoch of a trial: the value that was reported
trial_epochs = table(
    {
        "trial": column(int, pa.Check.ge(0)),
        "epoch": column(int, pa.Check.ge(0)),
        "value": column(float, nullable=True),  # empty if it was not finite
    },
    unique=["trial", "epoch"],
)

#: one row per searched parameter; no rows if there are too few trials
importances = table(
    {
        "parameter": column(str),
        "importance": column(float),  # share of the variance of values (fANOVA)
        "trials": column(int, pa.Check.ge(1)),  # number of complete trials that have the parameter
    },
    unique=["parameter"],
)
