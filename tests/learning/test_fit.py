"""The fit on a planted correlation: five structure bits decide how bright each channel is, five how coarse it is."""

import logging
import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess

IMAGE, STRUCTURE, BITS = ImageEncoderConfig(layers=(1, 1, 1, 1), width=8), StructureEncoderConfig(1, 64), 32
COMPOUNDS, TRAINING, FIELDS = 320, 256, 2
CONFIG = FitConfig(embedding_size=32, warmup_steps=10, batch_size=64, epochs=12, learning_rate=3e-3, accelerator="cpu")
pytestmark = pytest.mark.usefixtures("one_thread")
PREPROCESS = Preprocess(mean=(80.0,) * 5, std=(50.0,) * 5)


class Planted:
    """Fields of compounds in memory; keeps count of the fields that were read."""

    def __init__(self, seed=0):
        rng = np.random.default_rng(seed)
        bits = rng.integers(0, 2, (COMPOUNDS, BITS), dtype=np.uint8)
        self.fingerprints = np.packbits(bits, axis=1)
        self.structures = np.tile(np.arange(COMPOUNDS), FIELDS)
        bright, coarse = bits[self.structures, :5], bits[self.structures, 5:10]
        noise = rng.normal(size=(len(self.structures), 5, 32, 32))
        blocks = noise[..., ::4, ::4].repeat(4, axis=-2).repeat(4, axis=-1)
        texture = np.where(coarse[..., None, None], blocks, noise)
        level = 60 + 60 * bright[..., None, None]
        self.fields = np.clip(level + 25 * texture, 0, 255).astype(np.uint8)
        self.train = np.flatnonzero(self.structures < TRAINING)
        self.validation = np.flatnonzero(self.structures >= TRAINING)
        self.seen: set[int] = set()

    def read(self, indices):
        self.seen.update(indices.tolist())
        return self.fields[indices]

    def fit(self, config=CONFIG, seed=0, **changes):
        with seeded(seed):
            model = PairModel(IMAGE, STRUCTURE, BITS, config.embedding_size)
        data = {
            "structures": self.structures,
            "fingerprints": self.fingerprints,
            "train": self.train,
            "validation": self.validation,
        } | changes
        return fit(model, self.read, preprocess=PREPROCESS, config=config, seed=seed, validate=top1, **data)


def top1(images, structures):
    scores = images @ structures.T
    own = scores.diagonal()
    both = [np.mean((scores >= own[:, None]).sum(1) == 1), np.mean((scores >= own[None]).sum(0) == 1)]
    return {"top1": float(np.mean(both))}


@pytest.fixture(scope="module")
def learned(one_thread):
    data = Planted()
    return data, *data.fit()


def test_learns_what_is_planted_in_held_out_compounds(learned):
    _, _, history = learned
    best = max(row["validation_top1"] for row in history)
    assert best > 0.25  # chance is 1 / 64
    assert history[-1]["train_loss"] < history[0]["train_loss"] - 0.5
    assert history[-1]["validation_loss"] < history[0]["validation_loss"]


def test_the_decay_rule_reaches_the_optimiser():
    config = replace(CONFIG, epochs=1, weight_decay=1.0)
    corrected, published = (Planted().fit(replace(config, decay_rule=rule))[0] for rule in ("corrected", "published"))
    assert published["logit_inv_tau"] < corrected["logit_inv_tau"]
    assert published["transformer.layers.0.1.weight"].mean() < corrected["transformer.layers.0.1.weight"].mean()


def test_learns_nothing_from_shuffled_structures():
    data = Planted()
    data.fingerprints = np.random.default_rng(1).permutation(data.fingerprints)
    _, history = data.fit(replace(CONFIG, epochs=6))
    # 128 queries at 1 / 64: more than 8 hits happen with a probability below 1e-3.
    assert history[-1]["validation_top1"] <= 8 / 128


def test_history_and_best_epoch(learned):
    _, state, history = learned
    steps = TRAINING * FIELDS // 64
    assert [row["step"] for row in history] == [steps * (i + 1) for i in range(CONFIG.epochs)]
    (best,) = [row for row in history if row["best"]]
    assert best["validation_top1"] == max(row["validation_top1"] for row in history)
    assert history[-1]["learning_rate"] < 1e-4 < max(row["learning_rate"] for row in history)
    assert all(row["fields_per_second"] > 0 and 0 <= row["waiting_fraction"] < 1 for row in history)
    # The state is the best epoch's: its temperature is.
    assert state["logit_inv_tau"].exp().item() == pytest.approx(best["inverse_temperature"])
    assert set(state) == set(PairModel(IMAGE, STRUCTURE, BITS, 32).state_dict())


def test_equal_seeds_give_equal_bits_and_others_do_not():
    config = replace(CONFIG, epochs=1)
    (first, _), (again, _), (other, _) = Planted().fit(config), Planted().fit(config), Planted().fit(config, seed=1)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["visual.fc.weight"], other["visual.fc.weight"])


def test_reads_training_and_validation_fields_only():
    data = Planted()
    data.fit(replace(CONFIG, epochs=1), train=data.train[:200], validation=data.validation[:20])
    assert data.seen <= set(data.train[:200]) | set(data.validation[:20])
    assert len(data.seen & set(data.validation)) == 20


@pytest.mark.parametrize("objective", [{"objective": "info_loob"}, {"objective": "info_loob", "hopfield_beta": 8.0}])
def test_other_objectives_train(objective):
    _, history = Planted().fit(replace(CONFIG, epochs=2, precision="bf16-mixed", **objective))
    assert history[1]["train_loss"] < history[0]["train_loss"]


def test_the_last_epoch_is_taken_where_there_is_nothing_to_validate_on():
    data = Planted()
    _, history = data.fit(replace(CONFIG, epochs=2), validation=data.validation[:1])
    assert [row["best"] for row in history] == [False, True]
    assert math.isnan(history[0]["validation_top1"])


def test_a_loss_that_is_not_finite_stops_with_step_and_learning_rate():
    with pytest.raises(FloatingPointError, match=r"step \d+ \(epoch \d+\), learning rate"):
        Planted().fit(replace(CONFIG, learning_rate=1e30, warmup_steps=0))


def test_embeddings_that_are_not_finite_after_the_last_step_stop_too():
    data = Planted()
    with pytest.raises(FloatingPointError, match="validation"):  # one step: its loss is of the weights before it
        data.fit(replace(CONFIG, learning_rate=1e37, warmup_steps=0, batch_size=256, epochs=1), train=data.train[:256])


def test_one_compound_is_no_training():
    data = Planted()
    with pytest.raises(ValueError, match="two compounds"):
        data.fit(train=data.train[data.structures[data.train] == 3])


def test_a_warm_up_that_never_ends_is_told(caplog):
    with caplog.at_level(logging.WARNING):
        Planted().fit(replace(CONFIG, epochs=1, warmup_steps=20_000))
    assert "warm-up of 20000 steps" in caplog.text
