"""Tables that say how sure an answer is."""

import pandera.pandas as pa

from cloome_kedro.schemas.base import column, table
from cloome_kedro.words import DIRECTIONS, TASKS

_SHARE = pa.Check.in_range(0, 1)

#: columns that say what an answer is: one draw of fields, the full pool of a fold, clean images
_answer = {
    "split": column(str),
    "task": column(str, pa.Check.isin(TASKS)),
    "method": column(str),
    "direction": column(str, pa.Check.isin(DIRECTIONS), nullable=True),  # retrieval only
    "shown_by": column(str, pa.Check.isin(["field", "mean"])),  # what represents a compound or a class
    "excluded": column(str, nullable=True),  # zero-shot: what references may not share with their query
}

#: one row per answer, kind of set and level: which candidates must be listed, and how often the true one is among them
candidate_sets = table(
    {
        **_answer,
        # first k: a share of the candidates, by rank. adaptive: all candidates that are probable enough
        "kind": column(str, pa.Check.isin(["first k", "adaptive"])),
        "level": column(float, _SHARE),  # wanted coverage
        "calibration": column(int, pa.Check.ge(0)),  # number of validation compounds, one query each
        "share": column(float, _SHARE, nullable=True),  # first k: share of the candidates; k of n is ceil(share n)
        # adaptive: the best candidate is listed, and all whose softmax probability times the number of candidates is at
        # least this. 0: all candidates are listed
        "threshold": column(float, pa.Check.ge(0), nullable=True),
        "temperature": column(float, pa.Check.gt(0), nullable=True),  # of the softmax; empty: all are equally probable
        "candidates": column(float, nullable=True),  # mean number of candidates of a test query
        "size_mean": column(float, nullable=True),  # number of listed candidates
        "size_median": column(float, nullable=True),
        "coverage": column(float, _SHARE, nullable=True),  # share of the test queries whose true candidate is listed
        "low": column(float, _SHARE, nullable=True),  # exact interval over test compounds
        "high": column(float, _SHARE, nullable=True),
        # range of the coverage if test compounds were exchangeable with validation compounds
        "expected_low": column(float, _SHARE, nullable=True),
        "expected_high": column(float, _SHARE, nullable=True),
        "compounds": column(int, pa.Check.ge(0)),  # number of test compounds, one query each
        "reason": column(str, nullable=True),  # why all candidates are listed, or why nothing is measured
        "split_hash": column(str),
    },
    unique=[*_answer, "kind", "level"],
)

#: one row per answer, k and share of the test queries that are answered: those with the most confident best candidate
answered = table(
    {
        **_answer,
        "k": column(int, pa.Check.ge(1)),  # the true candidate is among the first k
        "share": column(float, _SHARE),
        "answered": column(int, pa.Check.ge(1)),  # number of test queries, one per compound
        "accuracy": column(float, _SHARE),
        "low": column(float, _SHARE),
        "high": column(float, _SHARE),
        "split_hash": column(str),
    },
    unique=[*_answer, "k", "share"],
)

#: one row per answer, before and after calibration on the validation fold: how good probabilities are
calibration = table(
    {
        **_answer,
        "calibrated": column(bool),
        # softmax of scores / temperature over the candidates; of probes there is none
        "temperature": column(float, pa.Check.gt(0), nullable=True),
        "error": column(float, _SHARE),  # expected calibration error; for probes, the mean over assays
        "error_of_calibrated": column(float, _SHARE),  # what perfectly calibrated probabilities would have
        "brier": column(float, _SHARE),  # mean squared error of the probability of the best candidate, or of an assay
        "n": column(int, pa.Check.ge(1)),  # number of test queries, or of assays
        "calibration": column(int, pa.Check.ge(0)),  # number of validation compounds
        "compounds": column(int, pa.Check.ge(1)),  # number of test compounds
        "split_hash": column(str),
    },
    unique=[*_answer, "calibrated"],
)

#: one row per method and side: similarity of unseen queries with the nearest training field or compound
familiarity = table(
    {
        "split": column(str),
        "method": column(str, nullable=True),  # empty for the Tanimoto coefficient, which needs no model
        "side": column(str, pa.Check.isin(["image", "compound"])),
        "measure": column(str, pa.Check.isin(["cosine", "Tanimoto"])),
        "apart": column(bool),  # whether training fields of the plate of the query do not count
        "references": column(int, pa.Check.ge(0)),  # number of training fields or compounds
        "calibration": column(int, pa.Check.ge(0)),  # number of validation fields or compounds
        # quantiles over the validation fold: 0, 1, 5, 25, 50 and 75 %
        **{name: column(float, nullable=True) for name in ("lowest", "q01", "q05", "q25", "q50", "q75")},
        "queries": column(int, pa.Check.ge(0)),  # number of test fields or compounds
        "test_q50": column(float, nullable=True),
        "unlike": column(float, _SHARE, nullable=True),  # share of the test queries with a similarity below q01
        "split_hash": column(str),
    },
    unique=["method", "side", "measure"],
)
