"""docs/how-to/extend.md: its examples, taken from the page as they are, work from outside the package."""

import re
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
import yaml

from cloome_kedro.registry import load_modules
from project import Project
from registries import restored

PAGE = Path(__file__).parents[1] / "docs" / "how-to" / "extend.md"
SECTIONS = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)[1:]
MODULE = "study_extensions"


def blocks(language: str) -> dict[str, list[str]]:
    """Code blocks of a language, by heading."""
    found = {text.partition("\n")[0]: re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL) for text in SECTIONS}
    return {heading: code for heading, code in found.items() if code}


SOURCE = "\n\n".join(code for codes in blocks("python").values() for code in codes)
SETTINGS = [yaml.safe_load(code) for codes in blocks("yaml").values() for code in codes]


@pytest.fixture(scope="module")
def extensions(tmp_path_factory):
    """The page's code as a module that lies outside the package, imported as the hook imports it."""
    folder = tmp_path_factory.mktemp("extensions")
    (folder / f"{MODULE}.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    from cloome_kedro.chemistry.splits import SPLITS
    from cloome_kedro.evaluation.rank_metrics import RANK_METRICS
    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS
    from cloome_kedro.imaging.corruptions import CORRUPTIONS
    from cloome_kedro.imaging.layouts import LAYOUTS
    from cloome_kedro.imaging.readers import READERS
    from cloome_kedro.learning.encoders import ENCODERS
    from cloome_kedro.learning.objectives import OBJECTIVES
    from cloome_kedro.learning.views import VIEWS

    with ExitStack() as stack:
        images = (CORRUPTIONS, LAYOUTS, READERS)
        for registry in (SPLITS, RANK_METRICS, VALIDATION_METRICS, *images, ENCODERS, OBJECTIVES, VIEWS):
            stack.enter_context(restored(registry))
        load_modules([MODULE])
        yield sys.modules.pop(MODULE)
        sys.path.remove(str(folder))


def settings(key: str, *path: str) -> dict:
    """The settings under a path of keys, of the block of the page that has them."""
    for block in SETTINGS:
        value = block.get(key)
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if value is not None:
            return value
    raise KeyError((key, *path))


def test_every_section_has_code_and_settings_that_fit_one_screen():
    assert len(SECTIONS) == len(blocks("python")) == 7
    assert all(heading in blocks("yaml") for heading in blocks("python"))
    for text in SECTIONS:
        assert len(text.splitlines()) <= 75, text.partition("\n")[0]


def test_the_objective_is_its_formula(extensions):
    """By its formula, pair by pair in float64; the bias has a gradient."""
    import torch

    from cloome_kedro.learning.objectives import OBJECTIVES

    rng = np.random.default_rng(0)
    field, compound = (rng.normal(size=(5, 3)) for _ in range(2))
    scale, bias = torch.tensor(10.0).double(), torch.tensor(-2.0).double().requires_grad_()
    unit = [0, 1, 2, 1, 3]
    objective = OBJECTIVES["binary_nce"]()
    assert objective.scalars == {"bias": -2.0}
    inputs = {"field": torch.from_numpy(field), "compound": torch.from_numpy(compound), "scale": scale, "bias": bias}
    loss = objective(inputs | {"unit": torch.tensor(unit)})
    pairs = [(i, j) for i in range(5) for j in range(5) if unit[i] != unit[j]]
    matches = np.mean([np.log1p(np.exp(-(10 * field[i] @ compound[i] - 2))) for i in range(5)])
    others = np.mean([np.log1p(np.exp(10 * field[i] @ compound[j] - 2)) for i, j in pairs])
    assert loss.item() == pytest.approx(matches + others)
    loss.backward()
    assert bias.grad.abs() > 0


def test_the_layout_lists_images(extensions, tmp_path):
    from cloome_kedro.imaging.index import index_screen
    from cloome_kedro.parameters import IngestionParameters

    (tmp_path / "images").mkdir()
    for well in ("A01", "B02"):
        for channel in ("Mito", "ER", "RNA", "AGP", "DNA"):
            tifffile.imwrite(tmp_path / "images" / f"P1-{well}-1-{channel}.tiff", np.ones((8, 8), np.uint16))
    wells = {"well_position": ["A01", "B02"], "broad_sample": ["a", "b"]}
    compounds = {"smiles": ["CCO", "CCN"], "pert_iname": ["x", "y"]}
    pd.DataFrame(wells | compounds).to_csv(tmp_path / "platemap.csv", index=False)
    ingestion = IngestionParameters(screen="s", storage={}, **settings("ingestion"))
    index, _, rejected = index_screen(tmp_path, "s", ingestion.sources)
    assert index["field_id"].tolist() == ["s/P1/A01/1", "s/P1/B02/1"]
    assert rejected.empty


def test_the_format_of_images_is_read_by_its_suffix(extensions, tmp_path):
    from cloome_kedro.imaging.images import read_field
    from cloome_kedro.imaging.readers import BadField

    images = np.random.default_rng(0).integers(0, 2**16, (5, 1080, 1080), dtype=np.uint16)
    (tmp_path / "a.raw").write_bytes(images.tobytes())
    field = read_field([(str(tmp_path / "a.raw"), plane) for plane in (4, 3, 2, 1, 0)], 16, None)
    np.testing.assert_array_equal(field, images[::-1])
    (tmp_path / "b.raw").write_bytes(b"12")
    with pytest.raises(BadField, match=r"channel Mito: .*b.raw is truncated"):
        read_field([(str(tmp_path / "b.raw"), plane) for plane in range(5)], 16, None)


def test_the_metric_of_ranks_has_its_chance(extensions):
    from cloome_kedro.evaluation.rank_metrics import RANK_METRICS

    metric = RANK_METRICS["mean reciprocal rank"]
    ranks = np.array([1, 2, 4])
    assert metric.value(ranks, np.array([4, 4, 4])) == pytest.approx((1 + 1 / 2 + 1 / 4) / 3)
    drawn = np.random.default_rng(0).integers(1, 5, 100_000)
    assert metric.chance(np.array([4])) == pytest.approx((1 / drawn).mean(), abs=5e-3)


def test_the_validation_metric_tells_replicates_from_others(extensions):
    from cloome_kedro.evaluation.validation import ValidationData
    from cloome_kedro.evaluation.validation_metrics import VALIDATION_METRICS

    fields = pd.DataFrame({"fold": ["train", *["validation"] * 4], "inchikey": ["t", "a", "a", "b", "b"]})
    metric = VALIDATION_METRICS["replicates"].of(ValidationData(fields, pd.DataFrame(), [1.0]), seed=0)
    assert metric.fields.tolist() == [1, 2, 3, 4]
    assert metric(np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])) == 1


@pytest.mark.slow
def test_a_study_runs_on_all_of_them_at_once(study, tmp_path, extensions):
    """A split's whole study in an environment that has the page's settings, with the page's code below src/."""
    project = Project(tmp_path)
    (tmp_path / "src" / f"{MODULE}.py").write_text(SOURCE)
    project.take_screen(study)
    models = {"cloome": "CLOOME", "counts": "Nuclei"}
    chosen = {"modules": [MODULE], "models": models, "reference": None, "splits": settings("splits")}
    blocks_of_study = [block for block in SETTINGS if "models" in block or "corruption" in block]
    env = project.environment("extended", chosen, *blocks_of_study)
    project.kedro("run", "--env", env, "--pipelines", "alphabetical,reporting")
    load = partial(project.load, env=env)

    config = load("alphabetical.cloome.checkpoint").config
    assert config["architecture"]["field"] == {"name": "small_cnn", "width": 8}
    assert config["objective"] == {"name": "binary_nce"}
    assert config["architecture"]["scalars"] == {"bias": -2.0}
    assert config["selected_by"] == "replicates"
    tensors = load("alphabetical.cloome.checkpoint").tensors
    assert tensors["bias"].item() != -2, "the bias is trained"
    assert "validation_replicates" in load("alphabetical.cloome.history")
    view = load("alphabetical.counts.checkpoint").config["views"]["field"]
    counts = load("cell_counts").set_index("field_id")["nuclei"]
    examples = load("alphabetical.examples")
    of_training = counts[examples.loc[examples["fold"] == "train", "field_id"]]
    assert view == {"name": "nuclei", "mean": pytest.approx(of_training.mean(), rel=1e-6)}
    metrics = load("alphabetical.metrics")
    assert {"CLOOME", "Nuclei"} <= set(metrics["method"])
    assert set(metrics["images"]) == {"clean", "random_flip_small_rotation", "dimmer"}
    assert "mean reciprocal rank" in set(metrics["metric"])
    blocks_of_folds = examples.assign(block=examples["inchikey"].str[:14]).groupby("fold")["block"]
    assert blocks_of_folds.max()["train"] < blocks_of_folds.min()["validation"]
    report = load("report")
    assert "Nuclei" in report
    assert "dimmer" in report
