"""Predicted features: the loss against closed forms, gradients over micro-batches, the fit of encoder and head."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import Side
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.features import FeatureArchitecture, FeatureLoss, FeatureModel, without_head
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.step import backward
from cloome_kedro.learning.validation import Validation
from planted import ARCHITECTURE, CONFIG, TRAINING, Planted, fresh, planted_target, top1

pytestmark = pytest.mark.usefixtures("one_thread")
FIT = replace(CONFIG, epochs=4, keep=("loss",), unique_compounds=False)
GENERATOR = np.random.default_rng(0)


def test_the_loss_is_the_mean_squared_error_and_the_weighted_sum():
    prediction, target = GENERATOR.normal(size=(2, 6, 3, 5))
    error = np.mean((prediction - target) ** 2)
    outputs = {"prediction": torch.tensor(prediction), "target": torch.tensor(target)}
    assert FeatureLoss()(outputs).item() == pytest.approx(error, rel=1e-12)
    vectors = {name: torch.tensor(GENERATOR.normal(size=(6, 4))) for name in ("field", "compound")}
    contrastive = {**vectors, "scale": torch.tensor(2.0)}
    measured = {}
    loss = FeatureLoss(0.3, InfoNCE(), measured)(outputs | contrastive).item()
    assert loss == pytest.approx(InfoNCE()(contrastive).item() + 0.3 * error, rel=1e-12)
    assert measured["target_mse"].item() == pytest.approx(error, rel=1e-12)


def test_no_gradient_reaches_the_measured_features():
    prediction, target = torch.randn(2, 4, 1, 3).requires_grad_().unbind()
    FeatureLoss()({"prediction": prediction, "target": target}).backward()
    gradient = torch.autograd.grad(FeatureLoss()({"prediction": prediction, "target": target}), prediction)[0]
    torch.testing.assert_close(gradient, 2 * (prediction - target).detach() / prediction.numel())
    assert (
        torch.autograd.grad(FeatureLoss()({"prediction": prediction, "target": target}), target, allow_unused=True)[0]
        is None
    )


def model_with_head(k_features=3):
    architecture = Architecture(
        MLP(1, 16, batch_norm=False), MLP(1, 8, batch_norm=False), 7, 5, embedding_size=6, features=k_features
    )
    with seeded(0):
        return PairModel(architecture).double()


def test_the_head_predicts_from_the_embedding_before_it_is_scaled_to_length_1():
    model, x = model_with_head(), torch.randn(4, 7, dtype=torch.float64)
    expected = model.visual(x) @ model.head.weight.T + model.head.bias
    torch.testing.assert_close(model.predict(x), expected)
    outputs = model(x, torch.randn(4, 5, dtype=torch.float64), torch.zeros(4, 3, dtype=torch.float64))
    torch.testing.assert_close(outputs["prediction"][:, 0], expected)


@pytest.mark.parametrize("normalise", [True, False])
def test_the_embeddings_of_several_fields_are_pooled(normalise):
    """The mean of the embeddings, of length 1 if the model normalises, as evaluations pool fields of a compound."""
    with seeded(0):
        model = PairModel(Architecture(MLP(1, 16), MLP(1, 8), 7, 5, embedding_size=6, normalise=normalise))
    model = model.double().eval()
    fields, compounds = torch.randn(4 * 3, 7, dtype=torch.float64), torch.randn(4, 5, dtype=torch.float64)
    single = model.encode_fields(fields).detach().numpy().reshape(4, 3, 6)
    expected = single.mean(axis=1)
    if normalise:
        np.testing.assert_allclose(np.linalg.norm(single, axis=-1), 1)
        expected /= np.linalg.norm(expected, axis=-1, keepdims=True)
    outputs = model(fields, compounds)
    np.testing.assert_allclose(outputs["field"].detach().numpy(), expected, rtol=1e-12)
    np.testing.assert_allclose(outputs["fields"].detach().numpy(), single, rtol=1e-12)
    assert "fields" not in model(fields[:4], compounds)


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("sizes", [(8,), (3, 5), (2, 2, 4)])
def test_gradients_over_micro_batches_are_those_of_the_batch(sizes, k):
    generator = torch.Generator().manual_seed(0)

    def draw(*shape):
        return torch.randn(*shape, dtype=torch.float64, generator=generator)

    fields, compounds, target = draw(8 * k, 7), draw(8, 5), draw(8 * k, 3)
    objective, expected, model = FeatureLoss(0.7, InfoNCE()), model_with_head(), model_with_head()
    objective(expected(fields, compounds, target)).backward()
    ends = np.cumsum(sizes)
    parts = [
        {
            "field": fields[(end - size) * k : end * k],
            "compound": compounds[end - size : end],
            "target": target[(end - size) * k : end * k],
        }
        for size, end in zip(sizes, ends, strict=True)
    ]
    fabric = Fabric(accelerator="cpu", devices=1)
    backward(fabric, fabric.setup(model), objective, [lambda part=part: part for part in parts])
    for (name, parameter), other in zip(model.named_parameters(), expected.named_parameters(), strict=True):
        torch.testing.assert_close(parameter.grad, other[1].grad, rtol=1e-9, atol=1e-12, msg=name)


def test_the_head_changes_no_initial_weights():
    with seeded(0):
        pair = PairModel(replace(ARCHITECTURE, features=4))
    with seeded(0):
        features = FeatureModel(FeatureArchitecture(ARCHITECTURE.field, 5, ARCHITECTURE.embedding_size, 4))
    plain = fresh().state_dict()
    assert all(torch.equal(tensor, plain[name]) for name, tensor in without_head(pair.state_dict()).items())
    encoder = {name: tensor for name, tensor in features.state_dict().items() if name.startswith("visual.")}
    assert all(torch.equal(tensor, plain[name]) for name, tensor in encoder.items())
    assert set(features.state_dict()) - set(encoder) == {"head.weight", "head.bias"}


def pretrain(planted, state, config=FIT, **changes):
    architecture = FeatureArchitecture(ResNet(layers=(1, 1, 1, 1), width=8), 5, 32, 10)
    with seeded(0):
        model = FeatureModel(architecture)
    data = planted.data(compound=None, target=planted_target(planted), **changes)
    return fit(model, data, Recipe(FeatureLoss(), config, 0), Validation(lambda *_: {}), state, progress=False)


def test_encoder_and_head_learn_features_of_held_out_compounds(tmp_path):
    planted = Planted()
    result = pretrain(planted, FitState(tmp_path), replace(FIT, learning_rate=5e-3))
    history = result.history
    assert history[-1]["validation_loss"] < 0.75, "the variance of the features is 1"
    assert all(row["train_loss"] == row["train_target_mse"] for row in history)
    assert all(row["validation_loss"] == row["validation_target_mse"] for row in history)
    assert "inverse_temperature" not in history[0]
    best = result.best["loss"]
    assert best.epoch == np.argmin([row["validation_loss"] for row in history])


def test_the_error_on_the_validation_fold_is_that_of_the_kept_model(tmp_path):
    planted = Planted()
    result = pretrain(planted, FitState(tmp_path), replace(FIT, epochs=1))
    model = FeatureModel(FeatureArchitecture(ResNet(layers=(1, 1, 1, 1), width=8), 5, 32, 10)).eval()
    model.load_state_dict(result.best["loss"].tensors)
    data = planted.data(target=planted_target(planted))
    fields = data.field.view(torch.from_numpy(planted.fields[data.validation]))
    measured = data.target.rows.read(data.validation)
    error = np.mean((model.predict(fields).detach().numpy() - measured) ** 2)
    assert result.history[0]["validation_target_mse"] == pytest.approx(error, rel=1e-5)


def test_a_shared_folder_keeps_the_results_of_other_pre_trainings(tmp_path):
    state = FitState(tmp_path, shared=True)
    first = pretrain(Planted(), state, replace(FIT, epochs=1))
    pretrain(Planted(), state, replace(FIT, epochs=2))
    again = Planted()
    repeated = pretrain(again, state, replace(FIT, epochs=1))
    assert not again.seen
    assert all(torch.equal(repeated.best["loss"].tensors[k], v) for k, v in first.best["loss"].tensors.items())


def test_a_training_with_the_term_learns_both(tmp_path):
    planted = Planted()
    with seeded(0):
        model = PairModel(replace(ARCHITECTURE, features=10))
    recipe = Recipe(FeatureLoss(0.5, InfoNCE()), replace(CONFIG, epochs=3, keep=("top1", "loss")), 0)
    data = planted.data(target=planted_target(planted))
    history = fit(model, data, recipe, Validation(top1), FitState(tmp_path), progress=False).history
    plain = Planted().fit(FitState(tmp_path / "plain"), replace(CONFIG, epochs=1)).history[0]
    assert history[-1]["train_target_mse"] < history[0]["train_target_mse"]
    assert history[-1]["validation_target_mse"] < history[0]["validation_target_mse"]
    assert history[0]["validation_loss"] == pytest.approx(
        plain["validation_loss"] + 0.5 * history[0]["validation_target_mse"], rel=0.2
    )


def test_only_fields_with_features_are_in_the_error_of_the_validation_fold(tmp_path):
    planted = Planted()
    target = planted_target(planted)
    known = np.arange(len(planted.structures)) % 2 == 0
    read = []

    def reads(positions):
        read.extend(positions.tolist())
        return target.rows.read(positions)

    side = Side(target.view, replace(target.rows, read=reads, known=known))
    with seeded(0):
        model = PairModel(replace(ARCHITECTURE, features=10))
    data = planted.data(target=side, train=np.arange(0, TRAINING, 2))
    recipe = Recipe(FeatureLoss(1.0, InfoNCE()), FitConfig(**{**vars(CONFIG), "epochs": 1}), 0)
    row = fit(model, data, recipe, Validation(top1), FitState(tmp_path), progress=False).history[0]
    assert np.isfinite(row["validation_loss"])
    assert all(known[read])


@pytest.mark.parametrize("batch", [4, 11])
def test_an_interrupted_pre_training_goes_on_bit_by_bit(batch, tmp_path):
    config = replace(FIT, epochs=2, checkpoint_steps=2, average_decay=0.7)
    expected = pretrain(Planted(), FitState(tmp_path / "undisturbed"), config)
    planted, batches = Planted(), []
    read = planted.read

    def fails(positions):
        batches.append(positions)
        if len(batches) > batch:
            raise InterruptedError
        return read(positions)

    planted.read = fails
    with pytest.raises(InterruptedError):
        pretrain(planted, FitState(tmp_path / "state"), config)
    result = pretrain(Planted(), FitState(tmp_path / "state"), config)
    tensors, others = result.best["loss"].tensors, expected.best["loss"].tensors
    assert all(torch.equal(tensors[name], others[name]) for name in others)
    losses = [[row["train_loss"], row["validation_loss"]] for row in result.history]
    assert losses == [[row["train_loss"], row["validation_loss"]] for row in expected.history]
