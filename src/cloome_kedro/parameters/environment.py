"""The settings of an environment (``globals.yml``), and the names that ``--params`` gives a run."""

from __future__ import annotations

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from cloome_kedro.parameters.base import EntryName, Name, Parameters, Seed, checked_name, checked_text


class Globals(Parameters):
    """The settings in ``globals.yml``."""

    screen: Name = Field(description="name of the screen, and of its folder in every layer of data/")
    simulate: StrictBool = Field(description="whether the screen is simulated")
    images: StrictBool = Field(
        default=True, description="whether the screen has images; if not, it is read from tables of profiles"
    )
    splits: list[EntryName] = Field(min_length=1, description="splits of the study")
    models: dict[EntryName, Annotated[str, Field(min_length=1)]] = Field(
        min_length=1, description="keys: entries of `models`; values: their names in tables"
    )
    reference: EntryName | None = Field(
        default=None, description="model with which the others are compared, besides the first; null: none"
    )
    measure_profiles: StrictBool = Field(
        description="whether profiles are measured; if not, `field_profiles` may be a table of your own"
    )
    tracking: str | None = Field(
        default=None, description="tracking URI of MLflow, such as http://host:5000; null: nothing is tracked"
    )
    modules: list[str] = Field(description="your own modules, which register encoders, views, corruptions, ...")
    presets: dict[Name, Any] = Field(description="named settings, of which `--params preset=NAME` chooses one")
    preset: Name = Field(description="default preset; results are in a folder of this name")

    @model_validator(mode="after")
    def _names_are_unique(self) -> Globals:
        for key, names in (("splits", self.splits), ("models", list(self.models.values()))):
            if repeated := sorted({name for name in names if names.count(name) > 1}):
                raise ValueError(f"{key}: the name {', '.join(repeated)} occurs twice")
        if self.reference is not None and self.reference not in self.models:
            raise ValueError(
                f"reference: {self.reference} is not among the models {', '.join(self.models)}: choose one of them, or "
                "null"
            )
        return self

    @model_validator(mode="after")
    def _simulated_screens_have_images(self) -> Globals:
        if self.simulate and not self.images:
            raise ValueError("images: the simulated screen has images; set simulate to false, or images to true")
        return self

    def check_preset(self, preset: str | None, env: str) -> None:
        """Check that an environment has a preset; None is the preset in ``globals.yml``.

        Without this check, an unknown preset would only name the folder of the results in an environment without
        presets, and results of the default settings would appear under the name of the preset.

        Raises
        ------
        ValueError
            If there is no such preset. The message lists the known ones.
        """
        known = f"the presets {', '.join(self.presets)}"
        if preset is None:
            if self.presets and self.preset not in self.presets:
                raise ValueError(f"globals.yml, preset: {self.preset} is not one of {known}")
        elif preset not in self.presets:
            known = known if self.presets else "no presets; --env paper has those of the publication"
            raise ValueError(f"--params preset={preset}: there is no such preset. The environment {env} has {known}")


# Defaults are not validated. These types have the default None, but --params cannot give null.
OptionalName: TypeAlias = Annotated[str | None, BeforeValidator(checked_name)]
OptionalText: TypeAlias = Annotated[str | None, BeforeValidator(checked_text)]


class RunNames(Parameters):
    """Settings that only ``--params`` gives, because paths of results depend on them."""

    variant: OptionalName = Field(default=None, description="folder of the results")
    preset: OptionalName = Field(default=None, description="preset in globals.yml")
    seed: Seed = Field(default=0, description="seed of training and of all draws; each seed has its own folders")
    checkpoint: OptionalText = Field(default=None, description="file of a published checkpoint")
