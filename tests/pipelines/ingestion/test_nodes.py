"""The nodes on whole screens: tiny ones, and the real fields in CLOOME_DATA."""

import logging

import numpy as np
import pytest
from kedro.validation.type_extractor import TypeExtractor
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.datasets.tables import Table
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.readers import read_image
from cloome_kedro.imaging.store import PlateStore
from cloome_kedro.parameters import IngestionParameters
from cloome_kedro.pipelines.ingestion import create_pipeline
from cloome_kedro.pipelines.ingestion.nodes import index_fields
from cloome_kedro.words import MISSING
from planted_examples import run_pipeline
from small_screens import edit_csv, write_load_data_screen, write_opera_screen

TABLES = {
    "field_index": schemas.field_index,
    "compound_table": schemas.compound_table,
    "rejected_index": schemas.rejected_fields,
    "fields": schemas.fields,
    "rejected_fields": schemas.rejected_fields,
    "plate_statistics": schemas.plate_statistics,
}


def run(folder, store, sources, minimum_control_wells=4, **storage):
    """Run the pipeline; give its tables, validated as the catalog does."""
    parameters = IngestionParameters(
        screen="mine", sources=sources, storage=storage, minimum_control_wells=minimum_control_wells, n_jobs=1
    )
    inputs = {"raw_screen": folder, "plate_store": store, "params:ingestion": parameters}
    datasets = {name: Table(filepath=str(store.folder.with_name(f"{name}.parquet"))) for name in TABLES}
    found = run_pipeline(create_pipeline(), inputs, **datasets)
    return {name: schema.validate(found[name]) for name, schema in TABLES.items()}


@pytest.fixture
def store(tmp_path):
    (tmp_path / "plates").mkdir()
    return PlateStore(tmp_path / "plates")


def test_a_screen_of_two_layouts(tmp_path, store):
    sources = [write_load_data_screen(tmp_path), write_opera_screen(tmp_path, suffix=".png", bit_depth=8)]
    (tmp_path / "images/P1/B01_s1_ER.tiff").unlink()
    tables = run(tmp_path, store, sources, size=(12, 16))
    fields = tables["fields"]
    assert fields.groupby("plate").size().to_dict() == {"P1": 7, "P2": 8, "Q1": 4}
    assert tables["rejected_fields"]["field_id"].tolist() == ["mine/P1/B01/1"]
    assert set(fields["compound_id"].dropna()) == {"C1", "C2", "C3", "X0", "X1"}
    assert set(tables["compound_table"]["compound_id"]) == {"C1", "C2", "C3", "X0"}
    assert store.reader(list(fields["plate_file"]), fields["row"]).shape == (5, 12, 16)
    storage = store.storage(fields["plate_file"])
    assert storage == {
        "channels": list(CHANNELS),
        "intensity": {"outlier_percent": 0.0028, "scale": 256},
        "scope": "field",
        "crop": None,
        "size": [12, 16],
    }


def test_statistics_of_plates_are_those_of_their_controls(tmp_path, store):
    """The first of four wells is DMSO, with two fields."""
    tables = run(tmp_path, store, [write_load_data_screen(tmp_path)], minimum_control_wells=1)
    statistics, fields = tables["plate_statistics"], tables["fields"]
    facts = statistics[["plate_file", "channel", "wells", "fields", "basis"]].to_numpy().tolist()
    assert facts == [[plate, channel, 1, 2, "controls"] for plate in ("P1", "P2") for channel in CHANNELS]
    controls = fields[fields["control"] & (fields["plate"] == "P2")]
    pixels = store.reader(list(controls["plate_file"]), controls["row"])(np.arange(2)).astype(float)
    mean = np.median(pixels.mean((2, 3)), axis=0)
    moments = ((pixels - mean[:, None, None]) ** 2).mean((2, 3))
    of_plate = statistics[statistics["plate_file"] == "P2"]
    np.testing.assert_allclose(of_plate["mean"], mean)
    np.testing.assert_allclose(of_plate["std"], np.sqrt(np.median(moments, axis=0)))


def respell(folder, spelling):
    """A screen whose table of compounds has the first compound, ethanol, a second time."""
    source = write_load_data_screen(folder)
    with (folder / "compounds.csv").open("a") as table:
        table.write(f'C1,"{spelling}",ethanol,\n')
    return source


@pytest.mark.parametrize("spelling", ["OCC", "C(C)O", "[CH3][CH2][OH]", "InChI=1S/C2H6O/c1-2-3/h3H,2H2,1H3", "CCO.O"])
def test_spellings_of_one_structure_are_one(tmp_path, store, spelling):
    found = run(tmp_path, store, [respell(tmp_path, spelling)])["compound_table"].set_index("compound_id")
    assert found["smiles"]["C1"] == "CCO", "the first one"


def test_two_structures_of_one_id_stop_the_run(tmp_path, store):
    with pytest.raises(ValueError, match=r"compound C1 has two structures: CCO in .*compounds\.csv and CCN in"):
        run(tmp_path, store, [respell(tmp_path, "CCN")])


def test_bad_rows_of_tables_are_rejected_fields(tmp_path, store, caplog):
    caplog.set_level(logging.INFO)
    source = write_load_data_screen(tmp_path, wells=8, sites=3)

    def edit(rows):
        rows.loc[23, "Metadata_Site"] = "three"
        return rows

    edit_csv(tmp_path / "load_data_csv/P1/load_data.csv", edit)
    (tmp_path / "images/P2/B01_s1_ER.tiff").write_text("hello")
    tables = run(tmp_path, store, [source])
    assert len(tables["fields"]) == 46
    rejected = tables["rejected_fields"]
    assert rejected["field_id"].tolist() == ["mine/P1/H01/three", "mine/P2/B01/1"]
    assert rejected["stage"].tolist() == ["index", "image"]
    assert rejected["site"].fillna(-1).tolist() == [-1, 1]
    assert "line 25: Metadata_Site 'three' is not a whole number" in rejected["reason"][0]
    assert "index: 47 fields of 2 plates, 6 of them in control wells; 1 fields are rejected" in caplog.text


def test_an_index_of_mostly_bad_fields_stops_before_work(tmp_path, store):
    source = write_load_data_screen(tmp_path)
    for path in (tmp_path / "images/P1").glob("*_ER.tiff"):
        path.unlink()
    with pytest.raises(ValueError, match="8 of 16 fields were rejected"):
        run(tmp_path, store, [source])
    assert not list(store.folder.iterdir())


def test_misspelt_parameters_are_named():
    with pytest.raises(ValidationError, match="concentration_unit"):
        IngestionParameters(
            screen="s",
            sources=[{"name": "a", "layout": "x", "platemap": {"platemaps": "m.csv", "concentration_unit": "mmol"}}],
            storage={},
        )


def test_words_for_a_missing_value():
    def words(*missing):
        sources = [{"name": "a", "layout": "x", "platemap": {"platemaps": "m.csv"}}]
        return IngestionParameters(screen="s", sources=sources, storage={}, missing=list(missing)).missing

    assert words("NA", -666, 1.5, None) == ("NA", "-666", "1.5", "")
    sources = [{"name": "a", "layout": "x", "platemap": {"platemaps": "m.csv"}}]
    assert IngestionParameters(screen="s", sources=sources, storage={}).missing == MISSING


def test_the_words_reach_the_tables(tmp_path, store):
    source = write_load_data_screen(tmp_path, plates=1)
    path = tmp_path / "compounds.csv"
    path.write_text(path.read_text().replace("some inhibitor", "todo", 1))
    parameters = IngestionParameters(screen="mine", sources=[source], storage={}, missing=["todo"])
    _, compounds, _ = index_fields(tmp_path, parameters)
    assert compounds["moa"].isna().tolist() == [True, False, False]


def test_wiring():
    pipeline = create_pipeline()
    assert pipeline.inputs() == {"raw_screen", "plate_store", "params:ingestion"}
    assert pipeline.outputs() == {"compound_table", "plate_statistics", "rejected_fields"}
    names = ("index_fields", "ingest_plates", "measure_controls")
    assert [node.name for node in pipeline.nodes] == [f"ingestion.{name}" for name in names]
    found = TypeExtractor({"ingestion": pipeline}).extract_types_from_pipelines()
    assert found == {"ingestion": IngestionParameters}


# ---- real data

JUMP = {
    "name": "jump",
    "layout": "opera_phenix",
    "folder": "jump_fields",
    "channels": {"1": "Mito", "2": "AGP", "3": "RNA", "4": "ER", "5": "DNA"},
    "bit_depth": 16,
    "plate": "BR00117010-13",
    "platemap": {
        "platemaps": "metadata/JUMP-Target-1_compound_platemap.tsv",
        "compounds": "metadata/JUMP-Target-1_compound_metadata.tsv",
    },
}
LINCS = {
    "name": "lincs",
    "layout": "opera_phenix",
    "folder": "lincs_fields",
    "channels": {"1": "DNA", "2": "ER", "3": "RNA", "4": "AGP", "5": "Mito"},
    "bit_depth": 8,
}
LINCS_PLATEMAP = """well_position,broad_sample,smiles,pert_iname
A01,DMSO,,
J18,DMSO,,
A13,BRD-K55966568,Cc1[nH]c(\\C=C2/C(=O)Nc3ccccc23)c(C)c1CCC(O)=O,orantinib
P13,BRD-K41599323,NC(=O)N1CCC(CC(=O)N2CCC(CC2)[C@H]2c3ncc(Br)cc3CCc3cc(Cl)cc(Br)c23)CC1,lonafarnib
"""


def test_real_fields_of_two_microscopes(cloome_data, tmp_path, store, caplog):
    caplog.set_level(logging.INFO)
    platemap = tmp_path / "lincs.csv"
    platemap.write_text(LINCS_PLATEMAP)
    sources = [JUMP, {**LINCS, "platemap": {"platemaps": str(platemap)}}]
    tables = run(cloome_data, store, sources, size=(270, 270))
    fields = tables["fields"]
    assert tables["rejected_fields"].empty
    assert fields.groupby("plate").size().to_dict() == {"BR00117010-13": 7, "SQ00015198": 8, "SQ00015230": 8}

    # the folder of a JUMP field is its compound's name: an independent check of the join by well
    index = tables["field_index"].merge(tables["compound_table"], on="compound_id", how="left")
    jump = index[(index["source"] == "jump") & ~index["control"]]
    assert len(jump) == 6
    assert (jump["path_DNA"].str.split("/").str[-2] == jump["name"]).all()
    assert index.loc[index["path_DNA"].str.contains("/DMSO/"), "control"].all()
    lincs = index[index["source"] == "lincs"]
    assert lincs.groupby("well")["control"].unique().map(list).to_dict() == {
        "A01": [True],
        "A13": [False],
        "J18": [True],
        "P13": [False],
    }

    stored = store.reader(list(fields["plate_file"]), fields["row"])(np.arange(len(fields)))
    assert stored.shape == (23, 5, 270, 270)
    paths = tables["field_index"].set_index("field_id")
    for i in (0, len(fields) - 1):
        row = fields.loc[i]
        for c, channel in enumerate(CHANNELS):
            raw = read_image(paths.loc[row["field_id"], f"path_{channel}"])
            if raw.dtype == np.uint16:
                t = np.sort(raw, axis=None)[-33]  # 0.0028 % of 1080 x 1080
                assert row[f"threshold_{channel}"] == t
                raw = np.trunc(np.minimum(raw * 256.0 / t, 255))
            np.testing.assert_array_equal(stored[i, c], np.rint(raw.reshape(270, 4, 270, 4).mean((1, 3))))
    assert "3 to ingest" in caplog.text


def test_real_fields_of_the_wrong_bit_depth_say_so(cloome_data, store):
    platemap = {"platemaps": "metadata/JUMP-Target-1_compound_platemap.tsv"}
    with pytest.raises(
        ValueError, match=r"no column smiles, pert_iname; .* Set `platemap.smiles_column` and `platemap.name_column`"
    ):
        run(cloome_data, store, [{**JUMP, "platemap": platemap}])
    with pytest.raises(ValueError, match=r"7 of 7 fields.*\n.*uint16, but bit_depth 8 needs uint8"):
        run(cloome_data, store, [{**JUMP, "bit_depth": 8}])
