"""`cloome embed`, `cloome score` and `cloome export`: many structures and fields, resumed after a stop."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile
from click.testing import CliRunner

pytest.importorskip("lancedb", reason="the extra `index` is not installed")
from cloome_kedro.cli import cloome, structures
from cloome_kedro.cli.chunks import Chunks, vectors_of
from cloome_kedro.index.build import update
from invented_index import SMILES, build_small_index, small_content, small_model

pytestmark = pytest.mark.usefixtures("one_thread")
CHANNELS = ("Mito", "ER", "RNA", "AGP", "DNA")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return build_small_index(tmp_path_factory.mktemp("index"))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "in.csv"
    rows = [*SMILES.items(), ("bad", "CC("), ("empty", ""), ("again", "OCC"), ("new", "CCN")]
    pd.DataFrame(rows, columns=["name", "SMILES"]).to_csv(path, index=False)
    return path


def call(command, folder, *arguments):
    return CliRunner().invoke(cloome, [command, "--index", str(folder), *map(str, arguments)])


def test_structures_are_embedded_with_their_rejected_rows(folder, file, tmp_path):
    out = tmp_path / "out.parquet"
    done = call("embed", folder, "--smiles-file", file, "--out", out, "--device", "cpu")
    assert done.exit_code == 0, done.output
    table = pd.read_parquet(out)
    assert table["name"].tolist() == [*SMILES, "again", "new"]
    np.testing.assert_allclose(vectors_of(table)[:8], small_model().embed_structures(SMILES.values()), atol=1e-6)
    np.testing.assert_array_equal(vectors_of(table)[0], vectors_of(table)[8])  # ethanol twice
    assert table["in_screen"].tolist()[6:9] == ["test", "test", "train"]
    assert pd.isna(table["in_screen"].iloc[9])
    rejected = pd.read_csv(tmp_path / "out.rejected.csv")
    assert rejected["row"].tolist() == [9, 10]
    assert rejected["reason"].tolist() == ["not a SMILES", "no SMILES"]
    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.parquet", "out.rejected.csv"}


def test_an_interrupted_embedding_continues(folder, file, tmp_path, monkeypatch):
    monkeypatch.setattr(structures, "CHUNK", 3)
    embed, calls = structures._embed, []

    def stop_at_the_third(asker, rows):
        calls.append(rows["row"].iloc[0])
        if len(calls) == 3:
            raise KeyboardInterrupt
        return embed(asker, rows)

    monkeypatch.setattr(structures, "_embed", stop_at_the_third)
    arguments = (folder, "--smiles-file", file, "--device", "cpu", "--out")
    assert call("embed", *arguments, tmp_path / "out.parquet").exit_code != 0
    assert not (tmp_path / "out.parquet").exists()
    assert call("embed", *arguments, tmp_path / "out.parquet").exit_code == 0
    assert calls == [1, 4, 7, 7, 10]
    monkeypatch.setattr(structures, "CHUNK", 5000)
    assert call("embed", *arguments, tmp_path / "whole.parquet").exit_code == 0
    parts, whole = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("out", "whole"))
    pd.testing.assert_frame_equal(parts, whole, rtol=1e-5)


def test_parts_of_another_content_are_computed_again(tmp_path):
    def compute(number):
        calls.append(number)
        return pd.DataFrame({"a": [number]}), pd.DataFrame({"reason": []})

    calls = []
    for content, there in (("x", 0), ("x", 2), ("y", 0)):
        assert Chunks(tmp_path / "o.parquet", content).run([1, 1], "rows", compute) == there
    assert calls == [0, 1, 0, 1]


def test_structures_are_ranked_by_their_similarity_to_wells(folder, file, tmp_path):
    where = "moa LIKE '%COX%' AND fold = 'train'"
    done = call(
        "score", folder, "--smiles-file", file, "--against", where, "--out", tmp_path / "o.csv", "--device", "cpu"
    )
    assert done.exit_code == 0, done.output
    assert "10 structures, ranked by similarity to 2 wells" in done.output
    table = pd.read_csv(tmp_path / "o.csv")
    content = small_content()
    mean = content.field_vectors[content.fields["compound"] == "aspirin"].mean(axis=0)
    mean /= np.linalg.norm(mean)
    scores = pd.Series(small_model().embed_structures(SMILES.values()) @ mean, index=list(SMILES))
    known = table[table["name"].isin(SMILES)].set_index("name")["score"]
    np.testing.assert_allclose(known[list(SMILES)], scores, atol=1e-5)
    assert table["rank"].tolist() == list(range(1, 11))
    assert (table["score"].diff().dropna() <= 0).all()


def test_one_well_is_enough_and_the_top_can_be_cut(folder, file, tmp_path):
    out = tmp_path / "o.parquet"
    done = call("score", folder, "--smiles-file", file, "--against", "s/P0/A03", "--out", out, "--top", 2)
    assert "2 structures, ranked by similarity to 1 well" in done.output
    assert len(pd.read_parquet(out)) == 2


@pytest.mark.parametrize("suffix", ["csv", "tsv", "smi", "parquet"])
def test_files_of_structures_can_have_several_forms(tmp_path, suffix):
    path = tmp_path / f"in.{suffix}"
    table = pd.DataFrame({"ID": ["a 1", "b"], "Smiles": ["CCO", "CCN"]})
    if suffix == "parquet":
        table.to_parquet(path)
    elif suffix == "smi":
        path.write_text("CCO a 1\n\nCCN\tb\n")
    else:
        table.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    read = structures.read_structures(path)
    assert read.to_dict("list") == {"row": [1, 2], "name": ["a 1", "b"], "smiles": ["CCO", "CCN"]}


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("embed", ["--out", "o.parquet"], "give either --smiles-file or --plates"),
        ("embed", ["--smiles-file", "{file}", "--out", "o.csv"], "the name must end with .parquet"),
        ("embed", ["--smiles-file", "none.csv", "--out", "o.parquet"], "there is no file none.csv"),
        (
            "embed",
            ["--smiles-file", "{file}", "--smiles-column", "x", "--out", "o.parquet"],
            "has no column x: its columns",
        ),
        ("embed", ["--plates", "nowhere", "--out", "o.parquet"], "there is no folder nowhere"),
        ("embed", ["--plates", "{folder}", "--out", "o.parquet"], "has no images of a known layout"),
        ("score", ["--smiles-file", "{file}", "--against", "s/P0/Z99", "--out", "o.csv"], "no well 's/P0/Z99'"),
        ("score", ["--smiles-file", "{file}", "--against", "moa = 'x'", "--out", "o.csv"], "no well fulfils"),
        ("score", ["--smiles-file", "{file}", "--against", "mao = 'x'", "--out", "o.csv"], "The columns of wells are"),
        (
            "score",
            ["--smiles-file", "{file}", "--against", "control", "--out", "o.txt"],
            "must end with .csv or .parquet",
        ),
        ("export", ["--out", "o", "--where", "x ="], "cannot be used"),
    ],
)
def test_mistakes_are_one_line(folder, file, tmp_path, monkeypatch, command, arguments, message):
    monkeypatch.chdir(tmp_path)
    given = [argument.format(file=file, folder=tmp_path) for argument in arguments]
    done = call(command, folder, *given)
    assert done.exit_code == 2, done.output
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_model_without_structures_is_refused_before_the_file_is_read(tmp_path, file):
    update(tmp_path / "i", small_content(info={"label": "Ridge", "accepts": {"smiles": False, "images": False}}))
    done = call("embed", tmp_path / "i", "--smiles-file", file, "--out", tmp_path / "o.parquet")
    assert "the model Ridge cannot embed new structures: ask CLOOME (model cloome)" in done.stderr


def test_an_index_is_exported_by_key(folder, tmp_path):
    done = call("export", folder, "--out", tmp_path)
    assert done.exit_code == 0, done.output
    content = small_content()
    for kind, key, n in (("fields", "field_id", 18), ("wells", "well_id", 18), ("compounds", "inchikey", 8)):
        table = pd.read_parquet(tmp_path / f"{kind}.parquet").set_index(key)
        rows, vectors = content.rows()[kind]
        assert len(table) == n
        np.testing.assert_allclose(vectors_of(table.loc[rows[key]]), vectors, atol=1e-6)
    call("export", folder, "--out", tmp_path / "part", "--for", "fields", "--where", "fold = 'test'")
    assert set(pd.read_parquet(tmp_path / "part" / "fields.parquet")["fold"]) == {"test"}
    assert [path.name for path in (tmp_path / "part").iterdir()] == ["fields.parquet"]


def test_an_index_is_exported_as_anndata(folder, tmp_path):
    anndata = pytest.importorskip("anndata")
    done = call("export", folder, "--out", tmp_path, "--for", "fields", "--format", "anndata")
    assert done.exit_code == 0, done.output
    data = anndata.read_h5ad(tmp_path / "fields.h5ad")
    rows, vectors = small_content().rows()["fields"]
    np.testing.assert_allclose(np.asarray(data[rows["field_id"].tolist()].X), vectors, atol=1e-6)
    assert data.obs.loc["s/P0/A03/1", "compound"] == "aspirin"
    assert bool(data.obs.loc["s/P0/A09/1", "control"])


# ---- folders of new plates


@pytest.fixture
def plate(tmp_path):
    """A folder with the LoadData table of a plate: four fields of noise and one unreadable field."""
    folder, rows = tmp_path / "plate", []
    folder.mkdir()
    for number, well in enumerate(("A01", "A02", "A03", "A04", "A05")):
        row = {"Metadata_Plate": "N1", "Metadata_Well": well, "Metadata_Site": 1}
        image = np.random.default_rng(number).integers(0, 900, (5, 64, 64)).astype(np.uint16)
        for channel, plane in zip(CHANNELS, image, strict=True):
            name = f"{well}_{channel}.tif"
            tifffile.imwrite(folder / name, plane)
            row |= {f"FileName_Orig{channel}": name, f"PathName_Orig{channel}": ""}
        rows.append(row)
    (folder / "A05_DNA.tif").write_bytes(b"damaged")
    pd.DataFrame(rows).to_csv(folder / "load_data.csv", index=False)
    return folder


def test_new_plates_are_embedded_as_in_training(folder, plate, tmp_path):
    out = tmp_path / "out.parquet"
    arguments = ("--controls", "a01,A02", "--minimum-control-wells", 2, "--jobs", 1, "--device", "cpu")
    done = call("embed", folder, "--plates", plate, "--out", out, *arguments)
    assert done.exit_code == 0, done.output
    table = pd.read_parquet(out)
    assert table["field_id"].tolist() == [f"new/N1/A0{i}/1" for i in range(1, 5)]
    files = [[str(plate / f"A0{i}_{channel}.tif") for channel in CHANNELS] for i in range(1, 5)]
    expected = small_model().embed_fields(files, plate_fields=files, controls=files[:2], progress=False)
    np.testing.assert_allclose(vectors_of(table), expected, atol=1e-5)
    rejected = pd.read_csv(tmp_path / "out.rejected.csv")
    assert rejected["field_id"].tolist() == ["new/N1/A05/1"]
    assert not (tmp_path / ".out.parquet.parts").exists()


def test_one_plate_in_two_folders_is_refused(folder, plate, tmp_path):
    shutil.copytree(plate, tmp_path / "copy")
    done = call("embed", folder, "--plates", plate, tmp_path / "copy", "--out", tmp_path / "o.parquet")
    assert done.exit_code == 2
    assert "the field new/N1/A01/1 is in two of the folders" in done.stderr
