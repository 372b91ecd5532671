"""Several fields of a compound in a batch, and the moving average of the weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lightning_fabric import Fabric

from cloome_kedro.learning.batches import epoch_batches, several_fields
from cloome_kedro.learning.features import FeatureLoss
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe, Training
from cloome_kedro.learning.model import PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.training_batches import TrainingBatches
from cloome_kedro.learning.validation import Validation
from planted import ARCHITECTURE, CONFIG, FIELDS, TRAINING, Planted, fresh, planted_target, top1

pytestmark = pytest.mark.usefixtures("one_thread")
SHORT = replace(CONFIG, epochs=2, checkpoint_steps=3)


class Stopped(Exception):
    pass


# ---- which fields


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=2, max_size=30),
    st.integers(1, 5),
    st.booleans(),
    st.integers(0, 9),
)
def test_fields_of_a_row_are_different_and_of_different_plates_where_possible(fields, count, unique, seed):
    units, plates = np.array(fields).T
    rng = np.random.default_rng(seed)
    batches = epoch_batches(units, 4, unique, rng)
    for given_fields, rows in zip(batches, several_fields(batches, units, count, plates, rng), strict=True):
        assert rows.shape == (len(given_fields), count)
        np.testing.assert_array_equal(rows[:, 0], given_fields)
        for row in rows:
            assert len(set(units[row])) == 1
            of_unit = np.flatnonzero(units == units[row[0]])
            assert len(set(row)) == min(count, len(of_unit))
            assert len(set(plates[row])) == min(count, len(set(plates[of_unit])))
            # Fields that repeat are used about equally often.
            uses = np.unique(row, return_counts=True)[1]
            assert uses.max() - uses.min() <= 1


def test_further_fields_are_drawn_at_random():
    units, rng = np.zeros(5, int), np.random.default_rng(0)
    seen = [several_fields([np.array([2])], units, 2, None, rng)[0][0, 1] for _ in range(400)]
    assert np.unique(seen).tolist() == [0, 1, 3, 4]
    assert np.bincount(seen)[[0, 1, 3, 4]].min() > 60


def test_a_batch_reads_its_fields_and_one_compound_per_unit():
    planted = Planted()
    data = planted.data(target=planted_target(planted))
    batches = TrainingBatches(data, replace(CONFIG, fields_per_compound=2, micro_batch_size=24), 0)
    batch = batches.of_epoch(0)[0]
    assert batch.shape == (64, 2)
    assert batches.fields == 128
    arrays = batches.read(batch)
    np.testing.assert_array_equal(arrays["field"][0].numpy(), planted.fields[batch])
    parts = [make() for make in batches.micro_batches(0, batch, arrays, torch.device("cpu"))]
    assert [len(part["compound"]) for part in parts] == [22, 21, 21]
    expected = data.field.view(torch.from_numpy(planted.fields[batch.ravel()]))
    assert torch.equal(torch.cat([part["field"] for part in parts]), expected)
    measured = data.target.rows.read(batch.ravel())
    np.testing.assert_array_equal(torch.cat([part["target"] for part in parts]).numpy(), measured)
    compounds = data.compound.view(torch.from_numpy(data.compound.rows.read(batch[:, 0])))
    assert torch.equal(torch.cat([part["compound"] for part in parts]), compounds)


def test_repeated_fields_are_counted(caplog, tmp_path):
    planted = Planted()
    train = planted.data().train[: TRAINING + 56]  # 56 compounds with two fields, 200 with one
    planted.fit(FitState(tmp_path), replace(CONFIG, epochs=1, fields_per_compound=2), train=train)
    assert "200 of 256 compounds (or treatments) have fewer than 2 fields in the training fold" in caplog.text
    caplog.clear()
    planted.fit(FitState(tmp_path), replace(CONFIG, epochs=1, fields_per_compound=2))
    assert "have fewer than" not in caplog.text


# ---- the training


def test_a_training_on_several_fields_learns_and_passes_each_field_equally_often(tmp_path):
    planted = Planted()
    result = planted.fit(FitState(tmp_path), replace(CONFIG, epochs=6, fields_per_compound=2))
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"] - 0.5
    assert [row["step"] for row in result.history] == [
        FIELDS * TRAINING // CONFIG.batch_size * (epoch + 1) for epoch in range(6)
    ]


def test_one_field_per_compound_changes_nothing():
    planted = Planted()
    plain, several = (
        TrainingBatches(planted.data(plates=np.zeros(len(planted.structures), int)), config, 0)
        for config in (CONFIG, replace(CONFIG, fields_per_compound=1))
    )
    assert all(np.array_equal(a, b) for a, b in zip(plain.of_epoch(1), several.of_epoch(1), strict=True))


SETTINGS = {
    "average": {"average_decay": 0.9},
    "several fields": {"fields_per_compound": 2},
    "all": {"average_decay": 0.9, "fields_per_compound": 2, "micro_batch_size": 24},
}


def train(planted, state, config):
    """With the term of predicted features."""
    with seeded(0):
        model = PairModel(replace(ARCHITECTURE, features=10))
    data = planted.data(target=planted_target(planted), plates=np.arange(len(planted.structures)) % 3)
    recipe = Recipe(FeatureLoss(0.5, InfoNCE()), config, 0)
    return fit(model, data, recipe, Validation(top1), state, progress=False)


@pytest.fixture(scope="module", params=SETTINGS)
def undisturbed(request, tmp_path_factory):
    """A training that nothing stops, with its settings."""
    config = replace(SHORT, **SETTINGS[request.param])
    return config, train(Planted(), FitState(tmp_path_factory.mktemp("undisturbed")), config)


@pytest.mark.parametrize("step", [3, 8, 13])
def test_goes_on_bit_by_bit(undisturbed, step, tmp_path):
    config, expected = undisturbed
    planted, batches = Planted(), []
    read = planted.read

    def fails(positions):
        batches.append(positions)
        if len(positions) >= CONFIG.batch_size and len(batches) > step:
            raise Stopped
        return read(positions)

    planted.read = fails
    with pytest.raises(Stopped):
        train(planted, FitState(tmp_path / "state"), config)
    result = train(Planted(), FitState(tmp_path / "state"), config)
    timing = {"fields_per_second", "waiting_fraction"}
    for row, other in zip(result.history, expected.history, strict=True):
        assert {k: v for k, v in row.items() if k not in timing} == {k: v for k, v in other.items() if k not in timing}
    kept, others = result.best["top1"].tensors, expected.best["top1"].tensors
    assert all(torch.equal(kept[name], others[name]) for name in others)


def training(folder, config):
    planted = Planted()
    side = planted.data()
    return Training(
        Fabric(accelerator="cpu", devices=1),
        fresh(),
        data=side,
        recipe=Recipe(InfoNCE(), config, 0),
        validation=Validation(top1),
        state=FitState(folder),
        digest="digest",
        progress=False,
    )


def test_the_average_of_weights_is_its_formula(tmp_path):
    """The average begins with the weights of the first step: a = d a + (1 - d) w after every further one."""
    decay, steps = 0.8, []
    run = training(tmp_path, replace(CONFIG, epochs=1, average_decay=decay))
    average, update = run.average, run.average.update_parameters

    def remembers(model):
        steps.append({name: tensor.double() for name, tensor in model.state_dict().items()})
        update(model)

    average.update_parameters = remembers
    run.run()
    expected = dict(steps[0])
    for weights in steps[1:]:
        expected = {name: decay * expected[name] + (1 - decay) * weights[name] for name in expected}
    assert len(steps) == run.total_steps
    kept = FitState(tmp_path).finished("digest")["best"]["top1"]["tensors"]
    floats = [name for name, tensor in kept.items() if tensor.is_floating_point()]
    assert any("running_var" in name for name in floats)
    for name in floats:
        torch.testing.assert_close(kept[name].double(), expected[name], rtol=1e-5, atol=1e-6, msg=name)
    assert not torch.allclose(kept["visual.fc.weight"].double(), steps[-1]["visual.fc.weight"], rtol=1e-3)


def test_validation_measures_the_average_and_training_goes_on_from_the_weights(tmp_path):
    plain = Planted().fit(FitState(tmp_path / "plain"), replace(CONFIG, epochs=2, keep=("loss",)))
    averaged = Planted().fit(
        FitState(tmp_path / "average"), replace(CONFIG, epochs=2, keep=("loss",), average_decay=0.9)
    )
    for row, other in zip(plain.history, averaged.history, strict=True):
        assert row["train_loss"] == other["train_loss"], "the average does not change the steps"
        assert row["validation_loss"] != other["validation_loss"]


def test_an_average_needs_a_decay_between_0_and_1():
    for decay in (0.0, 1.0, -0.5):
        with pytest.raises(ValueError, match="average_decay must be between 0 and 1"):
            replace(CONFIG, average_decay=decay)
    with pytest.raises(ValueError, match="fields_per_compound must be at least 1"):
        replace(CONFIG, fields_per_compound=0)


@pytest.mark.slow
def test_two_devices_train_on_several_fields(tmp_path):
    config = replace(CONFIG, epochs=2, fields_per_compound=2, average_decay=0.9)
    one, two = (
        train(Planted(), FitState(tmp_path / str(devices)), replace(config, devices=devices)).history
        for devices in (1, 2)
    )
    assert [row["step"] for row in one] == [row["step"] for row in two]
    # Statistics of batch normalisation are those of each device's half of a batch.
    np.testing.assert_allclose([row["train_loss"] for row in one], [row["train_loss"] for row in two], rtol=0.1)
