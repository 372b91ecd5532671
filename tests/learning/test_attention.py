"""Attention weights of several fields of a compound."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F

from cloome_kedro.evaluation.draws import mean_by_compound
from cloome_kedro.evaluation.embeddings import Embeddings
from cloome_kedro.evaluation.features import unit_rows
from cloome_kedro.learning.checkpoint import Checkpoint, describe, load, save
from cloome_kedro.learning.data import Side
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import TaskMetric, Validation
from cloome_kedro.learning.views.base import Rows
from cloome_kedro.learning.views.profiles import Profiles
from planted import ARCHITECTURE, BITS, COMPOUNDS, CONFIG, TRAINING, Planted, top1

pytestmark = pytest.mark.usefixtures("one_thread")
PAIRS, FIELDS, SIZE = 6, 3, 8
SMALL = Architecture(MLP(1, 16, batch_norm=False), MLP(1, 16, batch_norm=False), 5, 7, embedding_size=SIZE)
SIGNALS = 10
ATTENTION = Architecture(Linear(), MLP(1, 64), SIGNALS + 1, BITS, embedding_size=16, pooling="attention")


def small(pooling="attention", trained=True, **changes):
    """A model whose logits differ between fields, unless it is untrained."""
    with seeded(0):
        model = PairModel(replace(SMALL, pooling=pooling, **changes))
    if trained:
        torch.nn.init.normal_(model.attention.logit.weight, generator=torch.Generator().manual_seed(1))
    return model.eval()


def inputs(fields=FIELDS):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(PAIRS * fields, 5, generator=generator), torch.randn(PAIRS, 7, generator=generator)


# ---- the formula


@pytest.mark.parametrize("normalise", [True, False])
def test_the_pooled_embedding_is_its_formula(normalise):
    model, (field, compound) = small(normalise=normalise), inputs()
    outputs = model(field, compound)
    hidden = model.visual(field).detach().double().numpy().reshape(PAIRS, FIELDS, SIZE)
    v, w = (layer.weight.detach().double().numpy() for layer in (model.attention.hidden, model.attention.logit))
    for pair in range(PAIRS):
        exponentials = np.exp([(w @ np.tanh(v @ h)).item() for h in hidden[pair]])
        weights = exponentials / exponentials.sum()
        assert np.ptp(weights) > 0.01
        fields = [h / np.linalg.norm(h) if normalise else h for h in hidden[pair]]
        expected = sum(weight * h for weight, h in zip(weights, fields, strict=True))
        expected = expected / np.linalg.norm(expected) if normalise else expected
        np.testing.assert_allclose(outputs["field"][pair].detach(), expected, rtol=1e-4, atol=1e-6)


def test_an_untrained_model_pools_by_the_mean_and_has_the_weights_of_others():
    attention, mean, (field, compound) = small(trained=False), small("mean", trained=False), inputs()
    tensors = attention.state_dict()
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in mean.state_dict().items())
    assert {name.partition(".")[0] for name in tensors.keys() - mean.state_dict().keys()} == {"attention"}
    torch.testing.assert_close(attention(field, compound)["field"], mean(field, compound)["field"])
    assert attention.encode_with_logits(field)[1].tolist() == [0.0] * len(field)


def test_the_gradient_favours_fields_that_raise_the_score():
    """d(g z)/dl_i = a_i g (h_i - z), for the pooled z = sum of a_i h_i and any direction g."""
    model, generator = small(normalise=False), torch.Generator().manual_seed(3)
    fields = torch.randn(1, FIELDS, SIZE, generator=generator, dtype=torch.float64)
    logits = torch.randn(1, FIELDS, generator=generator, dtype=torch.float64, requires_grad=True)
    direction = fields[0, 1]
    pooled = model.pool(fields, logits)
    (pooled @ direction).sum().backward()
    expected = logits.detach().softmax(1)[0] * ((fields[0] - pooled[0]) @ direction)
    torch.testing.assert_close(logits.grad[0], expected.detach())
    assert logits.grad[0].argmax() == 1


def test_one_field_per_compound_has_no_weight():
    model, (field, compound) = small(), inputs(fields=1)
    torch.testing.assert_close(model(field, compound)["field"], model.encode_fields(field))


def test_logits_are_float32_under_autocast():
    model, (field, compound) = small(), inputs()
    with torch.autocast("cpu", torch.bfloat16):
        assert model(field, compound)["field"].dtype == torch.float32
        assert model.encode_with_logits(field)[1].dtype == torch.float32


def test_an_unknown_pooling_is_refused():
    with pytest.raises(ValueError, match="pooling must be mean or attention, is 'max'"):
        replace(SMALL, pooling="max")


def test_models_that_pool_by_the_mean_keep_the_digest_of_their_training():
    assert "pooling" not in repr(SMALL)
    assert repr(small()) != repr(small("mean", trained=False))


# ---- a training in which the second field of each compound shows another compound, and one feature tells


@pytest.fixture(scope="module")
def trained(tmp_path_factory, one_thread):
    planted, generator = Planted(), np.random.default_rng(1)
    bits = 2.0 * np.unpackbits(planted.fingerprints, axis=1)[:, :SIGNALS] - 1
    fields = np.concatenate([bits, generator.permutation(bits)]) + 0.1 * generator.normal(size=(2 * COMPOUNDS, SIGNALS))
    values = np.column_stack([fields, np.repeat([-1.0, 1.0], COMPOUNDS)]).astype(np.float32)
    view = Profiles(
        tuple(f"feature {number}" for number in range(SIGNALS + 1)), *((x,) * (SIGNALS + 1) for x in (0.0, 1.0))
    )
    side = Side(view, Rows(values.__getitem__, np.ones(len(values), bool), "signals"))
    config = replace(CONFIG, epochs=12, fields_per_compound=2, micro_batch_size=32)
    arguments = []
    validated = np.arange(TRAINING, TRAINING + 8)
    tasks = [
        TaskMetric(str(weighs), validated, lambda *arrays: arguments.append(arrays) or 0.0, weighs)
        for weighs in (True, False)
    ]
    with seeded(0):
        model = PairModel(ATTENTION)
    data = planted.data(field=side)
    state = FitState(tmp_path_factory.mktemp("state"))
    result = fit(model, data, Recipe(InfoNCE(), config, 0), Validation(top1, tasks), state, progress=False)
    described = describe(ATTENTION, {"field": view, "compound": data.compound.view}, InfoNCE(), config)
    return data, result, Checkpoint(described, result.best["top1"].tensors), arguments


def embedded(checkpoint, data):
    embed = Embedder(checkpoint.build(), 64, progress=False)
    return embed.fields_with_logits(data.field.rows.read, 2 * COMPOUNDS, checkpoint.view("field"))


def test_noise_gets_less_weight(trained):
    data, result, checkpoint, _ = trained
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"] - 0.5
    _, logits = embedded(checkpoint, data)
    weights = F.softmax(torch.from_numpy(logits.reshape(2, COMPOUNDS)), dim=0)
    assert (weights[1, :TRAINING] < 0.4).all()
    assert (weights[1, TRAINING:] < 0.4).all(), "also for compounds that did not train"


def test_stored_logits_give_the_pooled_embeddings_of_the_model(trained, tmp_path):
    data, _, checkpoint, _ = trained
    save(checkpoint, tmp_path / "checkpoint")
    loaded = load(tmp_path / "checkpoint")
    assert loaded.architecture.pooling == "attention"
    vectors, logits = embedded(loaded, data)
    keys = np.array([f"s/{position}" for position in range(len(vectors))])
    compounds = pd.DataFrame({"inchikey": [f"K{number:03d}" for number in data.units], "field_id": keys})
    table = compounds.sort_values(["inchikey", "field_id"], ignore_index=True)
    stored = Embeddings(keys, vectors, logits=logits)
    _, means = mean_by_compound(stored.for_means(table["field_id"], table["inchikey"].to_numpy()), table)
    model, view = loaded.build(), loaded.view("field")
    rows = np.arange(2 * COMPOUNDS).reshape(2, COMPOUNDS).T.ravel()
    with torch.inference_mode():
        fields = view(torch.from_numpy(data.field.rows.read(rows)))
        pooled = model(fields, torch.zeros(COMPOUNDS, ATTENTION.compound_inputs))["field"].numpy()
    np.testing.assert_allclose(unit_rows(means), pooled, atol=2e-5)
    assert np.abs(pooled - unit_rows(vectors.reshape(2, COMPOUNDS, -1).mean(axis=0))).max() > 0.05


def test_vectors_do_not_depend_on_whether_logits_are_wanted(trained):
    data, _, checkpoint, _ = trained
    embed = Embedder(checkpoint.build(), 64, progress=False)
    vectors = embed("field", data.field.rows.read, 2 * COMPOUNDS, checkpoint.view("field"))
    np.testing.assert_array_equal(vectors, embedded(checkpoint, data)[0])


def test_metrics_of_tasks_get_the_logits_if_they_want_them(trained):
    _, _, _, arguments = trained
    assert [[array.shape for array in arrays] for arrays in arguments] == 12 * [[(8, 16), (8,)], [(8, 16)]]


def test_a_model_without_attention_gives_no_logits():
    planted = Planted()
    with seeded(0):
        embed = Embedder(PairModel(ARCHITECTURE), 64, progress=False)
    read, view = planted.read, planted.data().field.view
    vectors, logits = embed.fields_with_logits(read, 10, view)
    assert logits is None
    np.testing.assert_array_equal(vectors, embed("field", read, 10, view))
