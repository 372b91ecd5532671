"""The published model, against formulas written from its description: ``make parity`` prints the deviations."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from rdkit import Chem
from rdkit.Chem import rdMolDescriptors

from cloome_kedro.chemistry.fingerprints import morgan
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import INTENSITIES
from cloome_kedro.imaging.intensity import to_uint8
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_loob import InfoLOOB
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.published import PUBLISHED_STORAGE
from cloome_kedro.learning.schedules import warmup_cosine_restarts
from objective_formulas import gradient, hopfield, info_loob, info_nce, unit_vectors

SHAPES = Path(__file__).parent / "data" / "published_checkpoint_shapes.json"
SMILES = [
    "CC(=O)Oc1ccccc1C(=O)O",
    "C[C@H](N)C(=O)O",
    "C[C@@H](N)C(=O)O",
    "CN1C=NC2=C1C(=O)N(C)C(=O)N2C",
    "OC[C@H]1O[C@@H](O)[C@H](O)[C@@H](O)[C@@H]1O",
    "C/C=C/C(=O)[O-].[Na+]",
    "CN1CC[C@]23c4c5ccc(O)c4O[C@H]2[C@@H](O)C=C[C@H]3[C@H]1C5",
    "FC(F)(F)c1cc(ncc1Br)S(=O)(=O)N1CCN(CC1)c1ncccn1",
]


@pytest.fixture
def compare(record_property):
    """Asserts that a deviation keeps its limit; both come into the table at the end of the run (see conftest.py)."""

    def check(name: str, deviation: float, limit: float) -> None:
        record_property("parity", (name, float(deviation), limit))
        assert deviation <= limit

    return check


@pytest.mark.parametrize(
    ("name", "objective", "closed_form"),
    [
        ("InfoNCE", InfoNCE(), info_nce),
        ("InfoLOOB", InfoLOOB(), info_loob),
        ("InfoLOOB, Hopfield", InfoLOOB(hopfield_beta=14.3), hopfield),
    ],
)
def test_objective(name, objective, closed_form, compare):
    n, d = 7, 4
    pairs = unit_vectors(n, d)

    def at(point):
        return closed_form(*point[:-1].reshape(2, n, d), point[-1])

    values, gradients = [], []
    for scale in (1.0, 14.3, 100.0):
        x, z, inverse_temperature = (torch.tensor(a, requires_grad=True) for a in (*pairs, np.float64(scale)))
        loss = objective({"field": x, "compound": z, "scale": inverse_temperature})
        loss.backward()
        assert loss.dtype == torch.float64
        point = np.append(pairs, scale)
        found = np.concatenate([t.grad.numpy().ravel() for t in (x, z, inverse_temperature)])
        values.append(abs(loss.item() - at(point)))
        gradients.append(np.abs(found - gradient(at, point)).max())
    compare(f"{name}: value", np.max(values), 1e-9)
    compare(f"{name}: gradients", np.max(gradients), 1e-9)


def test_schedule(compare):
    """Every step of a training of the published length, arcs counted in whole numbers."""
    total = 70 * 2_600
    deviations = []
    for warmup, cycles in [(20_000, 1), (10_000, 1), (20_000, 4), (10_000, 7), (0, 3)]:
        steps = np.arange(total + 100)
        phase = cycles * (steps - warmup) % (total - warmup) / (total - warmup)
        expected = np.where(steps < total, (1 + np.cos(np.pi * phase)) / 2, 0)
        expected[:warmup] = steps[:warmup] / max(1, warmup)
        found = [warmup_cosine_restarts(int(step), warmup, total, cycles) for step in steps]
        deviations.append(np.abs(found - expected).max())
    compare("schedule: multiplier", np.max(deviations), 1e-9)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("bits", [1024, 8192])
def test_fingerprints(bits, compare):
    """The published code calls RDKit's older function, which is independent of the generator."""
    older = rdMolDescriptors.GetMorganFingerprintAsBitVect
    different = 0
    for chirality in (True, False):
        expected = [list(older(Chem.MolFromSmiles(s), 3, bits, useChirality=chirality)) for s in SMILES]
        fingerprints = morgan(SMILES, bits, chirality=chirality)
        assert fingerprints.dtype == np.uint8
        different += np.count_nonzero(fingerprints != np.array(expected))
    compare(f"fingerprints, {bits} bits: differing bits", different, 0)


def eight_bits(raw, t, scale):
    return np.trunc(np.minimum(raw.astype(np.float64) * scale / t, 255))


@pytest.mark.parametrize(("name", "scale", "n"), [("published_training", 256, 10), ("published_inference", 255, 36)])
def test_intensity(name, scale, n, compare):
    """A field of the published size under its own thresholds; every value of 12 and of 16 bits under given ones."""
    field = np.random.default_rng(0).gamma(2, 300, (5, 520, 696)).clip(0, 4095).astype(np.uint16)
    images, thresholds = to_uint8(field, INTENSITIES[name])
    expected = np.sort(field.reshape(5, -1), axis=1)[:, -n]
    compare(f"intensity, {name}: thresholds", np.abs(thresholds - expected).max(), 0)
    deviations = [np.abs(images - eight_bits(field, expected[:, None, None], scale)).max()]
    twelve = np.arange(4096, dtype=np.uint16)[None]
    sixteen = np.arange(65536, dtype=np.uint16)[None]
    for values, ts in [(twelve, range(1, 4096)), (sixteen, [1, 2, 3, 7, 255, 256, 257, 1000, 4097, 40961, 65535])]:
        for t in ts:
            images, _ = to_uint8(values, INTENSITIES[name], threshold=t)
            deviations.append(np.abs(images - eight_bits(values, t, scale)).max())
    compare(f"intensity, {name}: 8-bit values", np.max(deviations), 0)


def test_a_published_checkpoint_expects_the_intensities_of_training():
    assert PUBLISHED_STORAGE["intensity"] == asdict(INTENSITIES["published_training"])
    assert PUBLISHED_STORAGE["channels"] == list(CHANNELS)


@pytest.mark.parametrize(("bits", "structure_parameters"), [(1024, 4_731_392), (8192, 12_071_424)])
def test_encoders(bits, structure_parameters, compare):
    """Names and shapes of every tensor in a published file, of which there is one for 1024 bits."""
    published = {name: tuple(shape) for name, shape in json.loads(SHAPES.read_text()).items()}
    published["transformer.layers.0.0.weight"] = (1024, bits)
    with torch.device("meta"):
        model = PairModel(Architecture(ResNet(), MLP(), 5, bits))
    ours = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    compare(f"encoders, {bits} bits: tensors that differ", len(set(ours.items()) ^ set(published.items())), 0)
    image, structure = (sum(p.numel() for p in e.parameters()) for e in (model.visual, model.transformer))
    compare("image encoder: parameters", abs(image - 24_563_392), 0)
    compare(f"structure encoder, {bits} bits: parameters", abs(structure - structure_parameters), 0)
