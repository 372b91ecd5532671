"""A planted correlation: five structure bits decide how bright each channel is, five how coarse it is."""

from dataclasses import replace

import numpy as np

from cloome_kedro.learning.config import FitConfig, ImageEncoderConfig, StructureEncoderConfig
from cloome_kedro.learning.data import PairData
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.model import PairModel, seeded
from cloome_kedro.learning.preprocess import Preprocess

IMAGE, STRUCTURE, BITS = ImageEncoderConfig(layers=(1, 1, 1, 1), width=8), StructureEncoderConfig(1, 64), 32
COMPOUNDS, TRAINING, FIELDS = 320, 256, 2
CONFIG = FitConfig(embedding_size=32, warmup_steps=10, batch_size=64, epochs=12, learning_rate=3e-3, accelerator="cpu")
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
        self.seen: set[int] = set()

    def read(self, indices):
        self.seen.update(indices.tolist())
        return self.fields[indices]

    def data(self, **changes) -> PairData:
        """The first compounds' fields train, one of each of the others validates."""
        folds = np.where(self.structures < TRAINING, "train", "validation")
        return replace(PairData.by_fold(self.read, self.structures, self.fingerprints, folds, seed=0), **changes)

    def fit(
        self,
        state,
        config=CONFIG,
        seed=0,
        preprocess=PREPROCESS,
        validate=None,
        identity="",
        tasks=(),
        report=None,
        **changes,
    ):
        with seeded(seed):
            model = PairModel(IMAGE, STRUCTURE, BITS, config.embedding_size)
        arguments = preprocess, config, seed, validate or top1, state, identity, tasks, report
        return fit(model, self.data(**changes), *arguments)


def top1(images, structures):
    scores = images @ structures.T
    own = scores.diagonal()
    both = [np.mean((scores >= own[:, None]).sum(1) == 1), np.mean((scores >= own[None]).sum(0) == 1)]
    return {"top1": float(np.mean(both))}
