"""Models of a study as configuration has them."""

import pytest
from pydantic import ValidationError

from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.views.images import ImageSettings
from cloome_kedro.learning.views.morgan import MorganSettings
from cloome_kedro.learning.views.profiles import ProfileSettings
from cloome_kedro.learning.views.structures import StructureSettings
from cloome_kedro.parameters import ModelParameters
from cloome_kedro.parameters.model import validation_metrics
from cloome_kedro.words import RETRIEVAL_METRICS
from environments import configured


def model(name="cloome", **changes) -> ModelParameters:
    """An entry of ``conf/base``, changed."""
    return ModelParameters.model_validate(configured("parameters")["models"][name] | changes)


def test_entries_are_what_they_name():
    cloome, bilinear, profiles = (model(name) for name in ("cloome", "bilinear", "profiles"))
    assert cloome.field.view == ImageSettings(normalisation="controls", flips=True, quarter_turns=True)
    assert cloome.field.encoder == ResNet(layers=(1, 1, 1, 1), width=16)
    structures = StructureSettings(("morgan_counts", "feature_counts"), counts_transform="log1p")
    mlp = MLP(layers=1, width=512, dropout=0.3, input_dropout=0.3)
    assert (cloome.compound.view, cloome.compound.encoder) == (structures, mlp)
    assert (cloome.pretrain.target, cloome.pretrain.weight) == (ProfileSettings(transform="signed_log"), 1)
    assert (bilinear.field.view, bilinear.field.encoder) == (ProfileSettings(), Identity())
    assert (bilinear.compound.view, bilinear.compound.encoder) == (MorganSettings(), Linear(start="zeros"))
    assert not bilinear.normalise
    assert (bilinear.inverse_temperature, bilinear.learnable_temperature) == (1, False)
    assert (profiles.field.view, profiles.field.encoder) == (ProfileSettings(transform="signed_log"), mlp)
    assert (profiles.compound, profiles.pretrain) == (cloome.compound, None)
    assert {one.objective for one in (cloome, bilinear, profiles)} == {InfoNCE()}
    assert model(objective={"name": "info_loob", "hopfield_beta": 8}).objective == InfoLOOB(8.0)


@pytest.mark.parametrize("name", ["cloome", "bilinear", "profiles"])
def test_what_is_written_is_read_again(name):
    """The settings of a search's winner are kept as YAML."""
    settings = model(name)
    assert ModelParameters.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"field": {"view": "images"}}, r"field\.encoder"),
        (
            {"field": {"view": {"name": "images", "croop": 8}, "encoder": "resnet"}},
            "images: there is no setting cr",
        ),
        ({"field": {"view": {"name": "images", "crop": 0}, "encoder": "resnet"}}, "crop must be at least 1"),
        ({"compound": {"view": "morgen", "encoder": "mlp"}}, "there is no view 'morgen'; the nearest are: morgan"),
        (
            {"compound": {"view": "morgan", "encoder": {"width": 8}}},
            "the encoder needs a name, one of resnet",
        ),
        (
            {"compound": {"view": {"name": "morgan", "bits": 8}, "encoder": "mlp"}},
            "no setting bits; its settings are: none",
        ),
        ({"objective": "info_nse"}, "there is no objective 'info_nse'; the nearest are: info_nce"),
        ({"objective": {"name": "info_loob", "hopfield_beta": -1}}, "hopfield_beta must be positive"),
        ({"inverse_temperature": 0.5}, "inverse_temperature"),
        ({"embedding_size": 0}, "embedding_size"),
        ({"pair_key": "well"}, "pair_key"),
        ({"validation_fields": 0}, "validation_fields"),
        ({"temperature": 1}, "temperature"),
        ({"pooling": "max"}, "pooling"),
        ({"pooling": "attention"}, r"pooling: attention .*: set fit\.fields_per_compound to 2 or more"),
    ],
)
def test_what_is_wrong_is_named(changes, message):
    with pytest.raises(ValidationError, match=message):
        model(**changes)


def test_attention_needs_several_fields():
    settings = model(
        pooling="attention", fit={**configured("parameters")["models"]["cloome"]["fit"]} | {"fields_per_compound": 2}
    )
    assert settings.pooling == "attention"
    assert model().pooling == "mean"


def test_the_studys_checkpoint_is_one_that_is_kept():
    assert model(fit={"keep": ["top5", "loss"]}, selected_by="loss").selected_by == "loss"
    with pytest.raises(ValidationError, match=r"selected_by: top1 is not in fit\.keep, top5, loss"):
        model(fit={"keep": ["top5", "loss"]})


def test_metrics_are_those_of_retrieval_and_of_tasks():
    assert validation_metrics() == (*RETRIEVAL_METRICS, *VALIDATION_METRICS)
    assert "loss" not in validation_metrics()
    for metric in ("loss", *validation_metrics()):
        assert model(fit={"keep": [metric]}, selected_by=metric).fit.keep == (metric,)
    message = r"fit\.keep: there is no validation metric top2, only loss, top1, .*probing_auc"
    with pytest.raises(ValidationError, match=message):
        model(fit={"keep": ["top2"]}, selected_by="top2")


def test_a_metric_that_a_user_registers_can_be_kept(monkeypatch):
    for part in ("_targets", "_modules", "_facts"):
        monkeypatch.setattr(VALIDATION_METRICS, part, dict(getattr(VALIDATION_METRICS, part)))
    VALIDATION_METRICS.add("of_mine", "a.module:Metric")
    assert model(fit={"keep": ["of_mine"]}, selected_by="of_mine").selected_by == "of_mine"


def test_settings_cannot_be_changed_afterwards():
    with pytest.raises(ValidationError, match="frozen"):
        model().embedding_size = 3
