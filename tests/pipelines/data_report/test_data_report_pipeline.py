"""The data report: a run of the pipeline in memory, on screens of several kinds, and in the study."""

import shutil

import numpy as np
import pandas as pd
import pytest
import tifffile

from cloome_kedro import schemas
from cloome_kedro.evaluation.methods import Embeddings
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.illumination.plate import ESTIMATED, TOO_FEW, Corrector, PlateIllumination, keep
from cloome_kedro.parameters import CorrectionParameters, DataReportParameters, StudyParameters
from data_report_run import data_of, run_data_report
from hostile import ALL, hostile_study
from project import Project
from report_run import Balanced, cells
from synthetic_study import MODELS, STUDY, Store, make_study


@pytest.fixture(scope="module")
def catalog():
    study = make_study()
    fields = study["fields"]
    embedded = Embeddings(fields["field_id"].to_numpy(), study["plate_store"].reader(
        fields["plate_file"].tolist(), fields["row"].to_numpy())(range(len(fields))).reshape(len(fields), -1)
        .astype("float32"))  # fmt: skip
    return run_data_report(data_of(study) | {"random.cloome.embedded_fields": embedded})


def test_the_page_is_whole_and_says_that_data_are_simulated(catalog):
    page = catalog["data_report"].load()
    Balanced(page)
    assert "SIMULATED DATA." in page
    assert "<title>Data of the screen made_up (simulated data)</title>" in page
    for name in ("screen", "plates", "positions", "controls", "fields", "compounds", "labels", "replicates"):
        assert f'<section id="{name}">' in page
        assert f'href="#{name}"' in page
    assert page.count("<img") == page.count(' alt="') == 9
    assert 'src="figure:' not in page
    assert 'href="../../../docs/how-to/data_report.md"' in page, "the page is two folders above the study's report"


def test_every_table_has_its_schema(catalog):
    for name in ("well_quality", "position_effects", "average_precision", "average_precision_groups"):
        schemas_of = getattr(schemas, name)
        assert len(schemas_of.validate(catalog[name].load())), name


def test_profiles_and_embeddings_are_measured(catalog):
    pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")
    table = catalog["average_precision"].load().set_index(["method", "matches"])
    assert set(table.index) == {(m, k) for m in ("Profiles", "CLOOME") for k in ("replicates", "mechanisms")}
    assert table["n"].to_dict()[("Profiles", "replicates")] == 56
    noise = table.loc[("Profiles", "replicates")]
    assert noise["low"] < noise["chance"] + 0.1, "the profiles are noise"
    rows = cells(catalog["data_report"].load())
    assert [row[:2] for row in rows if row[:1] == ["CLOOME"]] == [["CLOOME", "replicates"], ["CLOOME", "mechanisms"]]


def test_a_screen_without_controls_and_replicates_says_what_cannot_be_measured():
    pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")
    study = data_of(make_study())
    study["fields"] = study["fields"].assign(control=False)
    study["compounds"] = study["compounds"].assign(moa=None)
    page = run_data_report(study)["data_report"].load()
    Balanced(page)
    assert "Not measured, because nothing can be compared." in page
    assert "Mean average precision" not in page
    assert "Fields of each plate, drawn at random" in page
    assert "standard deviations of plates. Too few plates to call one unusual." in page


class CorrectedStore(Store):
    """Plates whose illumination functions are kept in a folder."""

    def __init__(self, folder, bases):
        super().__init__()
        self.folder = folder
        for plate_file, basis in bases.items():
            write_kept(self.illumination(plate_file), basis)

    def illumination(self, plate_file):
        return self.folder / f"{plate_file}.npz"


def write_kept(path, basis, fields=25):
    """Write what ingestion keeps of a plate whose corners have half of the light."""
    light = 1 - 0.5 * np.hypot(*np.mgrid[-1:1:32j, -1:1:32j]).clip(0, 1)
    functions = np.repeat((light / light.min())[None], 5, axis=0).astype(np.float32)
    used = tuple(f"f{i}" for i in range(fields)) if basis == ESTIMATED else ()
    index = pd.DataFrame({"field_id": [f"f{i}" for i in range(fields)], "plate": "P", "bit_depth": 16})
    made = PlateIllumination(np.ones_like(functions) if basis == TOO_FEW else functions, basis, used)
    corrector = Corrector(made, index, (32, 32))
    for number, name in enumerate(index["field_id"]):
        corrector(name, np.rint(functions * (500 + 20 * number)).astype(np.uint16), measure=True)
    keep(path, corrector, "digest")


def test_an_uncorrected_screen_has_no_part_about_illumination(catalog):
    assert "Correction of illumination" not in catalog["data_report"].load()
    assert catalog["illumination_evenness"].load().empty
    assert schemas.illumination_evenness.validate(catalog["illumination_evenness"].load()).empty


def test_the_effect_of_the_correction_is_shown(tmp_path):
    study = make_study()
    names = sorted(study["fields"]["plate_file"].unique())
    store = CorrectedStore(tmp_path, dict(zip(names, (ESTIMATED, TOO_FEW), strict=True)))
    found = run_data_report(data_of(study) | {"plate_store": store}, encoded=("data_report_illumination_figure",))
    table = schemas.illumination_evenness.validate(found["illumination_evenness"].load())
    assert len(table) == 10
    first = table[table["basis"] == ESTIMATED]
    assert first["corners_before"].between(0.5, 0.7).all()
    assert first["corners_after"].to_numpy() == pytest.approx(1, abs=0.01)
    assert not first["held_out"].any()
    second = table[table["basis"] == TOO_FEW]
    assert second["corners_before"].to_numpy() == pytest.approx(second["corners_after"].to_numpy())
    page = found["data_report"].load()
    Balanced(page)
    assert "1 plate with too few fields for an estimate stayed as they were." in page
    assert "functions that were estimated from 25 fields per plate" in page
    assert "On 1 plate the effect is measured on the fields of the estimate" in page
    assert [row for row in cells(page) if row[:2] == ["Mito", "2"]], "both plates"
    assert page.count("<img") == 10


def test_corrections_are_measured_beside_the_methods_as_they_are():
    pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")
    corrections = CorrectionParameters(use=["sphering", "robust_z"], minimum_controls=3)
    catalog = run_data_report(data_of(make_study()), corrections=corrections)
    table = schemas.average_precision_corrections.validate(catalog["average_precision_corrections"].load())
    methods = ["Profiles", "Profiles, sphered", "Profiles, robust z"]
    assert table[["matches", "method"]].to_numpy().tolist() == [
        [matches, method] for matches in ("replicates", "mechanisms") for method in methods
    ]
    assert table["difference_low"].notna().tolist() == 2 * [False, True, True]
    page = catalog["data_report"].load()
    Balanced(page)
    rows = [row for row in cells(page) if row[1:2] == ["Profiles, sphered"]]
    assert [row[0] for row in rows] == ["replicates", "mechanisms"]
    first = table.set_index(["matches", "method"]).loc[("replicates", "Profiles, sphered")]
    assert rows[0][4].startswith(f"{first['difference']:+z.3f} (")


def test_without_corrections_or_copairs_none_is_measured(catalog, monkeypatch, caplog):
    def refuse(*_, **__):
        raise AssertionError("corrections were measured")

    monkeypatch.setattr("cloome_kedro.evaluation.corrected_precision.precision_of_corrections", refuse)
    assert len(catalog["average_precision_corrections"].load()) == 0
    assert "corrections of batch effects" not in catalog["data_report"].load()
    monkeypatch.setattr("cloome_kedro.evaluation.precision_summary.is_available", lambda: False)
    data = data_of(make_study())
    without = run_data_report(data, corrections=CorrectionParameters(use=["sphering"]))
    assert len(without["average_precision_corrections"].load()) == 0
    (message,) = [text for text in caplog.messages if "with corrections" in text]
    assert "pip install 'cloome-kedro[copairs]'" in message


def test_the_numbers_of_wells_are_those_of_the_tables(catalog):
    wells = catalog["well_quality"].load()
    assert len(wells) == 120
    assert wells["control"].sum() == 8
    assert "8 control wells on 2 plates" in catalog["data_report"].load()
    assert "56 of 56 compounds are in several wells" in catalog["data_report"].load()


def test_a_screen_without_images_has_a_reduced_page():
    data = data_of(make_study())
    measured = [name for name in data["fields"] if name.rpartition("_")[2] in CHANNELS]
    data["fields"] = data["fields"].drop(columns=measured)
    page = run_data_report(data, images=False)["data_report"].load()
    Balanced(page)
    assert "NO IMAGES." in page
    assert '<section id="fields">' not in page
    assert page.count("<img") == 7
    assert "Diamonds" not in page


def test_without_profiles_labels_controls_and_counts_the_page_says_so():
    data = data_of(make_study())
    data["field_profiles"] = data["field_profiles"].iloc[:0]
    data["cell_counts"] = data["cell_counts"].iloc[:0]
    data["labels"] = data["labels"][["inchikey"]]
    data["fields"] = data["fields"].assign(control=False)
    data["plate_statistics"] = data["plate_statistics"].assign(basis="all wells")
    real = StudyParameters(screen="real", simulated=False, models=MODELS)
    catalog = run_data_report(data, study=real)
    page = catalog["data_report"].load()
    Balanced(page)
    assert "SIMULATED" not in page
    for text in ("The screen has no labels of assays.", "0 control wells on 2 plates", "Not measured."):
        assert text in page
    assert "cells" not in catalog["well_quality"].load()


def test_rejected_fields_are_shown_where_files_can_be_read(tmp_path):
    data = data_of(make_study())
    for name in ("DNA", "Mito"):
        tifffile.imwrite(tmp_path / f"{name}.tif", pd.DataFrame(range(40)).to_numpy("uint16") * [[1] * 30])
    rejected = data["rejected_fields"]
    rows = rejected[["field_id", "screen", "plate", "well"]].assign(site=1, source="s", bit_depth=16, control=False)
    for channel in CHANNELS:
        rows[f"path_{channel}"] = str(tmp_path / f"{channel}.tif")
        rows[f"plane_{channel}"] = pd.array([pd.NA] * len(rows), "Int64")
    rows.loc[rows.index[1], [f"path_{channel}" for channel in CHANNELS]] = str(tmp_path / "nowhere.tif")
    catalog = run_data_report(data | {"field_index": rows})
    figure = catalog["data_report_rejected_figure"].figure
    shown = [axes.get_xlabel() for axes in figure.axes if axes.images]
    assert len(shown) == 1
    assert "unreadable TIFF" in shown[0].replace("\n", "")
    assert "not readable: ER, RNA, AGP" in shown[0]


def test_named_plates_are_shown_and_an_unknown_one_is_refused():
    data = data_of(make_study())
    settings = DataReportParameters(plates=1, show_plates=["plate2"], rankings=100, resamples=50)
    figure = run_data_report(data, data_report=settings)["data_report_maps_figure"].figure
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert [title.split("\n")[0] for title in titles] == ["mean of 2 plates", "plate2"]
    wrong = DataReportParameters(show_plates=["plate9"], rankings=100, resamples=50)
    with pytest.raises(ValueError, match=r"show_plates: there is no plate plate9; plates are plate1, plate2"):
        run_data_report(data, data_report=wrong)


def test_many_plates_do_not_make_a_long_page():
    data = data_of(make_study())
    several = [data["fields"].assign(plate=f"p{i:03d}", field_id=data["fields"]["field_id"] + f"/{i}")
               for i in range(0, 150)]  # fmt: skip
    wells = pd.concat([table.iloc[:40] for table in several], ignore_index=True).drop_duplicates(["plate", "well"])
    data |= {"fields": wells, "cell_counts": data["cell_counts"].iloc[:0], "field_profiles": data["field_profiles"][:0]}
    catalog = run_data_report(data)
    assert "4 of 150 plates are drawn" in catalog["data_report"].load()
    summary = catalog["data_report_plates_figure"].figure
    assert len(summary.axes[0].get_yticklabels()) == 60
    assert summary.axes[0].get_title() == "the 60 most unusual of 150 plates"
    assert len(catalog["data_report_maps_figure"].figure.axes) == 7 * (5 + 2)


def test_names_are_shown_as_they_are():
    plain, hostile = (
        run_data_report(data_of(study), study=STUDY.model_copy(update={"models": models}))["data_report"].load()
        for study, models in (hostile_study("plain"), hostile_study(ALL))
    )
    Balanced(hostile)
    for text in ("<script>alert", "<b>bold", "onerror=\"x'"):
        assert text not in hostile
    assert plain.count("<") == hostile.count("<")


@pytest.mark.slow
def test_the_page_of_a_study_has_its_files_and_the_report_links_to_it(study, tmp_path):
    """After the study, with its profiles and embeddings; then the report of the study has the link."""
    assert "kedro run --pipelines data_report" in study.load("report")
    copy = Project(tmp_path / "copy")  # other tests expect the report as it is
    shutil.copytree(study.folder / "data", copy.folder / "data", dirs_exist_ok=True)
    copy.kedro("run", "--env", "test", "--pipelines", "data_report")
    (path,) = copy.folder.glob("data/08_reporting/*/data_report.html")
    page = path.read_text()
    Balanced(page)
    for name in ("well_quality", "position_effects", "average_precision", "average_precision_groups"):
        assert f'href="data_report/{name}.csv"' in page
        assert (path.parent / "data_report" / f"{name}.csv").is_file()
    assert page.count("data:image/") == page.count("<img")
    copy.kedro("run", "--env", "test", "--nodes", "reporting.write_report")
    (report,) = path.parent.glob("default/seed_0/report.html")
    assert 'href="../../data_report.html"' in report.read_text()
    assert (report.parent / "../../data_report.html").resolve() == path.resolve()
