"""`cloome new-screen`: from a folder to conf/NAME."""

import os
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from omegaconf import OmegaConf

import warm_python
from cloome_kedro import cli
from cloome_kedro.imaging.discovery.content import ORDERS
from drawn_cells import write_drawn_screen
from project import ROOT, Project
from small_screens import write_load_data_screen

JUMP, BRAY = ORDERS.values()


@pytest.fixture
def project(tmp_path, monkeypatch) -> Path:
    """A project with nothing but its settings, which is the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "conf/base", folder / "conf/base")
    (folder / "src").symlink_to(ROOT / "src")
    shutil.copy(ROOT / "pyproject.toml", folder)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Two plates with three compounds and DMSO."""
    folder = tmp_path_factory.mktemp("raw") / "screen"
    write_drawn_screen(folder, JUMP)
    return folder


def new_screen(*arguments, answers: str | None = None):
    done = CliRunner().invoke(
        cli.cloome, ["new-screen", *map(str, arguments)], input=answers, prog_name="cloome", catch_exceptions=False
    )
    return done


def read(project: Path, name: str, file: str) -> dict:
    return yaml.safe_load((project / "conf" / name / f"{file}.yml").read_text())


def test_a_folder_is_described_without_questions(project, raw):
    done = new_screen("mine", raw, "--yes")
    assert done.exit_code == 0, done.output
    assert read(project, "mine", "catalog")["raw_screen"]["filepath"] == str(raw)
    assert read(project, "mine", "globals") == {
        "screen": "mine",
        "simulate": False,
        "splits": ["random"],
        "models": {"cloome": "CLOOME", "bilinear": "Bilinear"},
    }
    parameters = read(project, "mine", "parameters")
    (source,) = parameters["ingestion"]["sources"]
    assert source == {
        "name": "screen",
        "layout": "opera_phenix",
        "channels": {str(i): channel for i, channel in enumerate(JUMP, 1)},
        "bit_depth": 12,
        "platemap": {
            "platemaps": "platemap.csv",
            "well_column": "Well Position",
            "compound_column": "Treatment",
            "concentration_column": "Dose (uM)",
            "concentration_unit": "uM",
            "smiles_column": "SMILES",
            "name_column": None,
            "moa_column": "Mechanism",
        },
    }
    assert parameters["ingestion"]["storage"]["size"] == [64, 64]
    assert 6 < parameters["profiles"]["measure"]["nucleus_diameter"] < 10
    assert parameters["splits"] == {"train": 0.34, "validation": 0.33, "test": 0.33}
    assert "no claim about accuracy" in parameters["reporting"]["title"]
    assert "2 plates (P1, P2), 8 wells, 8 fields (usually 1 per well) of 128 x 128 pixels" in done.output
    assert "6 wells with a compound, 2 control wells, 0 wells that cannot be used; 3 structures" in done.output
    assert "0 questions asked" in done.output
    assert "kedro run --env mine\n" in done.output


def test_comments_say_what_is_a_guess(project, raw):
    new_screen("mine", raw, "--yes")
    text = (project / "conf/mine/parameters.yml").read_text()
    assert "# Channels: the order of JUMP" in text
    assert "are reduced 2-fold, so they are" in text
    assert "# Thirds: 3 compounds are too few for the default shares." in text
    assert all(len(line) <= 120 for line in text.splitlines() if line.lstrip().startswith("#"))


def test_questions_have_proposals_and_repeat_bad_answers(project, raw):
    done = new_screen("mine", raw, answers="1=DNA\n1=Mito,2=AGP,3=ER,4=RNA,5=DNA\n")
    assert done.exit_code == 0, done.output
    assert "give each of Mito, ER, RNA, AGP, DNA one of the names 1, 2, 3, 4, 5" in done.output
    assert "1 question asked" in done.output
    (source,) = read(project, "mine", "parameters")["ingestion"]["sources"]
    assert source["channels"]["3"] == "ER"


def test_answers_as_options(project, raw):
    channels = "1=Mito,2=AGP,3=RNA,4=ER,5=DNA"
    options = ("--channels", channels, "--bit-depth", "16", "--size", "32", "32", "--nucleus-diameter", "4")
    done = new_screen("mine", raw, *options, "--controls", "DMSO,blank", "--title", "My cells")
    assert done.exit_code == 0, done.output
    assert "0 questions asked" in done.output
    parameters = read(project, "mine", "parameters")
    (source,) = parameters["ingestion"]["sources"]
    assert source["bit_depth"] == 16
    assert source["platemap"]["controls"] == ["DMSO", "blank"]
    assert parameters["ingestion"]["storage"]["size"] == [32, 32]
    assert parameters["profiles"]["measure"]["nucleus_diameter"] == 4
    assert parameters["reporting"]["title"].startswith("My cells")


def test_two_compounds_and_the_solvent(project, tmp_path):
    write_drawn_screen(tmp_path / "few", BRAY, wells=("A01", "B02", "C03"))
    done = new_screen("few", tmp_path / "few", "--yes")
    assert "The solvent DMSO counts as the third compound" in done.output
    (source,) = read(project, "few", "parameters")["ingestion"]["sources"]
    assert source["platemap"]["compounds"] == "${project:conf/few/compounds.csv}"
    assert source["platemap"]["controls"] == [""]
    lines = (project / "conf/few/compounds.csv").read_text().splitlines()
    assert lines == [
        "compound_id,smiles,name,moa",
        "X1,CCO,,some inhibitor",
        "X2,CCN,,some inhibitor",
        "DMSO,CS(C)=O,DMSO,",
    ]


@pytest.mark.parametrize("is_named", [True, False])
def test_a_replaced_description_takes_its_compounds_with_it(project, raw, tmp_path, is_named):
    write_drawn_screen(tmp_path / "few", BRAY, wells=("A01", "B02", "C03"))
    new_screen("mine", tmp_path / "few", "--yes")
    compounds = project / "conf/mine/compounds.csv"
    if not is_named:  # then the table is of the user
        (project / "conf/mine/parameters.yml").write_text("{}")
    assert new_screen("mine", raw, "--yes", "--size", "999", "999", "--replace").exit_code == 2
    assert compounds.is_file(), "nothing is replaced"
    assert new_screen("mine", raw, "--yes", "--replace").exit_code == 0
    assert compounds.is_file() is not is_named
    assert new_screen("mine", tmp_path / "few", "--yes", "--replace").exit_code == 0
    assert compounds.is_file()


def test_several_folders_are_sources(project, tmp_path):
    write_drawn_screen(tmp_path / "phenix", JUMP, plates=("Q1",))
    write_load_data_screen(tmp_path / "tables", plates=1)
    done = new_screen("both", tmp_path / "phenix", tmp_path / "tables", "--yes")
    assert done.exit_code == 0, done.output
    sources = read(project, "both", "parameters")["ingestion"]["sources"]
    assert [source["name"] for source in sources] == ["phenix", "tables"]
    assert read(project, "both", "catalog")["raw_screen"]["filepath"] == str(tmp_path / "phenix")
    assert "folder" not in sources[0]
    assert sources[1]["folder"] == str(tmp_path / "tables")
    assert sources[0]["platemap"]["platemaps"] == "platemap.csv"
    assert sources[1]["platemap"]["barcodes"] == str(tmp_path / "tables/barcode_platemap.csv")
    assert f"Channels in {tmp_path / 'phenix'}: 1=Mito," in done.output


def test_files_that_cannot_be_read_as_tables_are_named(project, raw, tmp_path):
    folder = tmp_path / "screen"
    shutil.copytree(raw, folder)
    (folder / "plate 1.xlsx").write_bytes(b"PK")
    for number in range(12):
        (folder / f"log_{number:02d}.txt").write_bytes(b"\0\1\2")
    done = new_screen("mine", folder, "--yes")
    assert done.exit_code == 0, done.output
    assert f"! {folder}/log_00.txt cannot be read as a table: it is not text" in done.output
    assert "! 3 further files cannot be read as a table" in done.output
    (folder / "log_11.txt").unlink()
    (folder / "log_10.txt").unlink()
    (folder / "log_09.txt").unlink()
    done = new_screen("mine", folder, "--yes", "--replace")
    assert f"! {folder}/plate 1.xlsx is not a table" in done.output
    assert "further" not in done.output


def test_tables_elsewhere(project, raw, tmp_path):
    shutil.copytree(raw, tmp_path / "images")
    shutil.move(tmp_path / "images/platemap.csv", tmp_path / "map.csv")
    missing = new_screen("mine", tmp_path / "images", "--yes")
    assert missing.exit_code == 2
    assert "no table has the compounds of the wells" in missing.output
    assert "name the platemap, or its folder, by --tables" in missing.output
    assert not (project / "conf/mine").exists()
    assert new_screen("mine", tmp_path / "images", "--tables", tmp_path / "map.csv", "--yes").exit_code == 0
    (source,) = read(project, "mine", "parameters")["ingestion"]["sources"]
    assert source["platemap"]["platemaps"] == str(tmp_path / "map.csv")


@pytest.mark.parametrize("are_given", [True, False])
def test_folders_with_names_of_compounds_choose_the_platemap(project, tmp_path, are_given):
    """Also if the tables are the answer to a question."""
    wells, names = ("A01", "B02", "C03", "D04"), ("DMSO", "aspirin", "taxol", "caffeine")
    images, tables = tmp_path / "images", tmp_path / "tables"
    for well, name in zip(wells, names, strict=True):
        write_drawn_screen(images, JUMP, plates=(name,), wells=(well,))
    (images / "platemap.csv").unlink()
    tables.mkdir()
    for file, in_wells in (("a.csv", reversed(names)), ("b.csv", names)):
        rows = (f"{well},{name},{'C' * len(name)}" for well, name in zip(wells, in_wells, strict=True))
        (tables / file).write_text("well,compound,smiles\n" + "\n".join(rows))
    options = ("--tables", tables) if are_given else ()
    done = new_screen("mine", images, *options, answers="\n\n" + ("" if are_given else f"{tables}\n"))
    assert done.exit_code == 0, done.output
    (source,) = read(project, "mine", "parameters")["ingestion"]["sources"]
    assert source["platemap"]["platemaps"] == str(tables / "b.csv")


@pytest.mark.parametrize(
    ("extra", "problem"),
    [
        ("X1,CCCCCC\n", "compound X1 has two structures: CCO in"),
        ("X9\n\nX9,CCC\nX9,CCCC,5\n", "compounds.csv cannot be read as a table: line"),
    ],
    ids=["two structures", "malformed"],
)
def test_tables_that_cannot_be_used_are_named(project, raw, tmp_path, extra, problem):
    shutil.copytree(raw, tmp_path / "images")
    (tmp_path / "images/platemap.csv").write_text("well,compound\nA01,DMSO\nB02,X1\nC03,X2\nD04,X3\n")
    structures = "compound,smiles\n" + "X1,CCO\nX2,CCN\nX3,CCC\n" + extra
    (tmp_path / "images/compounds.csv").write_text(structures)
    done = new_screen("mine", tmp_path / "images", "--yes")
    assert done.exit_code == 2
    assert problem in " ".join(done.output.split())


def test_a_chosen_platemap_stays_when_structures_are_added(project, raw, tmp_path):
    shutil.copytree(raw, tmp_path / "images")
    wells, ids = ("A01", "B02", "C03", "D04"), ("DMSO", "X1", "X2", "X3")
    for file, in_wells in (("a.csv", reversed(ids)), ("b.csv", ids)):
        rows = (f"{well},{key}" for well, key in zip(wells, in_wells, strict=True))
        (tmp_path / "images" / file).write_text("well,compound\n" + "\n".join(rows))
    (tmp_path / "images/platemap.csv").unlink()
    structures = tmp_path / "structures.csv"
    structures.write_text("compound,name,smiles\nX1,a,CCO\nX2,b,CCN\nX3,c,CCC\n")
    done = new_screen("mine", tmp_path / "images", answers=f"\n2\n{structures}\n")
    assert done.exit_code == 0, done.output
    assert "  1: a.csv (6 wells with a compound, 2 control wells)\n  2: b.csv (6 wells" in done.output
    (source,) = read(project, "mine", "parameters")["ingestion"]["sources"]
    assert source["platemap"]["platemaps"] == "b.csv"


@pytest.mark.parametrize(
    ("values", "options", "threshold"),
    [(("1", "0"), (), None), (("3.5", "80"), (), "left out"), (("3.5", "80"), ("--threshold", "10"), 10)],
    ids=["labels", "numbers", "threshold"],
)
def test_a_long_table_of_labels(project, raw, tmp_path, values, options, threshold):
    rows = "".join(f"{smiles},hERG,{value}\n" for smiles, value in zip(("CCO", "CCN"), values, strict=True))
    (tmp_path / "assays.csv").write_text("smiles,assay,value\n" + rows)
    done = new_screen("mine", raw, "--tables", tmp_path / "assays.csv", "--yes", *options)
    assert done.exit_code == 0, done.output
    catalog, parameters = (read(project, "mine", file) for file in ("catalog", "parameters"))
    assert ("assay_labels" in catalog) == (threshold != "left out")
    if threshold == "left out":
        assert "the values of value are numbers, so the labels are left out" in done.output
    else:
        assert catalog["assay_labels"]["filepath"] == str(tmp_path / "assays.csv")
        assert parameters.get("labels", {}).get("table", {}).get("threshold") == threshold


@pytest.mark.parametrize(
    "command", ["new-screen mine . --threshold", "new-screen mine . --nucleus-diameter", "plan --rate"]
)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_options_are_finite_numbers(project, command, value):
    """NaN is on no side of any limit, so that a check of a range lets it pass."""
    assert "None" not in CliRunner().invoke(cli.cloome, [command.split()[0], "--help"], prog_name="cloome").output
    done = CliRunner().invoke(cli.cloome, [*command.split(), value], prog_name="cloome")
    assert done.exit_code == 2
    assert done.output.splitlines()[-1].startswith(f"Error: Invalid value for '{command.split()[-1]}': {value} is ")


def test_a_threshold_that_is_asked_for_is_a_finite_number(project, raw, tmp_path):
    (tmp_path / "assays.csv").write_text("smiles,assay,value\nCCO,hERG,3.5\nCCN,hERG,80\n")
    done = new_screen("mine", raw, "--tables", tmp_path / "assays.csv", answers="\nnan\n10\n")
    assert done.exit_code == 0, done.output
    assert "write a number or -" in done.output
    assert read(project, "mine", "parameters")["labels"]["table"]["threshold"] == 10


def test_a_description_is_replaced_only_on_request(project, raw):
    assert new_screen("mine", raw, "--yes").exit_code == 0
    again = new_screen("mine", raw, "--yes")
    assert again.exit_code == 2
    assert "conf/mine is already there" in again.output
    assert new_screen("mine", raw, "--yes", "--replace").exit_code == 0


@pytest.mark.parametrize(
    ("name", "what"),
    [("base", "conf/base belongs to the project"), ("a b", "'a b' is no name"), ("..", "is no name")],
)
def test_names_that_cannot_be(project, raw, name, what):
    done = new_screen(name, raw, "--yes")
    assert done.exit_code == 2
    assert what in done.output


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--column", "plate=Run"], "--column has no effect, because the folders have images: leave it out"),
        (["--platemap", "assays.csv"], "it needs a column of wells such as D08 and one of compounds"),
        (["--compounds", "assays.csv"], "it needs a column of ids or names of compounds, and one of SMILES"),
        (["--tables", "notes.csv"], "notes.csv"),
        (["--threshold", "10"], "--threshold has no effect, because no table of labels is found: leave it out"),
        (["--threshold", "10", "--tables", "matrix"], "labels.mtx are no measured numbers"),
        (["--size", "128", "129"], "the stored size 128 x 129 is larger than the images, 128 x 128 pixels"),
    ],
)
def test_options_that_cannot_be_used_are_refused(project, raw, options, problem):
    Path("assays.csv").write_text("assay_id,auc\n1,0.5\n")
    Path("notes.csv").write_bytes(b"\0\1\2" * 9)
    Path("matrix").mkdir()
    Path("matrix/labels.mtx").touch()
    Path("matrix/compounds.csv").write_text("INDEX,INCHIKEY\n0,LFQSCWFLJHTTHZ-UHFFFAOYSA-N\n")
    Path("matrix/assays.csv").write_text("ASSAY_ID\n1\n")
    done = new_screen("mine", raw, "--yes", *options)
    assert done.exit_code == 2
    assert problem in done.output
    assert not (project / "conf/mine").exists()


def test_a_title_is_no_reference_to_a_setting(project, raw):
    assert new_screen("mine", raw, "--yes", "--title", "Doses of ${x}").exit_code == 0
    parameters = OmegaConf.create(read(project, "mine", "parameters"))
    assert parameters["reporting"]["title"].startswith("Doses of ${x} (too few compounds")


def test_folders_that_cannot_be_described(project, tmp_path):
    empty, photos = tmp_path / "empty", tmp_path / "photos"
    empty.mkdir(), photos.mkdir()
    (photos / "photo.tif").write_bytes(b"")
    for folder, text in (
        (tmp_path / "nowhere", "there is no folder"),
        (empty, "there are neither images of a known layout nor tables of profiles"),
        (photos, "their names are those of no known layout, such as photo.tif"),
    ):
        done = new_screen("mine", folder, "--yes")
        assert done.exit_code == 2
        assert text in done.output
    assert not (project / "conf/mine").exists()


def test_real_fields(project, cloome_data):
    """Seven fields in folders of compounds, with the tables of two platemaps."""
    done = new_screen("jump", cloome_data / "jump_fields", "--tables", cloome_data / "metadata", "--yes")
    assert done.exit_code == 0, done.output
    (source,) = read(project, "jump", "parameters")["ingestion"]["sources"]
    assert source["plate"] == "jump_fields"
    assert Path(source["platemap"]["platemaps"]).name == "JUMP-Target-1_compound_platemap.tsv"
    assert "6 wells with a compound, 1 control well, 0 wells that cannot be used; 6 structures" in done.output


def test_tables_of_profiles(project, cloome_data, tmp_path):
    (tmp_path / "dcm/profiles").mkdir(parents=True)
    os.symlink(cloome_data / "profiles/dcm_pub.tsv", tmp_path / "dcm/profiles/dcm_pub.tsv")
    done = new_screen("dcm2", tmp_path / "dcm", "--column", "plate=Run", "--yes")
    assert done.exit_code == 0, done.output
    assert read(project, "dcm2", "globals")["images"] is False
    assert read(project, "dcm2", "parameters")["profile_tables"] == {
        "source": {"files": "profiles/dcm_pub.tsv"},
        "columns": {"plate": "Run", "well": "", "features": ["^Median_"]},
    }
    assert "2 plates, 0 control rows, 579 features, 549 structures" in done.output


@pytest.mark.slow
def test_from_a_folder_to_the_report(tmp_path, tmp_path_factory):
    """What a user types, on drawn cells of four compounds."""
    write_drawn_screen(tmp_path / "cells", BRAY, wells=("A01", "B02", "C03", "D04", "E05"), sites=2)
    project = Project(tmp_path_factory.mktemp("new_screen"))
    command = ["new-screen", "cells", str(tmp_path / "cells"), "--yes"]
    done = warm_python.run("cloome_kedro", *command, folder=project.folder, environment=dict(os.environ))
    assert done.returncode == 0, done.stdout + done.stderr
    one_process = ",".join(f"{group}.n_jobs=1" for group in ("ingestion", "profiles", "structure_features"))
    project.kedro("run", "--env", "cells", "--params", one_process)
    report = project.load("report", env="cells")
    assert "too few compounds: no claim about accuracy" in report
    assert project.load("rejected_fields", env="cells").empty
    assert project.load("fields", env="cells")["control"].sum() == 4
