"""A planted correlation: five structure bits decide how bright each channel is, five how coarse it is."""

from dataclasses import replace

import numpy as np

from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.data import PairData, Side
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.validation import Validation
from cloome_kedro.learning.views.base import Rows
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan
from cloome_kedro.learning.views.profiles import Profiles

BITS, COMPOUNDS, TRAINING, FIELDS = 32, 320, 256, 2
ARCHITECTURE = Architecture(
    ResNet(layers=(1, 1, 1, 1), width=8), MLP(1, 64), field_inputs=5, compound_inputs=BITS, embedding_size=32
)
CONFIG = FitConfig(warmup_steps=10, batch_size=64, epochs=12, learning_rate=3e-3, accelerator="cpu")
IMAGES = Images(mean=(80.0,) * 5, std=(50.0,) * 5)


class Planted:
    """Fields of compounds in memory; it remembers which fields were read."""

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
        self.seen: set[int] = set()

    def read(self, positions):
        self.seen.update(positions.tolist())
        return self.fields[positions]

    def data(self, images=IMAGES, identity="", **changes) -> PairData:
        """Both fields of the first compounds train; the first field of each of the others validates."""
        morgan = Morgan(bits=BITS)
        settings = {"radius": morgan.radius, "bits": morgan.bits, "chirality": morgan.chirality}
        fingerprints = {"fingerprints": Fingerprints(self.fingerprints, settings)}
        compounds = morgan.rows({"structure_row": self.structures}, fingerprints)
        data = PairData(
            field=Side(images, Rows(self.read, np.ones(len(self.structures), bool), identity)),
            compound=Side(morgan, compounds),
            train=np.flatnonzero(self.structures < TRAINING),
            validation=np.arange(TRAINING, COMPOUNDS),
            units=self.structures,
            keys=np.array([f"field {position}" for position in range(len(self.structures))]),
        )
        return replace(data, **changes)

    def fit(
        self,
        state,
        config=CONFIG,
        seed=0,
        images=IMAGES,
        objective=InfoNCE(),  # noqa: B008 - it cannot change
        measure=None,
        identity="",
        tasks=(),
        report=None,
        progress=True,
        **changes,
    ):
        """Train; ``changes`` are of the data."""
        recipe = Recipe(objective, config, seed, identity)
        validation = Validation(measure or top1, tasks, report)
        return fit(fresh(seed), self.data(images, **changes), recipe, validation, state, progress)


def planted_target(planted) -> Side:
    """The planted properties of each field, standardised: how bright and how coarse its five channels are."""
    bits = np.unpackbits(planted.fingerprints, axis=1)[planted.structures, :10].astype(np.float32)
    values = (bits - bits.mean(axis=0)) / bits.std(axis=0)
    names = tuple(f"property {number}" for number in range(10))
    view = Profiles(names, (0.0,) * 10, (1.0,) * 10)
    return Side(view, Rows(values.__getitem__, np.ones(len(values), bool), "properties"))


def fresh(seed=0) -> PairModel:
    """The model that a training with this seed begins with."""
    with seeded(seed):
        return PairModel(ARCHITECTURE)


def top1(fields, compounds):
    """Share of matches that come first, mean of both directions."""
    scores = fields @ compounds.T
    matches = scores.diagonal()
    both = [np.mean((scores >= matches[:, None]).sum(1) == 1), np.mean((scores >= matches[None]).sum(0) == 1)]
    return {"top1": float(np.mean(both))}


class StopsAtEpochOne:
    """A report that ends training after epoch 1 and writes every epoch to a file; it can be pickled."""

    def __init__(self, path):
        self.path = path

    def __call__(self, row):
        with open(self.path, "a") as file:
            file.write(f"{row['epoch']}\n")
        return row["epoch"] == 1
