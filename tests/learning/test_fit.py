"""The fit on a planted correlation, see helpers/planted.py."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins import MixedPrecision

import planted
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe, Training
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation
from cloome_kedro.learning.views.images import Images
from planted import ARCHITECTURE, CONFIG, FIELDS, IMAGES, TRAINING, Planted, fresh, planted_target, top1
from step_gradients import Sigmoid

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture
def state(tmp_path):
    return FitState(tmp_path / "state")


@pytest.fixture(scope="module")
def learned(one_thread, tmp_path_factory):
    return Planted().fit(FitState(tmp_path_factory.mktemp("state")), replace(CONFIG, keep=("top1", "loss")))


def test_learns_what_is_planted_in_held_out_compounds(learned):
    history = learned.history
    best = max(row["validation_top1"] for row in history)
    assert best > 0.25  # chance is 1 / 64
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 0.5
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]


def test_the_decay_rule_reaches_the_optimiser(tmp_path):
    config = replace(CONFIG, epochs=1, weight_decay=1.0)
    corrected, published = (
        Planted().fit(FitState(tmp_path / rule), replace(config, decay_rule=rule)).best["top1"].tensors
        for rule in ("corrected", "published")
    )
    assert published["logit_inv_tau"] < corrected["logit_inv_tau"]
    assert published["transformer.layers.0.1.weight"].mean() < corrected["transformer.layers.0.1.weight"].mean()


def test_learns_nothing_from_shuffled_structures(state):
    data = Planted()
    data.fingerprints = np.random.default_rng(1).permutation(data.fingerprints)
    history = data.fit(state, replace(CONFIG, epochs=6)).history
    # 128 queries at 1 / 64: more than 8 hits happen with a probability below 1e-3.
    assert history[-1]["validation_top1"] <= 8 / 128


def test_history(learned):
    history, steps = learned.history, TRAINING * FIELDS // 64
    assert [row["epoch"] for row in history] == list(range(CONFIG.epochs))
    assert [row["step"] for row in history] == [steps * (i + 1) for i in range(CONFIG.epochs)]
    assert history[-1]["learning_rate"] < 1e-4 < max(row["learning_rate"] for row in history)
    assert all(row["fields_per_second"] > 0 and 0 <= row["waiting_fraction"] < 1 for row in history)
    assert all(0 < row["gradient_norm"] < 1000 for row in history)


def test_the_best_epoch_is_kept_by_each_metric(learned):
    history = learned.history
    assert set(learned.best) == {"top1", "loss"}
    by_top1, by_loss = learned.best["top1"], learned.best["loss"]
    assert history[by_top1.epoch]["validation_top1"] == max(row["validation_top1"] for row in history)
    assert history[by_loss.epoch]["validation_loss"] == min(row["validation_loss"] for row in history)
    for best in (by_top1, by_loss):
        # The state is that epoch's: its temperature is.
        assert best.tensors["logit_inv_tau"].exp().item() == pytest.approx(history[best.epoch]["inverse_temperature"])
        assert set(best.tensors) == set(fresh().state_dict())


def test_an_unknown_metric_is_refused_with_those_there_are(state):
    planted = Planted()
    with pytest.raises(ValueError, match="no validation metric 'top5'; choose from loss, top1"):
        planted.fit(state, replace(CONFIG, epochs=1, keep=("top1", "top5")))
    assert not planted.seen  # before anything is read


def test_training_ends_when_patience_does(state):
    values = iter([0.0, 0.1, 0.4, 0.3, 0.2, 0.1, 0.9])  # the first answers which metrics there are
    result = Planted().fit(state, replace(CONFIG, epochs=6, patience=3), measure=lambda *_: {"top1": next(values)})
    assert len(result.history) == 5
    assert result.best["top1"].epoch == 1


def test_patience_counts_on_where_a_training_was_stopped(state):
    config = replace(CONFIG, epochs=6, patience=3, batch_size=256, checkpoint_steps=1)
    values = iter([0.0, 0.1, 0.4, 0.3])
    with pytest.raises(StopIteration):  # in the validation of epoch 3, with its last step saved
        Planted().fit(state, config, measure=lambda *_: {"top1": next(values)})
    values = iter([0.0, 0.2, 0.1, 0.9])
    result = Planted().fit(state, config, measure=lambda *_: {"top1": next(values)})
    assert [row["validation_top1"] for row in result.history] == [0.1, 0.4, 0.3, 0.2, 0.1]
    assert result.best["top1"].epoch == 1


def test_16_bit_scaling_that_skips_every_step_ends_training_however_short_epochs_are(state):
    scaler = torch.amp.GradScaler("cpu", init_scale=math.inf)  # every gradient overflows
    fabric = Fabric(accelerator="cpu", devices=1, plugins=MixedPrecision("16-mixed", "cpu", scaler))
    data = Planted().data()
    data = replace(data, train=data.train[:8], validation=data.validation[:4])
    config = replace(CONFIG, batch_size=4, epochs=15, warmup_steps=0, precision="16-mixed")  # an epoch has two steps
    recipe, validation = Recipe(InfoNCE(), config, seed=0), Validation(top1)
    training = Training(
        fabric, fresh(), data=data, recipe=recipe, validation=validation, state=state, digest="digest", progress=False
    )
    with pytest.raises(FloatingPointError, match="at step 20 "):
        training.run()


def test_equal_seeds_give_equal_bits_and_others_do_not(tmp_path):
    config = replace(CONFIG, epochs=1)
    first, again, other = (
        Planted().fit(FitState(tmp_path / str(i)), config, seed=seed).best["top1"].tensors
        for i, seed in enumerate((0, 0, 1))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["visual.fc.weight"], other["visual.fc.weight"])


def test_reads_training_and_validation_fields_only(state):
    planted = Planted()
    data = planted.data()
    planted.fit(state, replace(CONFIG, epochs=1), train=data.train[:200], validation=data.validation[:20])
    assert planted.seen <= set(data.train[:200]) | set(data.validation[:20])
    assert len(planted.seen & set(data.validation)) == 20


@pytest.mark.parametrize("objective", [InfoLOOB(), InfoLOOB(hopfield_beta=8.0)], ids=str)
def test_other_objectives_train(objective, state):
    config = replace(CONFIG, epochs=2, precision="bf16-mixed")
    history = Planted().fit(state, config, objective=objective).history
    assert history[1]["train_loss"] < history[0]["train_loss"]


@pytest.mark.parametrize(
    "settings",
    [
        {"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.1, "schedule": "constant"},
        {"clip_norm": 0.5},
    ],
    ids=["sgd", "clip"],
)
def test_other_ways_to_train(settings, state):
    history = Planted().fit(state, replace(CONFIG, epochs=2, **settings)).history
    assert history[1]["train_loss"] < history[0]["train_loss"]
    if settings.get("schedule") == "constant":
        assert [row["learning_rate"] for row in history] == [pytest.approx(0.07), pytest.approx(0.1)]


@pytest.mark.slow
def test_a_compiled_model_learns(state, monkeypatch):
    """Two small networks of features: to compile a network of images takes minutes."""
    small = replace(ARCHITECTURE, field=MLP(1, 8), compound=MLP(1, 8), field_inputs=10)
    monkeypatch.setattr(planted, "ARCHITECTURE", small)
    compiled, compile_model = [], torch.compile

    def watched(model, **options):
        compiled.append(model)
        return compile_model(model, **options)

    monkeypatch.setattr(torch, "compile", watched)
    data = Planted()
    config = replace(CONFIG, epochs=2)
    plain = data.fit(state, config, field=planted_target(data)).history
    assert not compiled
    history = data.fit(state, replace(config, compile=True), field=planted_target(data)).history
    assert compiled
    assert history[1]["train_loss"] < history[0]["train_loss"]
    assert history[1]["train_loss"] == pytest.approx(plain[1]["train_loss"], rel=1e-3)


def test_clipping_bounds_the_step(tmp_path):
    # One step of plain SGD is the learning rate times the clipped gradient.
    config = replace(CONFIG, optimizer="sgd", weight_decay=0.0, epochs=1, warmup_steps=0, batch_size=256)
    steps = {}
    for norm in (None, 1e-3):
        planted = Planted()
        result = planted.fit(
            FitState(tmp_path / str(norm)),
            replace(config, clip_norm=norm, learning_rate=1.0 if norm else 0.0, schedule="constant"),
            train=planted.data().train[:256],
        )
        steps[norm] = {name: t for name, t in result.best["top1"].tensors.items() if "running" not in name}
    moved = math.sqrt(
        sum(
            (steps[None][name] - steps[1e-3][name]).square().sum().item()
            for name in steps[None]
            if "num_batches" not in name
        )
    )
    assert moved == pytest.approx(1e-3, rel=1e-3)


def test_micro_batches_train_as_one_batch_does_but_for_batch_statistics(tmp_path):
    whole, cached = (
        Planted().fit(FitState(tmp_path / str(size)), replace(CONFIG, epochs=3, micro_batch_size=size)).history
        for size in (None, 24)
    )
    assert cached[0]["train_loss"] == pytest.approx(whole[0]["train_loss"], rel=0.1)
    assert cached[-1]["train_loss"] < cached[0]["train_loss"] - 0.3


def test_no_micro_batch_is_of_one_pair(state):
    config = replace(CONFIG, epochs=1, batch_size=63, micro_batch_size=2, warmup_steps=0)
    assert Planted().fit(state, config, train=Planted().data().train[:63]).history[0]["step"] == 1


def test_the_last_epoch_is_taken_where_there_is_nothing_to_validate_on(state):
    result = Planted().fit(state, replace(CONFIG, epochs=2), validation=Planted().data().validation[:1])
    assert result.best["top1"].epoch == 1
    assert math.isnan(result.history[0]["validation_loss"])
    assert "validation_top1" not in result.history[0]


def test_one_compound_is_no_training(state):
    data = Planted().data()
    with pytest.raises(ValueError, match=r"needs at least 2 compounds .* there are 1$"):
        Planted().fit(state, train=data.train[data.trained_units == 3])


def test_a_warm_up_that_never_ends_is_logged(state, caplog):
    with caplog.at_level(logging.WARNING):
        Planted().fit(state, replace(CONFIG, epochs=1, warmup_steps=20_000))
    assert "the warm-up has 20000 steps" in caplog.text


def test_collapsed_embeddings_are_logged(state, caplog):
    planted = Planted()
    planted.fields[:] = 7  # every field is alike
    with caplog.at_level(logging.WARNING):
        planted.fit(state, replace(CONFIG, epochs=1))
    assert "field embeddings have collapsed" in caplog.text
    assert "compound embeddings have collapsed" not in caplog.text


@pytest.mark.parametrize("micro_batch_size", [None, 16])
def test_each_pair_of_each_step_has_a_seed_of_its_own(micro_batch_size, tmp_path, monkeypatch):
    """Whatever micro-batches a batch is divided into; each is augmented again, with equal seeds, for its gradient."""

    def seeds_of(config):
        seen = []

        def remembers(self, batch, seeds):
            seen.extend(seeds.tolist())
            return self(batch)

        monkeypatch.setattr(Images, "augment", remembers)
        Planted().fit(FitState(tmp_path / str(config.micro_batch_size)), config, progress=False)
        return list(dict.fromkeys(seen))

    config = replace(CONFIG, epochs=2)
    seeds = seeds_of(replace(config, micro_batch_size=micro_batch_size))
    assert len(seeds) == 2 * TRAINING * FIELDS
    assert seeds == seeds_of(replace(config, micro_batch_size=32))


def test_training_on_crops_learns(state):
    history = Planted().fit(state, replace(CONFIG, epochs=2), images=replace(IMAGES, crop=30)).history
    assert history[1]["train_loss"] < history[0]["train_loss"]


def test_numbers_that_an_objective_learns_are_trained_and_kept(state):
    objective = Sigmoid()
    architecture = replace(ARCHITECTURE, scalars=objective.scalars)
    with seeded(0):
        model = PairModel(architecture)
    recipe = Recipe(objective, replace(CONFIG, epochs=3), seed=0)
    result = fit(model, Planted().data(), recipe, Validation(top1), state, progress=False)
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]
    assert abs(result.best["top1"].tensors["bias"] - objective.scalars["bias"]) > 0.005
