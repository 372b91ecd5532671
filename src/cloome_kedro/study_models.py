"""Properties of the models of a study that its pipelines depend on. Finding them out imports nothing heavy."""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloome_kedro.learning.encoders import ENCODERS
from cloome_kedro.learning.views import VIEWS
from cloome_kedro.words import CONTRASTIVE, FUSION, RIDGE


@dataclass(frozen=True)
class Model:
    """Properties of a model that its pipelines depend on.

    Attributes
    ----------
    name
        Name of its entry under ``models:``.
    field_sources, compound_sources
        Names of the datasets that its views of fields and of compounds read. A fusion has no views.
    sees_images
        Whether its view of fields is ``images``, and it has an encoder. Only then can it embed corrupted images.
    trains_field_encoder
        Whether its encoder of fields has trainable parameters. Only then does it have an untrained counterpart.
    kind
        ``contrastive``, ``ridge`` or ``fusion``.
    parts
        Names of the models whose embeddings a fusion joins.
    target_sources
        Names of the datasets that the view of predicted features reads. None: the model has no pre-training.
    """

    name: str
    field_sources: tuple[str, ...] = ()
    compound_sources: tuple[str, ...] = ()
    sees_images: bool = False
    trains_field_encoder: bool = False
    kind: str = CONTRASTIVE
    parts: tuple[str, ...] = ()
    target_sources: tuple[str, ...] | None = None

    @classmethod
    def configured(cls, name: str, entries: Mapping[str, Any]) -> "Model":
        """Look a model up among the entries under ``models:``.

        Raises
        ------
        ValueError
            If there is no such entry, if its kind is unknown, if its view or encoder is missing or unknown, or if a
            fusion names no parts.
        """
        if name not in entries:
            raise ValueError(
                f"globals.yml, models: there is no model {name}; the parameters `models` have {', '.join(entries)}"
            )
        entry = entries[name]
        kind = entry.get("kind", CONTRASTIVE) if isinstance(entry, Mapping) else CONTRASTIVE
        if kind == FUSION:
            parts = entry.get("parts") or ()
            if not isinstance(parts, list | tuple) or len(parts) < 2:
                raise ValueError(f"models.{name}.parts: a fusion needs the names of two or more models")
            return cls(name, kind=FUSION, parts=tuple(map(str, parts)))
        if kind == RIDGE:
            return cls(
                name,
                field_sources=_sources(_entry_of(name, entry, "field", "view")),
                compound_sources=_sources(_entry_of(name, entry, "compound", "view")),
                kind=RIDGE,
            )
        if kind != CONTRASTIVE:
            raise ValueError(
                f"models.{name}.kind: there is no kind of model {kind!r}, only {CONTRASTIVE}, {RIDGE} and {FUSION}"
            )
        chosen = {
            (side, part): _entry_of(name, entry, side, part)
            for side in ("field", "compound")
            for part in ("view", "encoder")
        }
        pretrain = entry.get("pretrain")
        if pretrain is not None and not (isinstance(pretrain, Mapping) and pretrain.get("target")):
            raise ValueError(f"models.{name}.pretrain: a pre-training needs a target, such as profiles")
        return cls(
            name,
            target_sources=None if pretrain is None else _sources(pretrain["target"]),
            field_sources=_sources(chosen["field", "view"]),
            compound_sources=_sources(chosen["compound", "view"]),
            sees_images=_name(chosen["field", "view"]) == "images",
            trains_field_encoder=ENCODERS.facts(_name(chosen["field", "encoder"])).get("parameters", True),
        )

    @property
    def sources(self) -> tuple[str, ...]:
        """Names of the datasets that its training reads: those of its two views and of the predicted features."""
        return tuple(dict.fromkeys((*self.field_sources, *self.compound_sources, *(self.target_sources or ()))))

    @property
    def pretrains(self) -> bool:
        """Whether its encoder of fields is pre-trained."""
        return self.target_sources is not None


def study_models(names: Mapping[str, Any], entries: Mapping[str, Any]) -> list[Model]:
    """Look up all models of a study, in its order.

    Parameters
    ----------
    names
        ``models`` of ``globals.yml``.
    entries
        The parameters ``models``.

    Raises
    ------
    ValueError
        As :meth:`Model.configured`, and if a part of a fusion is no model of the study that comes before the fusion.
    """
    models = [Model.configured(name, entries) for name in names]
    for problem in map(wrong_part, models, [list(names)] * len(models)):
        if problem:
            raise ValueError(problem)
    return models


def wrong_part(model: Model, study: list[str]) -> str:
    """Say which part of a fusion is no earlier model of the study. The text is empty if all are.

    >>> fusion = Model("fusion", kind="fusion", parts=("cloome", "profiles"))
    >>> wrong_part(fusion, ["cloome", "profiles", "fusion"])
    ''
    >>> wrong_part(fusion, ["cloome", "fusion"])
    'models.fusion.parts: profiles is no model of the study: add it to models in globals.yml, before fusion'
    """
    for part in model.parts:
        if part not in study:
            return (
                f"models.{model.name}.parts: {part} is no model of the study: add it to models in globals.yml, before "
                f"{model.name}"
            )
        if study.index(part) >= study.index(model.name):
            return f"models.{model.name}.parts: {part} must come before {model.name} in models of globals.yml"
    return ""


def compared_entries(compared: Mapping[str, Any], entries: Mapping[str, Any]) -> dict[str, Any]:
    """Entries of the models of a comparison: entries of ``models:`` with changes.

    Parameters
    ----------
    compared
        Name of a compared model -> its label, or a dictionary with ``label``, ``of`` and ``changes``.
    entries
        The parameters ``models``.

    Raises
    ------
    ValueError
        If there is no such entry, or if a changed setting lies in something that is not a group of settings.

    Examples
    --------
    >>> entries = {"cloome": {"field": {"view": "images"}, "fit": {"epochs": 5}}}
    >>> small = {"label": "Small", "of": "cloome", "changes": {"fit.epochs": 2, "field.view.crop": 8}}
    >>> compared_entries({"cloome": "CLOOME", "small": small}, entries)["small"]
    {'field': {'view': {'name': 'images', 'crop': 8}}, 'fit': {'epochs': 2}}
    """
    found = {}
    for key, given in compared.items():
        given = {"label": given} if isinstance(given, str) else given
        name = given.get("of") or key
        if name not in entries:
            raise ValueError(f"{key}: there is no model {name}; the parameters `models` have {', '.join(entries)}")
        entry = copy.deepcopy(entries[name])
        for setting, value in (given.get("changes") or {}).items():
            _change(entry, setting, value, key)
        found[key] = entry
    return found


def _change(entry: Any, setting: str, value: Any, key: str) -> None:
    """Change a setting, which is given by its dotted name. An entry of a registry that is only a name gets settings."""
    *path, last = setting.split(".")
    group = entry
    for part in path:
        inner = group.get(part)
        if isinstance(inner, str):
            inner = group[part] = {"name": inner}
        elif inner is None:
            inner = group[part] = {}
        if not isinstance(inner, dict):
            raise ValueError(f"{key}: {setting} cannot be changed, because {part} is not a group of settings")
        group = inner
    group[last] = value


def _entry_of(name: str, entry: Any, side: str, part: str) -> Any:
    """The view or encoder of a side of a model, as it is configured."""
    try:
        chosen = entry[side][part]
        _name(chosen)
    except (KeyError, TypeError) as error:
        needs = "a view" if isinstance(entry, Mapping) and entry.get("kind") == RIDGE else "a view and an encoder"
        raise ValueError(f"models.{name}: field and compound need {needs} each") from error
    return chosen


def _sources(view: Any) -> tuple[str, ...]:
    """Names of the datasets that a view reads. ``{table}`` in such a name is the setting ``table`` of the view."""
    settings = {} if isinstance(view, str) else view
    try:
        return tuple(name.format_map(settings) for name in VIEWS.facts(_name(view))["reads"])
    except KeyError as missing:
        raise ValueError(f"the view {_name(view)} needs the setting {missing.args[0]}") from missing


def _name(entry: Any) -> str:
    """Name in an entry of the configuration, which is a name alone, or a name with settings."""
    return entry if isinstance(entry, str) else entry["name"]
