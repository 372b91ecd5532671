"""Search spaces as configuration has them, and the settings that their points stand for."""

import json
from functools import cache
from pathlib import Path

import pydantic
import pytest
import yaml
from kedro.config import OmegaConfigLoader

from cloome_kedro.parameters import (
    BilinearParameters,
    FingerprintParameters,
    SearchSpace,
    TrainingParameters,
    TuningParameters,
)
from cloome_kedro.parameters.tuning import GROUPS, changed, changes_of, check_space, default_point, settable, unsearched
from cloome_kedro.settings import CONFIG_LOADER_ARGS

ROOT = Path(__file__).parents[2]
KINDS = {"training": TrainingParameters, "fingerprints": FingerprintParameters, "bilinear": BilinearParameters}
RATE, OBJECTIVE, BETA = "training.fit.learning_rate", "training.fit.objective", "training.fit.hopfield_beta"


@cache
def loaded(env: str, runtime: str) -> dict:
    loader = OmegaConfigLoader(str(ROOT / "conf"), env=env, runtime_params=json.loads(runtime), **CONFIG_LOADER_ARGS)
    return loader["parameters"]


def configured(env: str = "base", **runtime):
    """The tuning parameters of an environment, and the groups that its space searches in."""
    values = loaded(env, json.dumps(runtime))
    tuning = TuningParameters.model_validate(values["tuning"])
    return tuning, {name: KINDS[name].model_validate(values[name]) for name in GROUPS[tuning.chosen.tunes]}


def space(parameters: dict, **settings) -> SearchSpace:
    return SearchSpace.model_validate({"metric": "top1", "parameters": parameters, **settings})


@pytest.mark.parametrize(
    ("name", "size"),
    [("retrieval", 1536), ("bioactivity", 768), ("zero_shot_compound", 768), ("zero_shot_moa", 768), ("bilinear", 72)],
)
def test_published_grids_have_the_published_size(name, size):
    tuning, _ = configured("paper")
    points = tuning.spaces[name].space.grid()
    assert len(points) == size
    assert len({str(sorted(point.items())) for point in points}) == size


PRESETS = [
    ("retrieval", "retrieval", "top1"),
    ("retrieval_scaffold", "retrieval", "top1"),
    ("bioactivity", "bioactivity", "probing_auc"),
    ("zero_shot_compound", "zero_shot_compound", "zero_shot_compound_top1"),
    ("zero_shot_compound_scaffold", "zero_shot_compound", "zero_shot_compound_top1"),
    ("zero_shot_moa", "zero_shot_moa", "zero_shot_moa_top1"),
    ("zero_shot_moa_scaffold", "zero_shot_moa", "zero_shot_moa_top1"),
]


@pytest.mark.parametrize(("preset", "name", "metric"), PRESETS)
def test_a_preset_searches_its_tasks_space_from_its_own_selection(preset, name, metric):
    tuning, groups = configured("paper", preset=preset)
    assert (tuning.name, tuning.chosen.metric) == (name, metric)
    check_space(tuning.chosen, groups)
    default = default_point(tuning.chosen, groups)
    assert default in tuning.chosen.space.grid()
    assert default == tuning.chosen.published_points["scaffold" in preset]
    assert groups["training"].selected_by == metric


def test_the_bilinear_space_of_the_publication_holds_its_default():
    tuning, groups = configured("paper", tuning={"space": "bilinear"})
    check_space(tuning.chosen, groups)
    assert default_point(tuning.chosen, groups) in tuning.chosen.space.grid()


@pytest.mark.parametrize("env", ["base", "test"])
def test_the_default_configuration_is_a_point_and_the_point_is_the_configuration(env):
    tuning, groups = configured(env)
    check_space(tuning.chosen, groups)
    point = default_point(tuning.chosen, groups)
    assert changed(groups, changes_of(point, tuning.chosen, groups)) == groups


def test_changes_are_written_as_conf_has_them_and_survive_yaml():
    tuning, groups = configured()
    point = {**default_point(tuning.chosen, groups), OBJECTIVE: "info_loob", BETA: 22, RATE: 0.002}
    changes = changes_of(point, tuning.chosen, groups)
    assert changes["training"]["fit"]["hopfield_beta"] == 22
    fit = changed(groups, yaml.safe_load(yaml.safe_dump(changes)))["training"].fit
    assert (fit.objective, fit.hopfield_beta, fit.learning_rate) == ("info_loob", 22, 0.002)
    assert fit.embedding_size == groups["training"].fit.embedding_size


def test_what_a_condition_leaves_out_has_its_default():
    tuning, groups = configured()
    hopfield = changed(groups, {"training": {"fit": {"objective": "info_loob", "hopfield_beta": 22}}})
    point = {name: v for name, v in default_point(tuning.chosen, hopfield).items() if name != BETA}
    point[OBJECTIVE] = "info_nce"
    assert changed(hopfield, changes_of(point, tuning.chosen, hopfield))["training"].fit.hopfield_beta is None


def test_defaults_need_not_be_null():
    _, groups = configured()
    sgd = changed(groups, {"training": {"fit": {"optimizer": "sgd", "momentum": 0.9}}})
    chosen = space(
        {
            "training.fit.optimizer": {"choices": ["sgd", "adamw"]},
            "training.fit.momentum": {"choices": [0.5, 0.9], "when": {"training.fit.optimizer": "sgd"}},
        }
    )
    check_space(chosen, sgd)
    changes = changes_of({"training.fit.optimizer": "adamw"}, chosen, sgd)
    assert changed(sgd, changes)["training"].fit.momentum == 0.0


def test_the_spaces_metric_chooses_the_epoch():
    _, groups = configured()
    chosen = space({RATE: {"log_uniform": [1e-3, 1e-2]}}, metric="zero_shot_moa_top1")
    training = changed(groups, changes_of({RATE: 2e-3}, chosen, groups))["training"]
    assert training.selected_by == "zero_shot_moa_top1"
    assert training.fit.keep == ("zero_shot_moa_top1", "top1")


def test_settings_in_common_are_those_not_searched():
    tuning, groups = configured()
    common = unsearched(tuning.chosen, groups)
    assert RATE not in common
    assert "training.fit.checkpoint_minutes" not in common
    assert common["training.fit.embedding_size"] == groups["training"].fit.embedding_size
    assert common["fingerprints.bits"] == groups["fingerprints"].bits


@pytest.mark.parametrize(("tunes", "name"), [("training", "laptop"), ("bilinear", "laptop_bilinear")])
def test_every_name_to_tune_can_be_looked_up(tunes, name):
    tuning, groups = configured(tuning={"space": name})
    names = settable(tunes)
    assert {"fingerprints.bits", f"{tunes}.fit.batch_size"} <= set(names)
    assert f"{tunes}.fit.keep" not in names
    common = unsearched(tuning.chosen, groups)
    assert set(common) >= {f"{tunes}.fit.keep", f"{tunes}.fit.cycles"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"training.fit.learnin_rate": {"choices": [1e-3]}}, "the nearest is training.fit.learning_rate"),
        ({"learning_rate": {"choices": [1e-3]}}, "no parameter learning_rate to tune"),
        ({"training.fit.optimizer": {"choices": ["adam"]}}, "training.fit.optimizer cannot be 'adam'"),
        ({"training.fit.epochs": {"uniform": [1, 9]}}, "training.fit.epochs cannot be any real number"),
        ({"fingerprints.bits": {"choices": ["many"]}}, "fingerprints.bits cannot be 'many'"),
        ({RATE: {"log_uniform": [0, 1]}}, "above 0"),
        ({RATE: {"log_uniform": [1, 0.1]}}, "lower and a higher"),
        ({RATE: {"choices": [1], "uniform": [0, 1]}}, "give one of"),
        ({RATE: {"normal": [0, 1]}}, "normal"),
        ({BETA: {"choices": [8], "when": {OBJECTIVE: "info_loob"}}}, "its condition names training.fit.objective"),
        (
            {OBJECTIVE: {"choices": ["info_nce"]}, BETA: {"choices": [8], "when": {OBJECTIVE: "info_loob"}}},
            "which is never",
        ),
    ],
)
def test_a_wrong_space_is_refused_by_name(parameters, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        space(parameters)


def test_unknown_metrics_and_spaces_are_refused():
    with pytest.raises(pydantic.ValidationError, match="no metric top2 of training"):
        space({RATE: {"choices": [1e-3]}}, metric="top2")
    with pytest.raises(pydantic.ValidationError, match="no metric probing_auc of bilinear"):
        space({"bilinear.fit.epochs": {"choices": [3]}}, metric="probing_auc", tunes="bilinear")
    with pytest.raises(pydantic.ValidationError, match="there is no space laptob, only laptop"):
        configured(tuning={"space": "laptob"})
    with pytest.raises(pydantic.ValidationError, match="learning_rate may be any real number"):
        configured(tuning={"search": {"sampler": "grid", "trials": None}})


def test_a_published_point_outside_the_space_is_refused():
    with pytest.raises(pydantic.ValidationError, match=r"learning_rate is 0.5"):
        space({RATE: {"choices": [1e-3]}}, published=[{RATE: 0.5}])


def test_a_default_outside_the_space_is_refused():
    _, groups = configured()
    with pytest.raises(ValueError, match=r"(?s)begins with the configuration as it is.*learning_rate is 0.004"):
        default_point(space({RATE: {"choices": [1e-3, 1e-2]}}), groups)


def test_a_value_that_goes_with_nothing_is_refused_before_any_trial():
    _, groups = configured()
    chosen = space({"training.fit.batch_size": {"choices": [256, 1]}})
    with pytest.raises(ValueError, match=r"batch_size = 1 does not fit the configuration"):
        check_space(chosen, groups)
    chosen = space(
        {OBJECTIVE: {"choices": ["info_nce", "info_loob"]}, "training.fit.momentum": {"choices": [0.0, 0.9]}}
    )
    with pytest.raises(ValueError, match=r"momentum = 0.9 does not fit the configuration"):
        check_space(chosen, groups)
