"""Parameters of the data report."""

from pydantic import Field

from cloome_kedro.parameters.base import Parameters, Positive, Share


class DataReportParameters(Parameters):
    """The data report (pipeline ``data_report``)."""

    plates: Positive = Field(
        default=4, le=12, description="number of plates that are drawn: the most usual one and the most unusual ones"
    )
    show_plates: list[str] = Field(default_factory=list, description="names of plates that are drawn in any case")
    fields: Positive = Field(default=4, le=12, description="number of example fields of each of these plates")
    rejected_fields: Positive = Field(
        default=12, le=60, description="largest number of pictures of rejected fields; each reason has some"
    )
    rankings: int = Field(
        default=10_000, ge=100, description="number of random rankings behind a p value of a mean average precision"
    )
    confidence: Share = Field(default=0.95, description="level of intervals")
    resamples: Positive = Field(default=1000, description="number of resamples of compounds behind an interval")
