"""Parameters of the model card and the data card."""

from __future__ import annotations

from pydantic import Field

from cloome_kedro.parameters.base import Parameters


class CardParameters(Parameters):
    """What no table of a run says about its model and data: licences, origin, contact (pipeline ``reporting``)."""

    data_licence: str | None = Field(
        default=None,
        min_length=1,
        description="licence of the screen, as an SPDX identifier such as CC0-1.0; null: the card says `not stated`",
    )
    data_source: str | None = Field(
        default=None,
        min_length=1,
        description="who made the screen, and where it is published; null: the card says `not stated`",
    )
    model_licence: str | None = Field(
        default=None,
        min_length=1,
        description="licence under which the model is given away, such as MIT; null: the card says `not stated`",
    )
    contact: str | None = Field(default=None, min_length=1, description="whom to ask; null: the card says `not stated`")
