"""Design and writing of the screen, and how much of a structure its design lets one know."""

import numpy as np
import pandas as pd
import pytest
from rdkit.Chem import MolFromSmiles
from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator
from sklearn.linear_model import Ridge

from cloome_kedro import schemas
from cloome_kedro.simulation.config import ScreenConfig
from cloome_kedro.simulation.phenotype import AXES
from cloome_kedro.simulation.screen import MARK, claim, design_screen, write_screen

TINY = ScreenConfig(compounds=24, platemaps=2, replicates=2, control_wells=4, field_size=32, assays=3)


@pytest.fixture(scope="module")
def tiny():
    return design_screen(TINY)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("screen")
    plates = write_screen(folder, tiny, TINY, n_jobs=1)
    assert plates.columns.tolist() == ["plate", "platemap", "fields"]
    assert plates["fields"].tolist() == [12 + 4] * 4
    return folder


def test_design_is_repeatable_and_fits_its_schemas(tiny):
    again = design_screen(TINY)
    for table in ("compounds", "platemaps", "barcodes", "truth", "labels"):
        pd.testing.assert_frame_equal(getattr(tiny, table), getattr(again, table))
    schemas.truth.validate(tiny.truth)
    schemas.assay_labels.validate(tiny.labels)
    assert not design_screen(ScreenConfig(**{**TINY.__dict__, "seed": 1})).truth.equals(tiny.truth)


def test_written_tables_lead_from_every_image_to_its_structure(tiny, folder):
    barcodes = pd.read_csv(folder / "barcode_platemap.csv").set_index("Assay_Plate_Barcode")["Plate_Map_Name"]
    compounds = pd.read_csv(folder / "compounds.csv").set_index("broad_sample")
    truth = tiny.truth.set_index(["plate", "well"])["compound_id"]
    seen = 0
    for plate, platemap in barcodes.items():
        images = pd.read_csv(folder / "load_data_csv" / plate / "load_data.csv")
        wells = pd.read_csv(folder / "platemaps" / f"{platemap}.tsv", sep="\t").set_index("well_position")
        for image in images.itertuples():
            assert (folder / image.PathName_OrigDNA / image.FileName_OrigDNA).is_file()
            well = wells.loc[image.Metadata_Well]
            expected = truth[plate, image.Metadata_Well]
            assert well["broad_sample"] == expected or (pd.isna(expected) and pd.isna(well["broad_sample"]))
            assert pd.isna(expected) == pd.isna(well["mmoles_per_liter"])
            assert pd.isna(expected) or MolFromSmiles(compounds.loc[expected, "smiles"])
            seen += 1
    assert seen == len(truth) == 2 * 2 * (12 + 4)
    assert compounds["moa"].isna().sum() == (tiny.compounds["mechanism"] == "inactive").sum() > 0


def test_a_second_writing_leaves_plates_alone_and_no_drafts_stay(tiny, folder):
    images = sorted(folder.rglob("*.tiff"))
    before = [path.stat().st_mtime_ns for path in images]
    write_screen(folder, tiny, TINY, n_jobs=1)
    assert [path.stat().st_mtime_ns for path in images] == before
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]


def test_a_killed_run_leaves_no_images_of_an_earlier_design(tmp_path, monkeypatch):
    """Plates of both designs have the same names: old images must not be joined to the new platemaps."""
    small = ScreenConfig(compounds=6, platemaps=1, replicates=2, control_wells=2, field_size=32, assays=3)
    write_screen(tmp_path, design_screen(small), small, n_jobs=1)
    draft = tmp_path / "images" / ".VRT1009.part"
    draft.mkdir()

    def killed(*args):
        raise KeyboardInterrupt

    other = ScreenConfig(**{**small.__dict__, "seed": 1})
    with monkeypatch.context() as patch:
        patch.setattr("cloome_kedro.simulation.screen._write_tables", killed)
        with pytest.raises(KeyboardInterrupt):
            write_screen(tmp_path, design_screen(other), other, n_jobs=1)
    assert not list((tmp_path / "images").iterdir())
    assert not list((tmp_path / "load_data_csv").iterdir())
    write_screen(tmp_path, design_screen(other), other, n_jobs=1)
    write_screen(tmp_path / "fresh", design_screen(other), other, n_jobs=1)
    for folder in ("images", "load_data_csv"):
        found, fresh = (
            {path.relative_to(root): path.read_bytes() for path in (root / folder).rglob("*.*")}
            for root in (tmp_path, tmp_path / "fresh")
        )
        assert found == fresh


def top1(distances: np.ndarray, candidates: int, rng: np.random.Generator) -> float:
    """Share of queries (rows) whose own column is the nearest of ``candidates`` drawn ones."""
    n, hits = len(distances), 0
    for i in range(n):
        others = rng.choice(np.delete(np.arange(n), i), candidates - 1, replace=False)
        hits += distances[i, i] < distances[i, others].min()
    return hits / n


def test_plates_of_an_earlier_design_are_removed_and_strangers_kept(tmp_path):
    small = ScreenConfig(compounds=6, platemaps=1, replicates=2, control_wells=2, field_size=32, assays=3)
    write_screen(tmp_path, design_screen(small), small, n_jobs=1)
    stranger = tmp_path / "load_data_csv" / "mine"
    stranger.mkdir()
    (stranger / "load_data.csv").write_text("Metadata_Plate\n")
    smaller = ScreenConfig(**{**small.__dict__, "replicates": 1})
    plates = set(write_screen(tmp_path, design_screen(smaller), smaller, n_jobs=1)["plate"])
    assert len(plates) == 1
    assert {path.name for path in (tmp_path / "images").iterdir()} == plates
    assert {path.name for path in (tmp_path / "load_data_csv").iterdir()} == plates | {"mine"}


@pytest.mark.parametrize(
    "file",
    [
        "Images/r01c01.tiff",  # other names
        "images/P1/a.tiff",  # names of ours, without a table of ours
        "manifest.csv",
        "compounds.csv",
        "assay_labels.parquet",
        "load_data_csv/P1/load_data.csv",
        "notes.txt",
    ],
)
def test_nothing_is_written_into_a_folder_with_files_of_a_user(tmp_path, file):
    small = ScreenConfig(compounds=6, platemaps=1, replicates=1, control_wells=2, field_size=32, assays=3)
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("mine")
    with pytest.raises(ValueError, match=r"contains files that are not of the virtual screen, such as .*simulate: fal"):
        write_screen(tmp_path, design_screen(small), small, n_jobs=1)
    assert [path.read_text() for path in tmp_path.rglob("*") if path.is_file()] == ["mine"]


def test_an_empty_folder_is_marked_and_a_virtual_screen_without_mark_is_known(tmp_path):
    small = ScreenConfig(compounds=6, platemaps=1, replicates=1, control_wells=2, field_size=32, assays=3)
    (tmp_path / ".DS_Store").write_text("of the system")
    write_screen(tmp_path, design_screen(small), small, n_jobs=1)
    assert (tmp_path / MARK).is_file()
    (tmp_path / MARK).unlink()
    claim(tmp_path)  # as an earlier version wrote it
    (tmp_path / MARK).unlink()
    (tmp_path / "load_data_csv" / "mine").mkdir()
    with pytest.raises(ValueError, match="not of the virtual screen"):
        claim(tmp_path)


def test_structure_tells_more_than_mechanism_and_the_well_is_not_everything():
    """Ridge from fingerprints, held-out compounds; oracles of the true phenotype and of the mechanism's average."""
    config = ScreenConfig(compounds=640, platemaps=2, replicates=2)
    design, rng = design_screen(config), np.random.default_rng(0)
    wells = design.truth.dropna(subset="compound_id").drop_duplicates("compound_id").set_index("compound_id")
    wells = wells.loc[design.compounds["compound_id"]]
    true, drawn = (wells[[f"{kind}_{axis}" for axis in AXES]].to_numpy() for kind in ("phenotype", "realised"))
    morgan = GetMorganGenerator(radius=3, fpSize=1024, includeChirality=True)
    bits = np.array([morgan.GetFingerprintAsNumPy(MolFromSmiles(s)) for s in design.compounds["smiles"]], float)

    test = rng.permutation(len(wells)) < 0.3 * len(wells)
    predicted = Ridge(alpha=10).fit(bits[~test], drawn[~test]).predict(bits[test])
    averages = pd.DataFrame(true).groupby(wells["mechanism"].to_numpy()).transform("mean").to_numpy()[test]
    averages = averages + rng.normal(0, 1e-9, averages.shape)  # breaks ties at random
    scores = {
        name: top1(np.square(drawn[test][:, None] - space).sum(-1), 100, rng)
        for name, space in {"oracle": true[test], "ridge": predicted, "mechanism": averages}.items()
    }
    assert scores["oracle"] < 0.99
    assert scores["oracle"] > scores["ridge"] + 0.05
    assert scores["ridge"] > 0.3
    assert scores["ridge"] > scores["mechanism"] + 0.1
