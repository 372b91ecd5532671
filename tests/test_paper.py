"""The publication's presets: what they say, where it comes from, that they reach the nodes, and that each trains."""

import json
import shutil
from contextlib import chdir
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from scipy.io import mmwrite
from scipy.sparse import coo_array

from cloome_kedro.learning.encoders.identity import Identity
from cloome_kedro.learning.encoders.linear import Linear
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.objectives import OBJECTIVES
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.views.images import ImageSettings
from cloome_kedro.learning.views.morgan import MorganSettings
from cloome_kedro.learning.views.profiles import ProfileSettings
from cloome_kedro.parameters import FingerprintParameters, ModelParameters
from environments import configured
from project import merged
from small_screens import edit_csv, write_load_data_screen

SOURCES = {True: "read", False: "not legible, default taken"}

# The supplement's tables 2 to 5, by hand: a star where the selection can be read. R = retrieval, B = bioactivity,
# C = zero-shot compound, M = zero-shot MoA; s = scaffold split.
TABLE = """
                       R          Rs        B          C          Cs         M          Ms
selected_by            top1*      top1*     probing_auc* zero_shot_compound_top1* zero_shot_compound_top1* zero_shot_moa_top1* zero_shot_moa_top1*
optimizer              adamw*     adamw*    adamw*     adamw*     adamw*     adamw*     adamw*
learning_rate          0.001*     0.001     0.001*     0.001*     0.001      0.001*     0.001
weight_decay           0.1*       0.1*      0.1*       0.1*       0.1*       0.1*       0.1*
schedule               cosine_restarts* cosine_restarts* cosine_restarts* cosine_restarts* cosine_restarts* cosine_restarts* cosine_restarts*
cycles                 1          1         1          1          1          1          1
warmup_steps           20000*     20000     20000*     20000*     20000      20000*     20000
batch_size             256*       256       256*       256*       256        256*       256
epochs                 70*        60*       32         63*        57*        70*        69*
objective              info_nce*  info_nce  info_loob* info_loob  info_loob  info_loob  info_loob
hopfield_beta          None*      None      22.0*      14.3       14.3       14.3       14.3
inverse_temperature    14.3*      14.3      14.3       14.3*      14.3       14.3*      14.3
learnable_temperature  False      False     False*     False      False      False      False
crop                   320        520*      320*       320        520*       520*       520
bits                   8192*      8192      1024*      1024*      1024       1024*      1024
batch_norm             True       True      True       True       True       True       True
"""  # noqa: E501
NAMES = [
    "retrieval",
    "retrieval_scaffold",
    "bioactivity",
    "zero_shot_compound",
    "zero_shot_compound_scaffold",
    "zero_shot_moa",
    "zero_shot_moa_scaffold",
]


def configuration(kind: str, env: str = "paper", **params) -> dict:
    return configured(kind, env, **params)


def checkpoint_path(env: str = "paper", **params) -> str:
    return configuration("catalog", env, **params)["{split}.{model}.checkpoint"]["filepath"]


def test_presets_are_those_of_the_supplement():
    lines = [line.split() for line in TABLE.strip().splitlines()[1:]]
    expected = {
        name: {field: (cells[i].rstrip("*"), SOURCES[cells[i].endswith("*")]) for field, *cells in lines}
        for i, name in enumerate(NAMES)
    }
    found = {
        name: {field: (str(entry["value"]), entry["source"]) for field, entry in preset.items() if field != "space"}
        for name, preset in configuration("globals")["presets"].items()
    }
    assert found == expected


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_scaffold")])
def test_a_scaffold_preset_differs_only_where_the_supplement_can_be_read(name):
    presets = configuration("globals")["presets"]
    of_random = presets[name.removesuffix("_scaffold")]
    assert presets[name].pop("space") == of_random.pop("space")
    differ = {field for field, entry in presets[name].items() if entry["value"] != of_random[field]["value"]}
    assert differ
    assert {presets[name][field]["source"] for field in differ} == {"read"}


@pytest.mark.parametrize("name", NAMES)
def test_every_value_of_a_preset_reaches_training(name):
    values, globals_ = (configuration(kind, preset=name) for kind in ("parameters", "globals"))
    model = ModelParameters.model_validate(values["models"]["cloome"])
    elsewhere = {
        "crop": model.field.view.crop,
        "bits": FingerprintParameters(**values["fingerprints"]).bits,
        "batch_norm": model.compound.encoder.batch_norm,
        "selected_by": model.selected_by,
        "objective": OBJECTIVES.name_of(model.objective),
        "hopfield_beta": getattr(model.objective, "hopfield_beta", None),
        "inverse_temperature": model.inverse_temperature,
        "learnable_temperature": model.learnable_temperature,
    }
    preset = dict(globals_["presets"][name])
    assert preset.pop("space") == name.removesuffix("_scaffold")
    assert model.fit.keep == (model.selected_by,)
    for field, entry in preset.items():
        reached = elsewhere[field] if field in elsewhere else getattr(model.fit, field)
        assert reached == entry["value"], field
    # nothing of the default model, which is augmented, pre-trained, with counts of substructures and dropout
    assert model.field.view == ImageSettings(crop=elsewhere["crop"], normalisation="published")
    assert model.field.encoder == ResNet((3, 4, 6, 3), 64)
    assert model.compound.view == MorganSettings()
    assert model.compound.encoder == MLP(layers=4, width=1024, batch_norm=elsewhere["batch_norm"])
    assert (model.compound.encoder.dropout, model.compound.encoder.input_dropout) == (0, 0)
    assert (model.embedding_size, model.pretrain, model.start) == (512, None, None)
    assert not model.fit.unique_compounds
    assert (model.fit.fields_per_compound, model.fit.average_decay) == (1, None)
    assert globals_["models"] == {"cloome": "CLOOME", "bilinear": "Bilinear"}


def test_the_bilinear_model_has_searched_values():
    model = ModelParameters.model_validate(configuration("parameters")["models"]["bilinear"])
    fit = model.fit
    assert model.objective == InfoNCE()
    assert (model.field.view, model.field.encoder) == (ProfileSettings(), Identity())
    assert (model.compound.view, model.compound.encoder) == (MorganSettings(), Linear(start="zeros"))
    assert (fit.weight_decay, fit.epochs, fit.cycles) == (0.1, 52, 1)
    assert fit.optimizer in {"sgd", "adamw"}
    assert fit.learning_rate in {5e-4, 1e-3}
    assert fit.schedule in {"constant", "cosine_restarts"}
    assert fit.batch_size in {256, 512, 1024}
    assert fit.warmup_steps in {5_000, 10_000, 20_000}
    assert not fit.unique_compounds


def test_a_run_changes_single_values_of_a_preset():
    params = {"models": {"cloome": {"fit": {"epochs": 2}}}}
    model = configuration("parameters", preset="bioactivity", **params)["models"]["cloome"]
    assert model["fit"]["epochs"] == 2
    assert model["objective"]["hopfield_beta"] == 22


@pytest.mark.parametrize(
    ("env", "params", "variant"),
    [
        ("base", {}, "default"),
        ("base", {"variant": "mine"}, "mine"),
        ("paper", {}, "retrieval"),
        ("paper", {"preset": "bioactivity"}, "bioactivity"),
        ("paper", {"preset": "bioactivity", "variant": "mine"}, "mine"),
        ("paper", {"variant": "mine"}, "mine"),
    ],
)
def test_a_preset_has_a_variant_of_its_own(env, params, variant):
    assert f"/{{split}}/{variant}/seed_0/" in checkpoint_path(env, **params)
    assert f"/{variant}/seed_0/" in configuration("catalog", env, **params)["report"]["filepath"]


def test_without_a_preset_paper_is_retrieval():
    assert configuration("parameters") == {
        key: value for key, value in configuration("parameters", preset="retrieval").items() if key != "preset"
    }


# ---- every preset trains, on an invented screen in the publication's layout

STRUCTURES = ["CCO", "CCN", "CCCC", "CCOC", "CC(=O)O", "c1ccccc1", "C1CCCCC1", "c1ccncc1", "c1ccsc1", "C1CCOC1"]
CUT = {
    "ingestion": {"n_jobs": 1},
    "models": {
        "cloome": {
            "field": {"view": {"crop": 112}},
            "fit": {"batch_size": 6, "epochs": 1, "precision": "32-true", "accelerator": "cpu"},
        }
    },
}


def write_cpg0012(folder: Path) -> None:
    """Ten compounds and a control, two fields of 120 x 128 pixels each, with the files where ``conf/paper`` looks."""
    write_load_data_screen(folder, plates=1, wells=len(STRUCTURES) + 1, sites=2, size=(120, 128), compression=None)
    edit_csv(folder / "compounds.csv", lambda table: table.assign(smiles=STRUCTURES))
    workspace = folder / "workspace"
    for source, target in (
        ("platemaps/map1.tsv", "metadata/platemaps/CDRP/platemap/map1.txt"),
        ("barcode_platemap.csv", "metadata/platemaps/CDRP/barcode_platemap.csv"),
        ("load_data_csv/P1/load_data.csv", "load_data_csv/CDRP/P1/load_data.csv"),
    ):
        (workspace / target).parent.mkdir(parents=True, exist_ok=True)
        shutil.move(folder / source, workspace / target)
    target = workspace / "metadata/external_metadata/external_metadata.tsv"
    target.parent.mkdir()
    pd.read_csv(folder / "compounds.csv").to_csv(target, sep="\t", index=False)


def write_labels(folder: Path, inchikeys) -> None:
    """Label matrix of four assays, the digits of a compound's number: any two compounds differ in one."""
    labels = np.array([[1 if i >> assay & 1 else -1 for assay in range(4)] for i in range(len(inchikeys))])
    mmwrite(folder / "label-matrix.mtx", coo_array(labels))
    rows = pd.DataFrame({"INDEX": np.arange(len(inchikeys)), "INCHIKEY": inchikeys})
    rows.to_csv(folder / "row-compound-index.csv", index=False)
    pd.DataFrame({"ASSAY_ID": range(4)}).to_csv(folder / "column-assay-index.csv", index=False)


@pytest.fixture(scope="module")
def run(project, one_thread):
    """Run pipelines of the environment ``paper`` in the copy, in this process: a preset costs its training alone."""
    from kedro.framework.session import KedroSession
    from kedro.framework.startup import bootstrap_project

    write_cpg0012(project.folder / "data/01_raw/cpg0012")
    bootstrap_project(project.folder)
    parameters = project.folder / "conf/paper/parameters.yml"
    parameters.write_text(parameters.read_text().replace("moa_column: null", "moa_column: moa"))

    def run(*names, namespace=None, **params):
        given = CUT | params
        create = partial(KedroSession.create, project_path=project.folder, env="paper", runtime_params=given)
        with chdir(project.folder), create() as session:
            session.run(pipeline_names=list(names), namespaces=[namespace] if namespace else None)

    return run


#: presets that are trained, with both splits and each objective, fingerprint and selection
TRAINED = ["retrieval", "bioactivity", "zero_shot_compound_scaffold", "zero_shot_moa_scaffold"]


def test_other_presets_would_train_alike():
    """A preset and its form for the other split differ only in what is cut here, so that one of them is trained."""
    for name in set(NAMES) - set(TRAINED):
        of_random = name.removesuffix("_scaffold")
        (twin,) = {of_random, f"{of_random}_scaffold"} & set(TRAINED)
        values = [merged(configuration("parameters", preset=preset), CUT) for preset in (name, twin)]
        for part in ("models", "fingerprints"):
            assert values[0][part] == values[1][part], name


@pytest.mark.slow
def test_every_preset_trains(run, project):
    """Two steps each, the encoders whole: names, sizes and settings of what is written below the preset's own name."""
    run("ingestion", "featurization")
    compounds = pd.read_parquet(project.folder / "data/03_primary/cpg0012/compounds.parquet")
    write_labels(project.folder / "data/01_raw/cpg0012", compounds["inchikey"])
    bits = None
    for name in sorted(TRAINED, key=lambda name: configuration("parameters", preset=name)["fingerprints"]["bits"]):
        parameters = configuration("parameters", preset=name)
        if bits != (bits := parameters["fingerprints"]["bits"]):
            run("featurization", preset=name)
        split = "scaffold" if name.endswith("_scaffold") else "random"
        run("training", namespace=f"{split}.models.cloome", preset=name)

        models = project.folder / "data/06_models/cpg0012"
        folder = models / split / name / "seed_0" / "cloome"
        assert list(models.glob("*/*/*/cloome")) == [folder], "checkpoints of a preset lie below its name alone"
        history = pd.read_parquet(folder / "history.parquet")
        assert history["step"].tolist() == [2], name
        assert np.isfinite(history["train_loss"]).all(), name
        metric = parameters["models"]["cloome"]["selected_by"]
        assert history[f"validation_{metric}"].between(0, 1).all(), name
        tensors = load_file(next(folder.rglob("*.safetensors")))
        parts = ("running_mean", "running_var", "num_batches_tracked")  # of the state, no parameters
        visual = [array for key, array in tensors.items() if key.startswith("visual.") and not key.endswith(parts)]
        assert sum(array.size for array in visual) == 24_563_392, name
        assert all(np.isfinite(array).all() for array in tensors.values()), name
        assert tensors["transformer.layers.0.0.weight"].shape == (1024, bits)
        fit = json.loads(next(folder.rglob("config.json")).read_text())["fit"]
        expected = parameters["models"]["cloome"]["fit"] | CUT["models"]["cloome"]["fit"]
        assert {key: fit[key] for key in expected} == expected, name
        shutil.rmtree(models / split)  # 0.4 GB
