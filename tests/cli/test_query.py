"""`cloome query`: its table, CSV, JSON and pictures, and mistakes as one line."""

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

pytest.importorskip("lancedb", reason="the extra `index` is not installed")
from cloome_kedro.cli import answers, cloome
from cloome_kedro.cli.images import read_images
from cloome_kedro.index import Index
from cloome_kedro.index.build import update
from invented_index import SIDE, build_small_index, images_of, random_content, small_content

pytestmark = pytest.mark.usefixtures("one_thread")
CHANNELS = ("Mito", "ER", "RNA", "AGP", "DNA")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_small_index(tmp_path_factory.mktemp("index"))


def query(folder, *arguments):
    return CliRunner().invoke(cloome, ["query", "--index", str(folder), "--device", "cpu", *map(str, arguments)])


def write_channels(folder: Path, images, template="P0_A01_s1_{}.tif") -> list[str]:
    """Write the five channels of a field as TIFF."""
    paths = [folder / template.format(channel) for channel in CHANNELS]
    for path, image in zip(paths, images, strict=True):
        tifffile.imwrite(path, image)
    return [str(path) for path in paths]


def test_a_table_with_what_the_answer_is_worth(folder):
    done = query(folder, "--compound", "urea", "--top", 3)
    assert done.exit_code == 0, done.output
    lines = done.output.splitlines()
    assert lines[0].split() == ["rank", "score", "worth", "field", "compound", "mechanism", "fold"]
    assert [line.split()[0] for line in lines[1:4]] == ["1", "2", "3"]
    assert "CLOOME of s, random split, simulated data: compound → image, 18 fields searched" in lines
    assert any("is in the screen, test fold: the model was not trained on it" in line for line in lines)
    assert lines[-1] == "the match is among the first 9 of 18 with 90 % (measured 88.9 %, 84–93)"


def test_other_models_are_named_if_none_was_chosen(folder, monkeypatch):
    """Those that embed the query, for the model of the study that is asked by default."""
    models = {
        "cloome": {"label": "CLOOME", "smiles": True, "images": True},
        "fusion": {"label": "Fusion", "smiles": True, "images": False},
        "table": {"label": "Table", "smiles": False, "images": True},
    }
    info = Index.open(folder).info | {"models": models}
    monkeypatch.setattr(Index, "open", lambda path: Index(Path(path), info))
    monkeypatch.setattr("cloome_kedro.cli.options.find_index", lambda *_: folder)

    def last_line(*arguments):
        done = CliRunner().invoke(cloome, ["query", "--device", "cpu", "--top", "1", *arguments])
        assert done.exit_code == 0, done.output
        return done.output.splitlines()[-1]

    start = "other models of the study answer, too: "
    assert last_line("--smiles", "CCO") == f"{start}Fusion (--model fusion)"
    assert last_line("--compound", "urea") == f"{start}Fusion (--model fusion), Table (--model table)"
    assert not last_line("--smiles", "CCO", "--model", "cloome").startswith(start)
    assert not query(folder, "--smiles", "CCO").output.splitlines()[-1].startswith(start)
    as_csv = CliRunner().invoke(cloome, ["query", "--device", "cpu", "--smiles", "CCO", "--format", "csv"])
    assert start not in as_csv.stdout
    assert start in as_csv.stderr


def test_csv_and_json_have_all_columns(folder):
    done = query(folder, "--compound", "urea", "--format", "csv", "--top", 4)
    table = pd.read_csv(io.StringIO(done.stdout))
    assert table["rank"].tolist() == [1, 2, 3, 4]
    assert {"score", "worth", "field_id", "inchikey", "moa", "fold", "control"} <= set(table)
    assert "the match is among" in done.stderr
    done = query(folder, "--compound", "urea", "--format", "json", "--top", 4)
    answer = json.loads(done.stdout)
    assert answer["hits"][0]["field_id"] == table["field_id"][0]
    assert answer["direction"] == "compound → image"
    assert answer["sets"][0]["first"] == 9
    assert answer["queries"][0]["trained"] is False
    assert answer["model"]["simulated"] is True


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (["--smiles", "CCO"], "fields"),
        (["--smiles", "CCO", "--for", "compounds"], "compounds"),
        (["--field", "s/P0/A01/1"], "compounds"),
        (["--field", "s/P0/A01/1", "--for", "wells"], "wells"),
        (["--compound", "urea"], "fields"),
    ],
)
def test_structures_find_fields_and_images_compounds(folder, arguments, kind):
    done = query(folder, *arguments, "--format", "json", "--top", 2)
    assert json.loads(done.stdout)["searched"] == kind


def test_image_files_in_any_form_give_one_answer(folder, tmp_path):
    image = images_of(["s/P0/A03/1"])[0]
    paths = write_channels(tmp_path, image)
    np.save(tmp_path / "field.npy", image)
    np.save(tmp_path / "fields.npy", image[None])
    plain = write_channels(tmp_path, image, "a{}x.tif".replace("{}", "{0}"))
    forms = [
        [*paths[::-1]],  # names say the channels
        [f"{channel}={path}" for channel, path in zip(CHANNELS, plain, strict=True)],
    ]
    found = []
    for files in forms:
        done = query(folder, "--image", *files, "--plate", "P0", "--top", 8, "--format", "json")
        assert done.exit_code == 0, done.output
        found.append([(hit["inchikey"], round(hit["score"], 5)) for hit in json.loads(done.stdout)["hits"]])
    assert found[0] == found[1]
    for name in ("field.npy", "fields.npy"):
        done = query(
            folder, "--image", tmp_path / name, "--plate", "P0", "--top", 1, "--for", "fields", "--format", "json"
        )
        (hit,) = json.loads(done.stdout)["hits"]
        assert hit["field_id"] == "s/P0/A03/1"
        assert hit["score"] == pytest.approx(1, abs=1e-5)


def test_pictures_are_written(folder, tmp_path):
    for name, kind in (("a.png", "fields"), ("b.png", "compounds"), ("c.html", "wells")):
        done = query(folder, "--smiles", "CCO", "--for", kind, "--gallery", tmp_path / name, "--top", 6)
        assert done.exit_code == 0, done.output
        assert done.output.splitlines()[-1] == f"pictures: {tmp_path / name}"
    assert (tmp_path / "a.png").read_bytes()[:4] == b"\x89PNG"
    page = (tmp_path / "c.html").read_text()
    assert page.count("data:image/png;base64,") == 7  # six hits and the query
    assert "http" not in page


def test_an_approximate_search_is_said(tmp_path):
    content = random_content(64, 8, exact_below=32, probes=2)
    content.info.update(small_content().info | {"weights": "w"})
    content.compounds["compound"] = [f"c{i}" for i in range(8)]
    update(tmp_path, content)
    done = query(tmp_path, "--compound", "c1")
    assert "the search is approximate: it finds " in done.output
    assert "worth" not in done.output  # there are no ranks


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give exactly one of --smiles, --image, --field and --compound"),
        (["--smiles", "CCO", "--compound", "urea"], "give exactly one of"),
        (["--smiles", "CC("], "the SMILES 'CC(' cannot be embedded: not a SMILES"),
        (["--compound", "urae"], "the index has no compound 'urae'; the nearest are: urea"),
        (["--field", "s/P0/A01/9"], "the index has no field 's/P0/A01/9'; the nearest are: s/P0/A01/1"),
        (["--compound", "urea", "--where", "mao = 1"], "The columns of fields are: field_id"),
        (["--compound", "urea", "--plate", "P0"], "--plate is for images"),
        (["--compound", "urea", "--gallery", "a.pdf"], "the name must end with .png or .html"),
        (["--compound", "urea", "--split", "random"], "--index names one index: leave out --split"),
        (["--image", "a.tif", "b.tif"], "there is no file a.tif"),
        (["--smiles", "CCO", "--device", "abacus"], "the device abacus cannot be used"),
    ],
)
def test_a_mistake_is_one_line_and_status_2(folder, arguments, message):
    done = query(folder, *arguments)
    assert done.exit_code == 2
    assert message in done.stderr
    assert done.stderr.startswith("Error: ")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 9, 9), np.uint8), "one file must have all five channels"),
        (np.zeros((5, 9, 9), np.float32), "images must be uint8 or uint16"),
        (np.full((5, 64, 64), 60_000, np.uint16), "another order of magnitude"),
    ],
)
def test_bad_image_files_are_refused(folder, tmp_path, image, message):
    np.save(tmp_path / "a.npy", image)
    done = query(folder, "--image", tmp_path / "a.npy", "--plate", "P0")
    assert done.exit_code == 2
    assert message in done.stderr


def test_two_files_are_not_a_field(tmp_path):
    paths = write_channels(tmp_path, np.zeros((5, SIDE, SIDE), np.uint8))
    with pytest.raises(ValueError, match="2 files are given; a field needs one each for Mito"):
        read_images(paths[:2])
    with pytest.raises(ValueError, match="name the channel of each file"):
        read_images([f"DNA={paths[0]}", *paths[1:]])
    (tmp_path / "a.npy").write_bytes(b"no array")
    with pytest.raises(ValueError, match="is no array"):
        read_images([str(tmp_path / "a.npy")])


def test_files_whose_names_say_nothing_are_in_the_order_of_channels(tmp_path):
    for name in "12345":
        (tmp_path / f"{name}.tif").touch()
    paths = [str(tmp_path / f"{name}.tif") for name in "12345"]
    assert read_images(paths) == ([paths], "1.tif")


def test_an_index_that_is_none_is_refused(tmp_path):
    done = query(tmp_path, "--compound", "urea")
    assert (done.exit_code, done.stderr) == (2, f"Error: {tmp_path} is not an index: it has no index.json\n")


def test_lines_are_cut_at_the_width_of_the_terminal(folder):
    from cloome_kedro.asking import Asker

    answer = Asker.open(folder).by_compound("urea", kind="compounds")
    assert max(map(len, answers.table_lines(answer, width=60))) == 60
    assert max(map(len, answers.table_lines(answer, width=400))) < 400
    empty = Asker.open(folder).by_compound("urea", where="moa = 'none'")
    assert answers.table_lines(empty) == ["no row fulfils the condition"]
