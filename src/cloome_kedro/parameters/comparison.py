"""Parameters of the comparison of models over seeds and splits (pipeline ``compare``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from cloome_kedro.parameters.base import EntryName, Parameters, Seed
from cloome_kedro.parameters.model import MODEL_KINDS, FusionParameters, kind_of
from cloome_kedro.study_models import compared_entries


def as_configured(entries: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters ``models`` as dictionaries. Kedro has already validated the entries that other nodes read."""
    return {
        name: entry.model_dump(mode="json") if isinstance(entry, Parameters) else entry
        for name, entry in entries.items()
    }


def read_entry(entry: Mapping[str, Any]) -> Parameters:
    """Validate an entry of ``models:`` as a group of :data:`~cloome_kedro.parameters.model.MODEL_KINDS`."""
    return MODEL_KINDS[kind_of(entry)].model_validate(entry)


def _with_label(value: Any) -> Any:
    return {"label": value} if isinstance(value, str) else value


class ComparedModel(Parameters):
    """A model of a comparison: an entry of ``models:`` with changes. A text is only its label."""

    label: str = Field(min_length=1, description="name in tables and figures")
    of: EntryName | None = Field(
        default=None, description="entry of `models` that is changed; null: the entry of the same name"
    )
    changes: dict[str, Any] = Field(
        default={}, description="dotted name of a setting of the entry -> its value in this comparison"
    )

    def is_unchanged(self, name: str) -> bool:
        """Whether the model is the entry of this name as it is."""
        return not self.changes and self.of in (None, name)


def _seeds_differ(seeds: list[int]) -> list[int]:
    if len(set(seeds)) < len(seeds):
        raise ValueError(f"a seed occurs twice in {', '.join(map(str, seeds))}")
    return seeds


class ModelList(Parameters):
    """Models that are compared: an entry of ``compare.lists``."""

    reference: EntryName = Field(description="model from which all others are subtracted")
    models: dict[EntryName, Annotated[ComparedModel, BeforeValidator(_with_label)]] = Field(min_length=1)

    @model_validator(mode="after")
    def _reference_is_compared(self) -> ModelList:
        if self.reference not in self.models:
            raise ValueError(f"reference: {self.reference} is not among the models {', '.join(self.models)}")
        labels = self.labels
        if repeated := sorted({label for label in labels if labels.count(label) > 1}):
            raise ValueError(f"models: the label {repeated[0]} occurs twice")
        return self

    @property
    def labels(self) -> list[str]:
        """Names of the models in tables, in their order."""
        return [compared.label for compared in self.models.values()]


class CompareParameters(Parameters):
    """Comparison of models over seeds and splits (pipeline ``compare``)."""

    chosen: EntryName = Field(description="name of the list that is compared")
    seeds: Annotated[list[Seed], AfterValidator(_seeds_differ)] = Field(
        min_length=1, description="seeds of the trainings and of the draws of fields and candidates"
    )
    resamples: Annotated[int, Field(ge=100)] = Field(
        default=1000, description="number of resamples of the bootstrap over compounds and seeds"
    )
    shown_by: Literal["field", "mean"] = Field(
        default="field",
        description="what stands for a compound: one drawn field, or the mean over its fields, which has less noise",
    )
    lists: dict[EntryName, ModelList] = Field(min_length=1, description="named lists of models")

    @model_validator(mode="after")
    def _list_exists(self) -> CompareParameters:
        if self.chosen not in self.lists:
            raise ValueError(f"compare.chosen: there is no list {self.chosen}, only {', '.join(self.lists)}")
        return self

    @property
    def compared(self) -> ModelList:
        """The list that is compared."""
        return self.lists[self.chosen]


def checked_comparison(compare: CompareParameters, models: Mapping[str, Any]) -> dict[str, Any]:
    """Check the models of the chosen list before any of them is trained.

    The other lists are not checked, because an environment with other models may have no use for them.

    Parameters
    ----------
    compare
        Parameters of the comparison.
    models
        The parameters ``models``, as they are configured.

    Returns
    -------
    dict
        Name of each compared model -> its entry, with changes.

    Raises
    ------
    ValueError
        If a model does not exist or its changed entry is not valid. The message names all of them.
    """
    place = f"compare.lists.{compare.chosen}.models"
    entries = compared_entries(compare.compared.model_dump()["models"], models)
    problems: list[str] = []
    earlier: set[str] = set()
    for name, entry in entries.items():
        try:
            settings = read_entry(entry)
        except (KeyError, ValueError) as error:
            problems.append(f"{place}.{name}: {error}")
        else:
            if isinstance(settings, FusionParameters) and (missing := set(settings.parts) - earlier):
                problems.append(f"{place}.{name}: the part {min(missing)} must be an earlier model of the list")
        earlier.add(name)
    if problems:
        raise ValueError("\n".join(problems))
    return entries
