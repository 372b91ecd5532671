"""Search spaces as configuration has them, and the settings that their points stand for."""

import json
from functools import cache

import pydantic
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.parameters import FingerprintParameters, ModelParameters, SearchSpace, TuningParameters
from cloome_kedro.parameters.tuning import (
    Settings,
    as_written,
    changes_of,
    check_space,
    default_point,
    from_written,
    settable,
    unsearched,
)
from environments import configured as configuration

RATE, OBJECTIVE, BETA = "fit.learning_rate", "objective.name", "objective.hopfield_beta"


@cache
def loaded(env: str, runtime: str) -> dict:
    return configuration("parameters", env, **json.loads(runtime))


def configured(env: str = "base", model: str | None = None, **runtime) -> tuple[TuningParameters, Settings]:
    """The tuning parameters of an environment, and the settings that its space searches in."""
    values = loaded(env, json.dumps(runtime))
    tuning = TuningParameters.model_validate(values["tuning"])
    chosen = ModelParameters.model_validate(values["models"][model or tuning.chosen.tunes])
    return tuning, Settings(chosen, FingerprintParameters.model_validate(values["fingerprints"]))


def space(parameters: dict, **changes) -> SearchSpace:
    return SearchSpace.model_validate({"tunes": "cloome", "metric": "top1", "parameters": parameters, **changes})


# ---- the publication's


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
    tuning, settings = configured("paper", preset=preset)
    assert (tuning.name, tuning.chosen.metric) == (name, metric)
    check_space(tuning.chosen, settings)
    default = default_point(tuning.chosen, settings)
    assert default in tuning.chosen.space.grid()
    assert default == tuning.chosen.published_points["scaffold" in preset]
    assert settings.model.selected_by == metric


def test_the_bilinear_space_of_the_publication_holds_its_default():
    tuning, settings = configured("paper", tuning={"space": "bilinear"})
    assert settings.model.field.encoder == Identity()
    check_space(tuning.chosen, settings)
    assert default_point(tuning.chosen, settings) in tuning.chosen.space.grid()


# ---- points and the configuration


@pytest.mark.parametrize("env", ["base", "test", "profile_model"])
@pytest.mark.parametrize("name", ["laptop", "laptop_bilinear"])
def test_the_default_configuration_is_a_point_and_the_point_is_the_configuration(env, name):
    tuning, settings = configured(env, tuning={"space": name})
    assert tuning.chosen.tunes == {"laptop_bilinear": "bilinear"}.get(
        name, "profiles" if env == "profile_model" else "cloome"
    )
    check_space(tuning.chosen, settings)
    point = default_point(tuning.chosen, settings)
    assert settings.changed(changes_of(point, tuning.chosen, settings)) == settings


def test_values_are_looked_up_by_names_relative_to_the_model():
    _, settings = configured()
    assert settings.value("fit.learning_rate") == 4e-3
    assert settings.value("embedding_size") == 128
    assert settings.value("fingerprints.bits") == 1024
    assert settings.value("field.encoder.name") == "resnet"
    assert settings.value("field.encoder.width") == 16
    assert settings.value("field.view.name") == "images"
    assert settings.value(OBJECTIVE) == "info_nce"
    assert settings.value(BETA) is None, "the configured objective has no such setting"
    with pytest.raises(AttributeError):
        settings.value("fit.learnin_rate")


def test_settings_of_a_pre_training_are_searched_only_if_there_is_one():
    _, settings = configured(model="bilinear")
    with pytest.raises(ValueError, match=r"weight cannot be searched: the configuration has no pretrain, add it"):
        settings.value("pretrain.weight")
    _, settings = configured()
    assert settings.value("pretrain.weight") == 1
    assert settings.value("pretrain.fit.epochs") == 20
    assert settings.value("pretrain.target.transform") == "signed_log"
    changed = settings.changed({"model": {"pretrain": {"weight": 2.0, "fit": {"epochs": 4}}}})
    assert changed.model.pretrain.target == settings.model.pretrain.target
    assert (changed.model.pretrain.weight, changed.model.pretrain.fit.epochs) == (2.0, 4)


def test_settings_of_a_whitening_are_searched_only_if_there_is_one():
    _, settings = configured()
    assert settings.value("field.view.whiten.noise") is None, "images have no such setting"
    _, settings = configured(model="profiles")
    with pytest.raises(ValueError, match=r"whiten\.noise cannot be searched: the configuration has no whiten, add it"):
        settings.value("field.view.whiten.noise")
    components = settings.changed({"model": {"field": {"view": {"whiten": 5}}}})
    with pytest.raises(ValueError, match=r"whiten\.noise cannot be searched: whiten is 5 in the config"):
        components.value("field.view.whiten.noise")
    soft = settings.changed({"model": {"field": {"view": {"whiten": {"noise": 2.5}}}}})
    assert soft.value("field.view.whiten.noise") == 2.5
    changed = soft.changed({"model": {"field": {"view": {"whiten": {"floor": 0.5}}}}}).model.field.view
    assert (changed.whiten.noise, changed.whiten.floor, changed.transform) == (2.5, 0.5, "signed_log")


def test_changes_are_written_as_conf_has_them_and_survive_yaml():
    tuning, settings = configured()
    point = {**default_point(tuning.chosen, settings), OBJECTIVE: "info_loob", BETA: 22, RATE: 0.002}
    changes = changes_of(point, tuning.chosen, settings)
    assert changes["model"]["objective"] == {"name": "info_loob", "hopfield_beta": 22}
    written = as_written(changes, tuning.chosen)
    assert set(written) == {"models"}
    assert written["models"]["cloome"]["fit"]["learning_rate"] == 0.002
    again = from_written(yaml.safe_load(yaml.safe_dump(written)))
    model = settings.changed(again).model
    assert (model.objective, model.fit.learning_rate) == (InfoLOOB(22), 0.002)
    assert model.embedding_size == settings.model.embedding_size
    assert model.field == settings.model.field


def test_fingerprints_are_written_beside_models():
    _, settings = configured()
    chosen = space({"fingerprints.bits": {"choices": [1024, 2048]}, RATE: {"log_uniform": [1e-3, 1e-2]}})
    changes = changes_of({"fingerprints.bits": 2048, RATE: 2e-3}, chosen, settings)
    assert changes == {"fingerprints": {"bits": 2048}, "model": {"fit": {"learning_rate": 2e-3}}}
    assert as_written(changes, chosen) == {
        "fingerprints": {"bits": 2048},
        "models": {"cloome": {"fit": {"learning_rate": 2e-3}}},
    }
    changed = settings.changed(changes)
    assert changed.fingerprints == FingerprintParameters(bits=2048)
    assert changed.model.fit.learning_rate == 2e-3


NESTED = st.dictionaries(
    st.sampled_from("abc"), st.integers() | st.dictionaries(st.sampled_from("xy"), st.none()), min_size=1
)


@given(
    st.fixed_dictionaries({}, optional={"model": NESTED, "fingerprints": NESTED}),
    st.sampled_from(["cloome", "bilinear"]),
)
def test_reading_undoes_writing(changes, tunes):
    assert from_written(as_written(changes, space({RATE: {"choices": [1e-3]}}, tunes=tunes))) == changes


def test_what_a_condition_leaves_out_has_its_default():
    tuning, settings = configured()
    hopfield = settings.changed({"model": {"objective": {"name": "info_loob", "hopfield_beta": 22}}})
    assert hopfield.model.objective == InfoLOOB(22)
    point = {name: v for name, v in default_point(tuning.chosen, hopfield).items() if name != BETA}
    point[OBJECTIVE] = "info_nce"
    changes = changes_of(point, tuning.chosen, hopfield)
    assert changes["model"]["objective"] == {"name": "info_nce", "hopfield_beta": None}
    assert hopfield.changed(changes).model.objective == InfoNCE()
    without = space({OBJECTIVE: {"choices": ["info_nce", "info_loob"]}})
    assert hopfield.changed(changes_of({OBJECTIVE: "info_loob"}, without, hopfield)).model.objective == InfoLOOB(22), (
        "what is not searched stays as it is configured"
    )


def test_defaults_need_not_be_null():
    _, settings = configured()
    sgd = settings.changed({"model": {"fit": {"optimizer": "sgd", "momentum": 0.9}}})
    chosen = space(
        {
            "fit.optimizer": {"choices": ["sgd", "adamw"]},
            "fit.momentum": {"choices": [0.5, 0.9], "when": {"fit.optimizer": "sgd"}},
        }
    )
    check_space(chosen, sgd)
    changes = changes_of({"fit.optimizer": "adamw"}, chosen, sgd)
    assert sgd.changed(changes).model.fit.momentum == 0.0


def test_another_encoder_takes_none_of_the_settings_of_the_one_it_replaces():
    _, settings = configured()
    chosen = space(
        {
            "compound.encoder.name": {"choices": ["mlp", "linear"]},
            "compound.encoder.width": {"choices": [64, 512], "when": {"compound.encoder.name": "mlp"}},
        }
    )
    check_space(chosen, settings)
    assert default_point(chosen, settings) == {"compound.encoder.name": "mlp", "compound.encoder.width": 512}
    linear = settings.changed(changes_of({"compound.encoder.name": "linear"}, chosen, settings)).model
    assert type(linear.compound.encoder).__name__ == "Linear"
    assert linear.compound.view == settings.model.compound.view
    wider = {"compound.encoder.name": "mlp", "compound.encoder.width": 64}
    encoder = settings.changed(changes_of(wider, chosen, settings)).model.compound.encoder
    assert (encoder.width, encoder.layers) == (64, settings.model.compound.encoder.layers)
    assert (encoder.dropout, encoder.input_dropout) == (0.3, 0.3), "the same encoder keeps its other settings"


def test_the_spaces_metric_chooses_the_epoch():
    _, settings = configured()
    chosen = space({RATE: {"log_uniform": [1e-3, 1e-2]}}, metric="zero_shot_moa_top1")
    model = settings.changed(changes_of({RATE: 2e-3}, chosen, settings)).model
    assert model.selected_by == "zero_shot_moa_top1"
    assert model.fit.keep == ("zero_shot_moa_top1", "top1")
    same = changes_of({RATE: 2e-3}, space({RATE: {"log_uniform": [1e-3, 1e-2]}}), settings)
    assert same == {"model": {"fit": {"learning_rate": 2e-3}}}, "nothing is said of what stays"


# ---- what can be searched


def test_settings_in_common_are_those_not_searched():
    tuning, settings = configured()
    common = unsearched(tuning.chosen, settings)
    assert not set(common) & set(tuning.chosen.parameters)
    for name in ("fit.checkpoint_minutes", "fit.accelerator", "fit.keep", "selected_by"):
        assert name not in common
    assert common["embedding_size"] == settings.model.embedding_size
    assert common["field.encoder.name"] == "resnet"
    assert common["field.encoder.width"] == 16
    assert common["fingerprints.bits"] == settings.fingerprints.bits


@pytest.mark.parametrize("name", ["laptop", "laptop_bilinear"])
def test_every_name_to_tune_can_be_looked_up(name):
    tuning, settings = configured(tuning={"space": name})
    groups: dict = {"pretrain": {"target": {"name": "profiles", "whiten": {}}, "fit": {"epochs": 3}}}
    if name == "laptop_bilinear":
        groups["field"] = {"view": {"whiten": {}}}  # images have none
    settings = settings.changed({"model": groups})
    names = settable()
    assert {"fingerprints.bits", "fit.batch_size", "embedding_size", "pair_key", "field.view.crop"} <= set(names)
    assert {"field.encoder.name", "field.encoder.width", "compound.encoder.batch_norm", OBJECTIVE, BETA} <= set(names)
    assert not {"fit.keep", "selected_by"} & set(names), "the metric of the space decides them"
    for setting in names:
        settings.value(setting)
    assert set(unsearched(tuning.chosen, settings)) >= {"fit.cycles", "normalise", "fingerprints.radius"}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"fit.learnin_rate": {"choices": [1e-3]}},
            "no parameter fit.learnin_rate to tune; the nearest is fit.learning_r",
        ),
        ({"learning_rate": {"choices": [1e-3]}}, "no parameter learning_rate to tune"),
        ({"model.fit.learning_rate": {"choices": [1e-3]}}, "the nearest is fit.learning_rate"),
        ({"fit.keep": {"choices": ["top5"]}}, "no parameter fit.keep to tune"),
        ({"fit.optimizer": {"choices": ["adam"]}}, "fit.optimizer cannot be 'adam'"),
        ({"fit.epochs": {"uniform": [1, 9]}}, "fit.epochs cannot be any real number"),
        ({"fingerprints.bits": {"choices": ["many"]}}, "fingerprints.bits cannot be 'many'"),
        ({"compound.encoder.width": {"uniform": [1, 9]}}, "compound.encoder.width cannot be any real number"),
        ({RATE: {"log_uniform": [0, 1]}}, "above 0"),
        ({RATE: {"log_uniform": [1, 0.1]}}, "lower and an upper"),
        ({RATE: {"choices": [1], "uniform": [0, 1]}}, "give exactly one of"),
        ({RATE: {"normal": [0, 1]}}, "normal"),
        ({BETA: {"choices": [8], "when": {OBJECTIVE: "info_loob"}}}, "its condition names objective.name"),
        (
            {OBJECTIVE: {"choices": ["info_nce"]}, BETA: {"choices": [8], "when": {OBJECTIVE: "info_loob"}}},
            "but objective.name must be",
        ),
    ],
)
def test_a_wrong_space_is_refused_by_name(parameters, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        space(parameters)


def test_unknown_metrics_and_spaces_are_refused():
    with pytest.raises(pydantic.ValidationError, match=r"no validation metric top2, only top1, .*probing_auc"):
        space({RATE: {"choices": [1e-3]}}, metric="top2")
    with pytest.raises(pydantic.ValidationError, match="there is no validation metric loss"):
        space({RATE: {"choices": [1e-3]}}, metric="loss")  # which is to be minimised
    with pytest.raises(pydantic.ValidationError, match="tunes"):
        SearchSpace.model_validate({"metric": "top1", "parameters": {RATE: {"choices": [1e-3]}}})
    with pytest.raises(pydantic.ValidationError, match="there is no space laptob, only laptop"):
        configured(tuning={"space": "laptob"})
    with pytest.raises(pydantic.ValidationError, match="learning_rate may be any real number"):
        configured(tuning={"search": {"sampler": "grid", "trials": None}})


def test_a_published_point_outside_the_space_is_refused():
    with pytest.raises(pydantic.ValidationError, match=r"learning_rate is 0.5"):
        space({RATE: {"choices": [1e-3]}}, published=[{RATE: 0.5}])


def test_a_default_outside_the_space_is_refused():
    _, settings = configured()
    with pytest.raises(ValueError, match=r"(?s)begins with the present configuration.*learning_rate is 0.004"):
        default_point(space({RATE: {"choices": [1e-3, 1e-2]}}), settings)


def test_a_setting_that_the_configured_entry_lacks_is_refused():
    """The space of one encoder is not that of another."""
    _, settings = configured(model="bilinear")
    with pytest.raises(ValueError, match=r"compound\.encoder\.width is None"):
        default_point(space({"compound.encoder.width": {"log_integer": [8, 64]}}, tunes="bilinear"), settings)


def test_a_value_that_goes_with_nothing_is_refused_before_any_trial():
    _, settings = configured()
    chosen = space({"fit.batch_size": {"choices": [256, 1]}})
    with pytest.raises(ValueError, match=r"tuning: fit.batch_size = 1 does not fit the configuration"):
        check_space(chosen, settings)
    chosen = space({OBJECTIVE: {"choices": ["info_nce", "info_loob"]}, "fit.momentum": {"choices": [0.0, 0.9]}})
    with pytest.raises(ValueError, match=r"momentum = 0.9 does not fit the configuration"):
        check_space(chosen, settings)
    chosen = space({OBJECTIVE: {"choices": ["info_nce", "info_nse"]}})
    with pytest.raises(
        ValueError, match=r"(?s)objective.name = 'info_nse' does not fit .*there is no objective 'info_nse'"
    ):
        check_space(chosen, settings)
