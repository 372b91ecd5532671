"""What all parameter groups are made of."""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

Fraction = Annotated[float, Field(ge=0, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[int, Field(ge=1)]
TopK = Annotated[list[Positive], Field(min_length=1), AfterValidator(lambda ks: sorted(set(ks)))]


class Parameters(BaseModel):
    """Base of all groups: unknown keys are errors, values cannot be changed after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)
