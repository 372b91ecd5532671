"""Checks of the whole configuration before a run.

Kedro validates the parameters that the nodes of a run read. Other keys, such as a misspelt group, would be ignored, and
the results of the defaults would appear as if they were those of the new settings.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from cloome_kedro.parameters import evaluation, model, screen, tuning
from cloome_kedro.parameters.base import EntryName, Parameters, Seed, settings_of
from cloome_kedro.parameters.environment import Globals, RunNames
from cloome_kedro.parameters.files import Origin
from cloome_kedro.parameters.groups import GROUPS
from cloome_kedro.study_models import Model, wrong_part

P = TypeVar("P", bound=Parameters)

_TOP = ("seed", "models", *GROUPS)
_EXTRA = ("extra_forbidden", "unexpected_keyword_argument")


def check_globals(values: Mapping[str, Any]) -> Globals:
    """Read ``globals.yml``; the settings of ``conf/base`` and of the environment together.

    Raises
    ------
    ValueError
        If a key is unknown or a value does not fit. The message names all of them.
    """
    return _read(Globals, values, lambda name: "globals.yml")


def check_run_names(given: Mapping[str, Any], environment: Globals) -> RunNames:
    """Read the names that ``--params`` gives: variant, preset, seed and the file of a checkpoint.

    Raises
    ------
    ValueError
        If a name is not text or could be no folder, if the seed is not a whole number, or if ``--params`` has a
        setting of ``globals.yml``.
    """
    for name in given:
        if name in Globals.model_fields and name not in (*RunNames.model_fields, *_TOP):
            value = getattr(environment, name)
            raise ValueError(
                f"--params {name}: {name} cannot be given by --params. It is {value!r} in globals.yml of the "
                "environment: change it there, or make another environment"
            )
    own = {name: value for name, value in given.items() if name in RunNames.model_fields}
    return _read(RunNames, own, lambda name: "--params")


def check_parameters(
    values: Mapping[str, Any], environment: Globals, names: RunNames, given: Iterable[str], origin: Origin
) -> None:
    """Check all parameters, also those that the pipelines of the run do not read.

    Parameters
    ----------
    values
        The parameters of ``conf/base``, the environment and ``--params`` together. Names that begin with ``_`` are not
        checked: they are for the files themselves.
    environment, names
        The settings that are already checked.
    given
        Names in ``--params``.
    origin
        Function from a dotted name to the place where it is set.

    Raises
    ------
    ValueError
        If a key is unknown or a value does not fit. The message names all of them, and the nearest known names.
    """
    given = set(given)
    problems: list[tuple[str, str]] = []
    for name, value in values.items():
        if name.startswith("_") or (name in RunNames.model_fields and name in given):
            continue
        if name in GROUPS:
            problems += _problems(GROUPS[name], value, f"{name}.")
        elif name == "models":
            problems += _problems_of_models(value)
        elif name in RunNames.model_fields and name != "seed":
            problems.append((name, f"{name} is given by --params {name}=..., because paths of results depend on it"))
        elif name != "seed":
            problems.append((name, ""))
    problems += _contradictions(values, environment, names)
    if not problems:
        problems += _unfit_views(values, environment)
        problems += _missing_folds(values, environment)
        problems += _missing_images(values, environment)
    if problems:
        known = list(_known_names(values)) if any(not text for _, text in problems) else []
        lines = [f"{origin(name)}: {text or _unknown(name, known)}" for name, text in problems]
        raise ValueError("\n".join(["the configuration has errors:", *dict.fromkeys(lines)]))


def _read(group: type[P], values: Any, origin: Origin) -> P:
    problems = list(_problems(group, values, ""))
    if problems:
        known = [*(name for name, _ in settings_of(group, "")), *_TOP]
        lines = [f"{origin(name)}: {text or _unknown(name, known)}" for name, text in problems]
        raise ValueError("\n".join(["the configuration has errors:", *lines]))
    return group.model_validate(values)


def _problems(kind: Any, value: Any, prefix: str) -> Iterator[tuple[str, str]]:
    """Yield the dotted name of each wrong setting, and what is wrong. The text is empty for an unknown name."""
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        for problem in error.errors(include_url=False):
            parts = [str(part) for part in problem["loc"] if isinstance(part, str) and part != "[key]"]
            name = (prefix + ".".join(parts)).rstrip(".")
            if problem["type"] in _EXTRA:
                yield name, ""
            else:
                text = problem["msg"].removeprefix("Value error, ")
                shown = "" if problem["type"] in ("value_error", "missing") else f", is {_short(problem['input'])}"
                yield name, f"{name}: {text}{shown}"


def _problems_of_models(models: Any) -> Iterator[tuple[str, str]]:
    if not isinstance(models, Mapping):
        yield "models", f"models must be a dictionary of models, is {_short(models)}"
        return
    for name, entry in models.items():
        yield from _problems(EntryName, name, f"models.{name}")
        if (kind := model.kind_of(entry)) not in model.MODEL_KINDS:
            known = ", ".join(model.MODEL_KINDS)
            yield f"models.{name}.kind", f"models.{name}.kind: there is no kind of model {kind}, only {known}"
            continue
        parameters = model.MODEL_KINDS[kind]
        problems = list(_problems(parameters, entry, f"models.{name}."))
        near = difflib.get_close_matches(str(name), [other for other in models if other != name], 1)
        required = {key for key, field in parameters.model_fields.items() if field.is_required()}
        if near and not required - {"fit"} <= set(entry or ()):
            yield f"models.{name}", f"the model {name} is not complete. If you mean {near[0]}, correct the name"
        else:
            yield from problems


def _contradictions(values: Mapping[str, Any], environment: Globals, names: RunNames) -> Iterator[tuple[str, str]]:
    """Yield settings that must be those of ``globals.yml`` or of ``--params``, but are not."""
    study = {"screen": environment.screen, "simulated": environment.simulate, "models": environment.models}
    study["reference"] = environment.reference
    expected = {f"study.{key}": value for key, value in study.items()} | {"ingestion.screen": environment.screen}
    for name, value in expected.items():
        group, _, key = name.partition(".")
        found = (values.get(group) or {}).get(key, value)
        if found != value:
            yield name, f"{name} is {_short(found)}, but globals.yml has {_short(value)}: change it in globals.yml"
    models = values.get("models") or {}
    for name in environment.models:
        if name not in models:
            near = (difflib.get_close_matches(name, models, 1, 0.6) or [f"none; there are {', '.join(models)}"])[0]
            yield f"models.{name}", f"globals.yml, models: there is no model {name}; the nearest is {near}"
    yield from _wrong_kinds(values, models, environment)
    yield from evaluation.uncorrectable(values, list(environment.models.values()))
    seed = values.get("seed", names.seed)
    problems = list(_problems(Seed, seed, "seed"))
    yield from problems
    if not problems and seed != names.seed:
        yield "seed", f"seed is {seed}: give it by --params seed={seed}, because paths of results depend on it"
    variant = (values.get("import_checkpoint") or {}).get("variant")
    if isinstance(variant, str) and variant != (names.variant or "default"):
        yield (
            "import_checkpoint.variant",
            f"import_checkpoint.variant is {variant}: give it by --params variant={variant}, because paths of results "
            "depend on it",
        )


def _wrong_kinds(
    values: Mapping[str, Any], models: Mapping[str, Any], environment: Globals
) -> Iterator[tuple[str, str]]:
    """Yield fusions whose parts are no earlier models of the study, and searches of models that are not contrastive."""
    for name in environment.models:
        parts = (models.get(name) or {}).get("parts")
        if model.kind_of(models.get(name)) == "fusion" and isinstance(parts, list):
            fusion = Model(name, kind="fusion", parts=tuple(map(str, parts)))
            if text := wrong_part(fusion, list(environment.models)):
                yield f"models.{name}.parts", text
    for name, space in ((values.get("tuning") or {}).get("spaces") or {}).items():
        tuned = str(space.get("tunes")) if isinstance(space, Mapping) else ""
        if (kind := model.kind_of(models.get(tuned))) != "contrastive":
            key = f"tuning.spaces.{name}.tunes"
            yield key, f"{key}: {tuned} is a model of the kind {kind}, but only contrastive models can be tuned"


def _unfit_views(values: Mapping[str, Any], environment: Globals) -> Iterator[tuple[str, str]]:
    """Yield the models of the study whose view does not fit the size of the stored fields."""
    from cloome_kedro.learning.views.images import ImageSettings

    size = values["ingestion"]["storage"].get("size")
    for name in environment.models:
        if model.kind_of(values["models"][name]) != "contrastive":
            continue
        view = model.ModelParameters.model_validate(values["models"][name]).field.view
        if not size or not isinstance(view, ImageSettings):
            continue
        if (view.crop or 0) > min(size):
            key = f"models.{name}.field.view.crop"
            yield key, f"{key} is {view.crop} pixels, but ingestion.storage.size is {size}: reduce the crop"
        elif view.quarter_turns and view.crop is None and min(size) < max(size):
            key = f"models.{name}.field.view.quarter_turns"
            yield key, f"{key} needs square images, but ingestion.storage.size is {size}: set field.view.crop"


def _missing_folds(values: Mapping[str, Any], environment: Globals) -> Iterator[tuple[str, str]]:
    """Yield the splits of the study whose number is above the number of folds."""
    from cloome_kedro.chemistry.splits import find_split

    for name in environment.splits:
        try:
            find_split(name).check(screen.SplitParameters.model_validate(values["splits"]).folds)
        except ValueError as error:
            yield "splits.folds", f"globals.yml, splits: {error}"


def _missing_images(values: Mapping[str, Any], environment: Globals) -> Iterator[tuple[str, str]]:
    """Yield the models of the study that see images, if the screen has none."""
    if environment.images:
        return
    for name in environment.models:
        if Model.configured(name, values["models"]).sees_images:
            key = f"models.{name}.field.view"
            yield key, f"{key} is images, but globals.yml has images: false; use a view of profiles, or another model"


def _known_names(values: Mapping[str, Any]) -> Iterator[str]:
    """Yield the dotted names of all settings and groups of settings."""
    groups: list[tuple[Any, str]] = [(kind, f"{name}.") for name, kind in GROUPS.items()]
    kinds = {name: model.kind_of(entry) for name, entry in (values.get("models") or {}).items()}
    groups += [(model.MODEL_KINDS.get(kind, model.ModelParameters), f"models.{name}.") for name, kind in kinds.items()]
    spaces = (values.get("tuning") or {}).get("spaces") or ()
    groups += [(tuning.SearchSpace, f"tuning.spaces.{name}.") for name in spaces]
    yield from (*_TOP, *RunNames.model_fields)
    for kind, prefix in groups:
        for name, _ in settings_of(kind, prefix):
            parts = name.split(".")
            yield from (".".join(parts[: end + 1]) for end in range(1, len(parts)))


def _unknown(name: str, known: Iterable[str]) -> str:
    """Text about an unknown name: the nearest known one, or all names that could be in its place."""
    names = list(dict.fromkeys(known))
    parent, _, last = name.rpartition(".")
    siblings = [other for other in names if other.rpartition(".")[0] == parent]
    elsewhere = [other for other in names if other.rpartition(".")[2] == last]
    near = (
        difflib.get_close_matches(name, siblings, 1, 0.7)
        or difflib.get_close_matches(name, elsewhere, 1, 0)
        or difflib.get_close_matches(name, names, 1, 0.6)
    )
    if near:
        return f"there is no setting {name}; the nearest is {near[0]}"
    return f"there is no setting {name}; the settings in its place are: {', '.join(siblings) or 'none'}"


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
