"""Contents of indexes: invented images and real structures, embedded by an untrained model; and random vectors."""

import zlib
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd

from cloome_kedro import Cloome
from cloome_kedro.asking.inputs import statistics_table
from cloome_kedro.chemistry.fingerprints import morgan, pack
from cloome_kedro.chemistry.standardise import standardise_smiles
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.index import Content
from cloome_kedro.index.build import update
from cloome_kedro.index.content import compound_rows, field_rows
from cloome_kedro.index.layout import KINDS
from cloome_kedro.learning.checkpoint import Checkpoint, describe, save
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan

SMILES = {
    "ethanol": "CCO", "benzene": "c1ccccc1", "aspirin": "CC(=O)Oc1ccccc1C(=O)O",
    "caffeine": "Cn1c(=O)c2c(ncn2C)n(C)c1=O", "alanine": "C[C@H](N)C(=O)O", "phenol": "Oc1ccccc1",
    "pyridine": "c1ccncc1", "urea": "NC(N)=O",
}  # fmt: skip
FOLDS = ["train", "train", "train", "train", "validation", "validation", "test", "test"]
SIDE = 32
STATISTICS = {"mean": [100.0] * 5, "std": [50.0] * 5}
FINGERPRINTS = {"bits": 64, "radius": 2, "chirality": False}


@cache
def small_checkpoint():
    """Checkpoint of an untrained model that sees images scaled by the controls and thresholds of their plate."""
    architecture = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=1, width=8), 5, 64, embedding_size=6)
    storage = {
        "channels": list(CHANNELS),
        "intensity": {"outlier_percent": 0.5, "scale": 255},
        "scope": "plate",
        "crop": None,
        "size": [SIDE, SIDE],
    }
    fields = Images(mean=(100.0,) * 5, std=(60.0,) * 5, storage=storage, normalisation="controls")
    with seeded(0):
        model = PairModel(architecture)
    views = {"field": fields, "compound": Morgan(2, 64, False)}
    config = describe(architecture, views, InfoNCE(), FitConfig()) | {"split_hash": "abc", "seed": 0, "epoch": 0}
    return Checkpoint(config, model.state_dict())


@cache
def small_model():
    """The model of :func:`small_checkpoint`, on the CPU."""
    return Cloome(small_checkpoint(), "cpu")


def screen_tables(plates: int = 2) -> dict[str, pd.DataFrame]:
    """Tables ``compounds``, ``fields``, ``pairs``, ``examples`` and ``plate_statistics``.

    Each plate has a field per compound, and one control.
    """
    structures = {name: standardise_smiles(smiles) for name, smiles in SMILES.items()}
    compounds = pd.DataFrame(
        {
            "inchikey": [structure.inchikey for structure in structures.values()],
            "smiles": [structure.smiles for structure in structures.values()],
            "name": list(structures),
            "moa": ["solvent", None, "COX inhibitor", None, None, "solvent", None, "COX inhibitor|solvent"],
        }
    )
    fold = dict(zip(compounds["inchikey"], FOLDS, strict=True))
    rows = []
    for number in range(plates):
        wells = [*compounds["inchikey"], None]
        rows += [(f"P{number}", f"A{i:02d}", 1, key, i - 1) for i, key in enumerate(wells, start=1)]
    fields = pd.DataFrame(rows, columns=["plate", "well", "site", "inchikey", "row"])
    fields.insert(0, "field_id", "s/" + fields["plate"] + "/" + fields["well"] + "/1")
    fields = fields.assign(
        compound_id=fields["inchikey"].map(dict(zip(compounds["inchikey"], compounds["name"], strict=True))),
        control=fields["inchikey"].isna(),
        concentration_um=np.where(fields["inchikey"].isna(), np.nan, 10.0),
        plate_file=fields["plate"],
        **{f"threshold_{channel}": 1000.0 for channel in CHANNELS},
    )
    pairs = fields.loc[~fields["control"], ["field_id", "inchikey"]]
    examples = pairs.assign(fold=pairs["inchikey"].map(fold), split="random", split_hash="abc")
    statistics = pd.DataFrame(
        [(plate, channel, 100.0, 50.0) for plate in sorted(set(fields["plate"])) for channel in CHANNELS],
        columns=["plate_file", "channel", "mean", "std"],
    )
    return {
        "compounds": compounds,
        "fields": fields.drop(columns="inchikey"),
        "pairs": pairs,
        "examples": examples,
        "plate_statistics": statistics,
    }


def images_of(field_ids) -> np.ndarray:
    """Image of each field, uint8 (N, 5, SIDE, SIDE), which depends on its key only."""
    seeds = [zlib.crc32(str(key).encode()) for key in field_ids]
    return np.stack([np.random.default_rng(seed).integers(0, 255, (5, SIDE, SIDE)) for seed in seeds]).astype(np.uint8)


def ranks_table() -> pd.DataFrame:
    """Test ranks 1, 1, 2 and 4 of 4 for each kind of rows."""
    return pd.DataFrame([{"searched": kind, "rank": rank, "candidates": 4} for kind in KINDS for rank in (1, 1, 2, 4)])


def sets_table() -> pd.DataFrame:
    """A candidate set of half of the candidates at 90 %, for each kind of rows."""
    facts = {"level": 0.9, "share": 0.5, "coverage": 0.889, "low": 0.84, "high": 0.93}
    return pd.DataFrame([facts | {"searched": kind} for kind in KINDS])


def small_content(plates: int = 2, with_model: bool = True, **changes) -> Content:
    """Content of an index of the small model. ``changes`` replace its attributes; those of ``info`` are added."""
    tables, model = screen_tables(plates), small_model()
    fields = field_rows(tables["fields"], tables["pairs"], tables["examples"], tables["compounds"])
    training = tables["compounds"][np.array(FOLDS) == "train"]
    bits = [bytes(row) for row in pack(morgan(training["smiles"].tolist(), **FINGERPRINTS))]
    info = {
        "screen": "s", "split": "random", "model": "cloome", "label": "CLOOME", "simulated": True,
        "weights": model.checkpoint.weights, "split_hash": "abc", "normalised": True, "fitted_on": ["train"],
        "channels": list(CHANNELS), "thumbnail_side": SIDE, "fingerprints": FINGERPRINTS,
        "accepts": {"smiles": True, "images": True},
        "models": {
            "cloome": {"label": "CLOOME", "smiles": True, "images": True},
            "ridge": {"label": "Ridge", "smiles": False, "images": False},
        },
    }  # fmt: skip
    values = {
        "info": info | changes.pop("info", {}),
        "fields": fields,
        "field_vectors": model.embed_fields(images_of(fields["field_id"]), statistics=STATISTICS, progress=False),
        "compounds": compound_rows(tables["compounds"], tables["pairs"], tables["examples"]),
        "compound_vectors": model.embed_structures(tables["compounds"]["smiles"], progress=False),
        "tables": {
            "plate_statistics": statistics_table(tables["plate_statistics"], tables["fields"]),
            "ranks": ranks_table(),
            "candidate_sets": sets_table(),
            "fingerprints": pd.DataFrame({"inchikey": training["inchikey"].to_numpy(), "bits": bits}),
        },
        "read_thumbnails": images_of,
        "save_model": partial(save, small_checkpoint()) if with_model else None,
    }
    return Content(**values | changes)


def build_small_index(folder: Path, **changes) -> Path:
    """Build the index of :func:`small_content` in a folder."""
    update(folder, small_content(**changes))
    return folder


def random_content(n_fields: int, n_compounds: int, size: int = 16, seed: int = 0, **changes) -> Content:
    """Content of random unit vectors, four fields per well, without images and model."""
    generator = np.random.default_rng(seed)

    def unit(n):
        vectors = generator.normal(size=(n, size)).astype(np.float32)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)

    number = np.arange(n_fields)
    keys = [f"KEY{i:07d}" for i in range(n_compounds)]
    table = pd.DataFrame(
        {
            "plate": [f"P{i // 1536}" for i in number],
            "well": [f"W{i % 1536 // 4:03d}" for i in number],
            "site": number % 4,
            "inchikey": [keys[i // 4 % n_compounds] for i in number],
            "compound": None,
            "smiles": None,
            "moa": [["a", "b", None][i // 4 % 3] for i in number],
            "concentration_um": 1.0,
            "control": False,
            "fold": "train",
        }
    )
    table.insert(0, "field_id", "s/" + table["plate"] + "/" + table["well"] + "/" + table["site"].astype(str))
    described = pd.DataFrame(
        {"inchikey": keys, "compound": None, "smiles": "C", "moa": None, "fold": "train", "fields": 4}
    )
    info = {
        "screen": "s",
        "split": "random",
        "label": "Random",
        "weights": "w",
        "split_hash": "abc",
        "normalised": True,
    }
    values = {"field_vectors": unit(n_fields), "compound_vectors": unit(n_compounds), "info": info}
    return Content(**values | {"fields": table, "compounds": described} | changes)
