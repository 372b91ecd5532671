"""Parameters of the pipeline ``uncertainty``."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from cloome_kedro.parameters.base import Parameters, Positive, Share


class UncertaintyParameters(Parameters):
    """How sure an answer is (pipeline ``uncertainty``). Everything is calibrated on the validation fold."""

    levels: Annotated[list[Share], Field(min_length=1), AfterValidator(lambda levels: sorted(set(levels)))] = Field(
        default=[0.8, 0.9, 0.95],
        description="wanted coverages: probabilities that the true candidate is among the listed ones",
    )
    confidence: Share = Field(default=0.95, description="confidence level of the intervals of measured coverages")
    steps: Positive = Field(
        default=20, description="number of shares of the queries, from 1 / steps to 1, at which accuracy is measured"
    )
    bins: Annotated[int, Field(ge=2)] = Field(default=10, description="number of bins of calibration errors")
    similar: Positive = Field(
        default=2000, description="most queries of a fold whose similarity with the training fold is measured"
    )
