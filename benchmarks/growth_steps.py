"""The steps of a study at any size, for ``benchmarks/growth.py``: a function makes the inputs and returns the step."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import fingerprints as fingerprint_benchmark
import ingestion as ingestion_benchmark
import numpy as np
import pandas as pd
import profiles as profile_benchmark
import torch
import train_gpu

import index as index_benchmark
from cloome_kedro.chemistry import fingerprints as morgan
from cloome_kedro.chemistry import standardise
from cloome_kedro.chemistry.leaks import find_leaks
from cloome_kedro.evaluation.probes import Labelled, fit_probes
from cloome_kedro.evaluation.ranks import match_ranks
from cloome_kedro.evaluation.zero_shot import zero_shot_ranks
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Measurement, Storage
from cloome_kedro.imaging.plates import ingest_plates
from cloome_kedro.imaging.profiles import measure_profiles
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.index import Content
from cloome_kedro.index.build import update
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.embed import Embedder
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.fit import fit
from cloome_kedro.learning.loop import Recipe
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.state import FitState
from cloome_kedro.learning.validation import Validation
from cloome_kedro.stores import TableStore

Step = Callable[[], object]

torch.set_num_threads(1)
ingestion_benchmark.SHAPE = (130, 174)
train_gpu.BITS = 512
SIDE, SIZE = 64, 128
_FILES = 12  # different fields


def _repeated(folder: Path, fields: int, plates: int) -> pd.DataFrame:
    """Table ``field_index`` of plates that read the same files again and again."""
    files = ingestion_benchmark.write_plate(folder, "A", _FILES)
    number = np.arange(fields * plates)
    table = files.iloc[number % _FILES].reset_index(drop=True)
    table["plate"] = [f"P{i // fields:05}" for i in number]
    table["field_id"] = [f"{i:07}" for i in number]
    known = {"screen": "s", "source": "a", "compound_id": "c", "concentration_um": 1.0, "control": False}
    return table.assign(well=table["field_id"], **known)


def _ingestion(folder: Path, fields: int, plates: int) -> Step:
    store, table = PlateStore(folder / "store"), _repeated(folder, fields, plates)
    store.folder.mkdir()
    return partial(ingest_plates, *(store, table, table[:0].assign(reason=""), Storage(size=(65, 87))), n_jobs=1)


def ingestion_of_fields(n: int, folder: Path) -> Step:
    """Ingest one plate."""
    return _ingestion(folder, n, 1)


def ingestion_of_plates(n: int, folder: Path) -> Step:
    """Ingest plates of eight fields."""
    return _ingestion(folder, 8, n)


def field_index(n: int, folder: Path) -> Step:
    """Read the LoadData table of a screen without images."""
    return partial(index_benchmark.index, index_benchmark.write_screen(folder, n))


def structures(n: int, folder: Path) -> Step:
    """Standardise compounds."""
    standardise.PARALLEL_FROM = n + 1
    table = pd.DataFrame({"smiles": fingerprint_benchmark.structures(n), "name": None, "moa": None})
    return partial(standardise.standardise, table.assign(compound_id=table.index.astype(str)))


def fingerprints(n: int, folder: Path) -> Step:
    """Compute fingerprints."""
    morgan._PARALLEL_FROM = n + 1
    return partial(morgan.packed_morgan, *(fingerprint_benchmark.structures(n), 1024))


def leaks(n: int, folder: Path) -> Step:
    """Find relatives among compounds of different folds."""
    keys = [f"{i:014}" for i in range(n)]
    compounds = pd.DataFrame({"inchikey": keys, "block": keys, "scaffold": [f"{i // 5}" for i in range(n)]})
    folds = compounds[["inchikey"]].assign(fold=np.random.default_rng(0).choice(["train", "validation", "test"], n))
    return partial(find_leaks, *(folds, compounds, fingerprints(n, folder)()))


def _store(folder: Path, n: int) -> tuple[PlateStore, pd.DataFrame]:
    """Plate with drawn fields, and its table ``fields``."""
    drawn, store = profile_benchmark.fields(_FILES, SIDE, Measurement().nucleus_diameter), PlateStore(folder / "plates")
    store.folder.mkdir()
    table = pd.DataFrame({"field_id": [f"f{i}" for i in range(n)], "plate_file": "P", "row": range(n)})
    with store.writer("P", "digest", {"channels": list(CHANNELS)}) as writer:
        for i in range(n):
            writer.append(drawn[i % _FILES])
        writer.commit(table[["field_id", "row"]])
    return store, table


def profiles(n: int, folder: Path) -> Step:
    """Measure the default families of profiles."""
    store, fields = _store(folder, n)
    return partial(measure_profiles, *(TableStore(folder / "profiles"), store, fields, Measurement()), n_jobs=1)


def _model() -> PairModel:
    encoders = ResNet(layers=(1, 1, 1, 1), width=8), MLP(layers=1, width=64)
    return PairModel(Architecture(*encoders, field_inputs=len(CHANNELS), compound_inputs=train_gpu.BITS))


def _data(n: int, folder: Path) -> Any:
    store = train_gpu.Store(folder)
    store.write(n, SIDE, SIDE)
    return train_gpu.make_data(store, n, crop=SIDE, epoch_size=n - max(2, n // 8))


def training(n: int, folder: Path) -> Step:
    """Train for one epoch, on the CPU."""
    config = FitConfig(batch_size=32, epochs=1, warmup_steps=1, accelerator="cpu", precision="32-true")
    recipe, validation = Recipe(train_gpu.OBJECTIVE, config, seed=0), Validation(train_gpu.measure)
    return lambda: fit(_model(), _data(n, folder), recipe, validation, FitState(folder / "fit"))


def embedding(n: int, folder: Path) -> Step:
    """Embed fields, on the CPU."""
    data = _data(n, folder)
    embed = Embedder(_model(), batch_size=64, progress=False)
    return partial(embed, *("field", data.field.rows.read, n, data.field.view))


def _vectors(n: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((n, SIZE), dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def ranks(n: int, folder: Path) -> Step:
    """Rank n compounds for each of n fields."""
    return partial(match_ranks, *(_vectors(n), _vectors(n, seed=1), np.arange(n)))


def _zero_shot(n: int, classes: int) -> Step:
    number = np.arange(n)
    fields = pd.DataFrame({"field_id": [f"f{i:07}" for i in number], "label": [f"C{i % classes:05}" for i in number]})
    fields["inchikey"], fields["plate"] = fields["label"], [f"P{i // 384}" for i in number]
    fields["well"] = [f"W{i // 4 % 96}" for i in number]
    return partial(zero_shot_ranks, *(_vectors(n), _vectors(n), fields), excluded=["well"])


def zero_shot(n: int, folder: Path) -> Step:
    """Classify fields of 200 classes."""
    return _zero_shot(n, 200)


def zero_shot_of_classes(n: int, folder: Path) -> Step:
    """Classify fields of as many classes as there are groups of four fields."""
    return _zero_shot(n, n // 4)


def _probing(n: int, assays: int) -> Step:
    rng, folds = np.random.default_rng(0), []
    directions = rng.standard_normal((SIZE, assays)) / SIZE**0.5
    for number in (n, n // 3, n // 3):
        features = rng.standard_normal((number, SIZE)).astype(np.float32)
        labels = (features @ directions + rng.standard_normal((number, assays)) > 0).astype(float)
        labels[rng.random(labels.shape) < 0.5] = np.nan
        folds.append(Labelled(features, labels))
    return partial(fit_probes, *(folds[0], folds[1], {"test": folds[2].features}, folds[2].labels))


def probing_of_fields(n: int, folder: Path) -> Step:
    """Fit probes of 20 assays to fields."""
    return _probing(n, 20)


def probing_of_assays(n: int, folder: Path) -> Step:
    """Fit probes of assays to 600 fields."""
    return _probing(600, n)


def search_index(n: int, folder: Path) -> Step:
    """Build the index that queries search, without images."""
    number, compounds = np.arange(n), max(2, n // 16)
    keys = [f"KEY{i:07}" for i in range(compounds)]
    fields = pd.DataFrame(
        {
            "field_id": [f"f{i:07}" for i in number],
            "plate": [f"P{i // 1536}" for i in number],
            "well": [f"W{i % 1536 // 4:03}" for i in number],
            "site": number % 4,
            "inchikey": [keys[i // 4 % compounds] for i in number],
            **{"compound": None, "smiles": None, "moa": None, "concentration_um": 1.0, "control": False},
            "fold": "train",
        }
    )
    known = pd.DataFrame({"inchikey": keys, "compound": None, "smiles": "C", "moa": None, "fold": "train", "fields": 4})
    facts = {"screen": "s", "split": "random", "label": "Random", "weights": "w", "split_hash": "a", "normalised": True}
    content = Content(facts, fields, _vectors(n), known, _vectors(compounds, seed=1))
    return partial(update, *(folder / "index", content))
