"""What a training and the evaluations found."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import INCHIKEY, column, table
from cloome_kedro.words import DIRECTIONS, FOLDS, TASKS

#: one row per epoch of a training
history = table(
    {
        "epoch": column(int),
        "step": column(int),
        "train_loss": column(float),
        # loss, top-k accuracies in the full pool, and other metrics of the validation fold, as far as they were
        # measured
        r"^validation_": column(float, nullable=True, regex=True, required=False),
        "inverse_temperature": column(float),
        "learning_rate": column(float),
        "gradient_norm": column(float, nullable=True),  # mean, before clipping
        "fields_per_second": column(float),
        "waiting_fraction": column(float),  # share of the time of training spent waiting for data
        "best": column(bool),  # by the metric that the study selects by
    },
    unique=["epoch"],
)

#: what ranks, metrics and differences are of; a column that says nothing about a task is empty
_setting = {
    "split": column(str),
    "task": column(str, pa.Check.isin(TASKS)),
    "method": column(str),  # a model of the study, or one of those in `words`
    "images": column(str),  # clean, or the name of a corruption
    "direction": column(str, pa.Check.isin(DIRECTIONS), nullable=True),
    "pool": column(str, pa.Check.isin(["full", "sampled", "same plate"]), nullable=True),
    "shown_by": column(str, pa.Check.isin(["field", "mean"])),  # what stands for a compound or class: a field, or the
    # mean over its fields; of probing: whether a sample is a field or a compound
    "excluded": column(
        str, nullable=True
    ),  # none, or which of a query's keys its candidates do not share: plate+compound
}

#: one row per query: the rank of its match among the candidates
ranks = table(
    {
        **_setting,
        "draw": column(int, pa.Check.ge(0)),  # of fields and candidates; 0 is the one that a publication would give
        "candidates": column(int, pa.Check.ge(1)),  # size of the query's pool, the match included
        "query": column(str),  # field_id or InChIKey
        "match": column(str),  # InChIKey, field_id, or the name of a class
        "compound": column(str, INCHIKEY),  # of the query: what intervals resample
        "rank": column(int, pa.Check.ge(1)),
    }
)

#: one row per metric of any task, with what it rests on and its interval
metrics = table(
    {
        **_setting,
        "draws": column(int, pa.Check.ge(1)),  # 1: the publication's single draw; more: the mean over so many
        "candidates": column(float, nullable=True),  # mean size of a query's pool
        "metric": column(str),  # top-1, ..., mean rank, median rank; mean AUC, SD AUC, AUC > 0.9, ...
        "value": column(float),
        "low": column(float, nullable=True),
        "high": column(float, nullable=True),
        "interval": column(str, pa.Check.isin(["exact", "bootstrap", "none"])),  # bootstrap: over compounds
        "n": column(int, pa.Check.ge(1)),  # queries of a draw, or assays
        "compounds": column(int, pa.Check.ge(1)),  # that the queries are of, or that were tested
        "successes": column("Int64", nullable=True),
        "spread": column(float, nullable=True),  # standard deviation over draws
        "chance": column(float, nullable=True),
        "split_hash": column(str),
    }
)

#: one row per metric over all seeds of a variant
seeds_metrics = table(
    {
        **_setting,
        "draws": column(int, pa.Check.ge(1)),
        "metric": column(str),
        "value": column(float, nullable=True),  # mean over seeds
        "spread": column(float, nullable=True),  # standard deviation over seeds; none of a single one
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

#: one row per paired difference: the value of the row's setting minus that of the same with one thing otherwise
differences = table(
    {
        **_setting,
        "against": column(str),  # clean; excluded none; method Untrained; ...
        "metric": column(str),
        "difference": column(float),
        "low": column(float),  # bootstrap over compounds
        "high": column(float),
        "n": column(int, pa.Check.ge(1)),  # queries (or assays) that both have
        "compounds": column(int, pa.Check.ge(1)),
        "split_hash": column(str),
    }
)

#: one row per assay and method: the probe's scores on the test fold, or why there are none
probing_scores = table(
    {
        "split": column(str),
        "method": column(str),
        "images": column(str),
        "shown_by": column(str, pa.Check.isin(["field", "mean"])),
        "assay": column(str),
        "scored": column(bool),
        "reason": column(str, nullable=True),  # of an assay that cannot be scored
        "c": column(float, nullable=True),  # chosen by validation AUC
        "validation_auc": column(float, nullable=True),
        **{name: column(float, nullable=True) for name in ("auc", "f1", "average_precision", "mcc")},
        **{
            f"{fold}_{kind}": column(int, pa.Check.ge(0))
            for fold in FOLDS
            for kind in ("actives", "inactives")  # samples, as fitted
        },
        "split_hash": column(str),
    },
    unique=["method", "images", "shown_by", "assay"],
)

#: one row per corrupted field: how its image was changed, so that the row can be made again alone
corrupted_fields = table(
    {
        "field_id": column(str),
        "corruption": column(str),
        "stage": column(str, pa.Check.isin(["field", "crop"])),
        "seed": column("Int64"),  # the field's own
        "settings": column(str),  # JSON: what was drawn, e.g. {"flip_horizontal": true, "angle": -3.2}
        "black": column(float, pa.Check.in_range(0, 1)),  # share of the encoder's input that was filled with black
        "augmentation": column(bool),  # whether training had shown such images
        "weights": column(str),  # of the model that embedded it
        "digest": column(str),  # of the embeddings that were made from it
    },
    unique=["corruption", "field_id"],
)

#: one row per trial of a hyperparameter search; a column that contains a dot is a searched parameter, empty where the
#: trial's other parameters left it out
trials = pa.DataFrameSchema(
    {
        "study": column(str),
        "split": column(str),
        "tunes": column(str),  # name of the model
        "metric": column(str),  # of validation, maximised: top1, probing_auc, ...
        "n_validation": column(int, pa.Check.ge(0)),  # compounds of the validation fold
        "number": column(int, pa.Check.ge(0)),
        "state": column(str, pa.Check.isin(["COMPLETE", "PRUNED", "FAIL", "RUNNING", "WAITING"])),
        "source": column(str, nullable=True),  # default, published, or what drew it: grid, tpe, random
        "value": column(float, nullable=True),  # best epoch; of a pruned trial the last that was reported
        "epoch": column("Int64", nullable=True),  # of the value
        "epochs": column("Int64", nullable=True),  # that were trained
        "seconds": column(float, nullable=True),
        "started": column(str, nullable=True),  # ISO 8601
        "worker": column(str, nullable=True),
        "device": column(str, nullable=True),
        "retry_of": column("Int64", nullable=True),  # number of the killed or interrupted trial that this repeats
        "reason": column(str, nullable=True),  # of a failure
        "best": column(bool),
        "split_hash": column(str),
        r"^.+\..+$": pa.Column(nullable=True, regex=True, required=False),
    },
    strict=True,
    coerce=True,
    unique=["number"],
)

#: one row per epoch of a trial: what was reported of it
trial_epochs = table(
    {
        "trial": column(int, pa.Check.ge(0)),
        "epoch": column(int, pa.Check.ge(0)),
        "value": column(float, nullable=True),  # none where it was not finite
    },
    unique=["trial", "epoch"],
)

#: one row per searched parameter; none where the trials are too few to tell
importances = table(
    {
        "parameter": column(str),
        "importance": column(float),  # share of the variance of values (fANOVA)
        "trials": column(int, pa.Check.ge(1)),  # complete ones that have the parameter
    },
    unique=["parameter"],
)
