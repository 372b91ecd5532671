"""The pipeline on the JUMP-MOA plates, through the environment that is made for them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from kedro.config import OmegaConfigLoader
from kedro.io import DatasetError
from kedro.validation.type_extractor import TypeExtractor
from matplotlib.figure import Figure
from pydantic import ValidationError

from cloome_kedro import schemas
from cloome_kedro.datasets.files import TableFiles
from cloome_kedro.parameters import CorrectionParameters, ProfileMoaParameters
from cloome_kedro.pipelines.profile_moa import create_pipeline
from cloome_kedro.pipelines.profile_moa.nodes import compare_corrections
from cloome_kedro.settings import CONFIG_LOADER_ARGS
from planted_examples import run_pipeline

ROOT = Path(__file__).parents[3]
TABLES = {
    "profile_wells": schemas.profile_wells,
    "rejected_profiles": schemas.rejected_profiles,
    "profile_columns": schemas.profile_columns,
    "profile_moa_ranks": schemas.ranks,
    "profile_moa_metrics": schemas.metrics,
    "profile_moa_differences": schemas.differences,
    "profile_controls": schemas.field_profiles,
    "profile_moa_corrections": schemas.corrections,
}
CORRECTED = {f"Profiles, {label}" for label in ("robust z", "sphered", "TVN")}


def run(folder, pattern="*.csv", **changes):
    """Run the pipeline with the settings of the environment, changed group by group."""
    values = OmegaConfigLoader(str(ROOT / "conf"), env="jump_moa", **CONFIG_LOADER_ARGS)["parameters"]
    corrections = CorrectionParameters.model_validate(values["corrections"])
    parameters = ProfileMoaParameters.model_validate({**values["profile_moa"], **changes})
    plates = TableFiles(filepath=str(folder), pattern=pattern, missing="put some there")
    inputs = {"params:profile_moa": parameters, "params:corrections": corrections, "params:seed": 0}
    found = run_pipeline(create_pipeline(), inputs, profile_plates=plates)
    shown = {f"profile_moa{of}_{kind}" for of in ("", "_corrections") for kind in ("summary", "figure")}
    assert set(found) == {*TABLES, *shown}
    return found | {name: schema.validate(found[name]) for name, schema in TABLES.items()}


@pytest.fixture(scope="module")
def jump(cloome_data):
    return run(cloome_data / "profiles", "jumpmoa_*.csv", draws=4)


def test_three_imaged_plates_are_two_physical_ones(jump):
    wells = jump["profile_wells"]
    assert wells.groupby("Metadata_Plate").size().to_dict() == {"BRO0117033": 328, "BRO0117059": 644}
    assert wells["Metadata_InChIKey"].nunique() == 82  # DMSO is the 83rd
    assert wells["Metadata_moa"].nunique() == 47
    assert wells.shape[1] == 6 + 255
    assert set(jump["rejected_profiles"]["reason"]) == {"no InChIKey in Metadata_InChIKey"}
    assert len(jump["rejected_profiles"]) == 96


def test_the_tables_are_normalised_already(cloome_data):
    """What the environment says of them, and why it normalises nothing."""
    paths = list((cloome_data / "profiles").glob("jumpmoa_*.csv"))
    assert paths
    for path in paths:
        features = pd.read_csv(path).filter(regex="^(Cells|Cytoplasm|Nuclei)_")
        assert features.median().abs().max() < 1e-5, path.name
        assert ((features - features.median()).abs().median() * 1.4826).sub(1).abs().max() < 1e-3, path.name


def test_mechanisms_are_found_above_chance_on_another_plate_in_another_compound(jump):
    metrics = jump["profile_moa_metrics"]
    top = metrics[(metrics["metric"] == "top-1") & (metrics["excluded"] == "plate+compound")]
    profiles = top[top["method"] == "Profiles"]
    assert len(profiles) == 3  # one well: single draw and mean of draws; mean of wells
    assert (profiles["low"] > profiles["chance"]).all()
    assert profiles["chance"].to_numpy() == pytest.approx(1 / 47, abs=1e-3)
    plates = top[top["method"] == "Plate only"]
    assert ((plates["low"] < plates["chance"]) & (plates["chance"] < plates["high"])).all()
    differences = jump["profile_moa_differences"].query("metric == 'top-1' and excluded == 'plate+compound'")
    assert set(differences.loc[differences["method"] != "Profiles", "method"]) == CORRECTED
    differences = differences[differences["method"] == "Profiles"]
    assert set(differences["against"]) == {"method Plate only", "method Well position only", "method Cell count only"}
    assert (differences["low"] > 0).all()


def test_no_reference_shares_the_plate_or_compound(jump):
    """With compounds excluded, only mechanisms of two compounds are asked about; others keep theirs where possible."""
    ranks = jump["profile_moa_ranks"]
    ranks = ranks[(ranks["method"] == "Profiles") & (ranks["shown_by"] == "mean")]
    compounds = jump["profile_wells"].groupby("Metadata_moa")["Metadata_InChIKey"].nunique()
    asked = ranks.groupby("excluded")["match"].unique()
    assert set(asked["plate+compound"]) == set(compounds.index[compounds > 1])
    assert set(asked["plate+compound where possible"]) == set(compounds.index)


def test_equal_layouts_are_seen(jump):
    """All plates have one layout: with the compound allowed, a well's position says as much as its profile."""
    top = jump["profile_moa_metrics"].query("metric == 'top-1' and draws == 4 and method == 'Well position only'")
    value = top.set_index("excluded")["value"]
    assert value["plate"] > 4 * value["plate+compound"]


def test_text_and_figure(jump):
    text = jump["profile_moa_summary"]
    for heading in ("references: any well; a mechanism is shown by one well", "925 wells of 82 compounds among 47"):
        assert heading in text
    assert text.count("references: ") == 8
    figure = jump["profile_moa_figure"]
    assert isinstance(figure, Figure)
    assert [len(axis.patches) for axis in figure.axes] == [4 * 4, 4 * 4]


def test_a_planted_mechanism_is_found_on_small_plates(tmp_path):
    """Two plates, four mechanisms of two compounds: the first four features are the mechanism, the others noise."""
    rng = np.random.default_rng(0)
    for plate in ("P", "Q"):
        rows = [
            {"Metadata_Plate": plate, "Metadata_Well": f"{chr(65 + i % 16)}{1 + i // 16:02d}"}
            | {
                "Metadata_InChIKey": f"{chr(65 + compound)}{'A' * 13}-AAAAAAAAAA-N",
                "Metadata_moa": f"moa {compound // 2}",
            }
            | {"Metadata_control_type": None}
            | {f"f{k}": 4.0 * (k == compound // 2) + rng.normal() for k in range(8)}
            for i, compound in enumerate(rng.permutation(np.repeat(np.arange(8), 4)))
        ]
        controls = [
            row | {"Metadata_control_type": "negcon", "Metadata_Well": f"P{i + 10:02d}"}
            for i, row in enumerate(rows[:9])
        ]
        pd.DataFrame(rows + controls).to_csv(tmp_path / f"{plate}.csv", index=False)
    found = run(
        tmp_path, columns={"cells": None, "features": ["^f"]}, normalise={"method": None}, shown_by=["field"], draws=3
    )
    assert len(found["profile_wells"]) == 64
    top = found["profile_moa_metrics"].query("metric == 'top-1' and draws == 3 and excluded == 'plate+compound'")
    value = top.set_index("method")["value"]
    assert value.filter(like="Profiles").min() > 0.5, "controls hide nothing"
    assert value.drop(["Profiles", *CORRECTED]).between(0.1, 0.45).all()
    assert "Cell count only" not in value
    assert len(found["profile_moa_figure"].axes) == 1
    assert "other plates, other compounds; a mechanism is shown by one well" in found["profile_moa_summary"]


def test_controls_are_kept_apart(jump):
    controls = jump["profile_controls"]
    assert controls["field_id"].str.rpartition("/")[0].value_counts().to_dict() == dict.fromkeys(
        ["BRO0117033_20xb", "BRO0117059_20X", "BRO0117059_40x"], 24
    )
    features = [name for name in jump["profile_wells"] if not name.startswith("Metadata_")]
    assert list(controls) == [features[0], "Metadata_Plate", "Metadata_Well", *features[1:]]


def test_every_correction_has_every_measure(jump):
    pytest.importorskip("copairs", reason="copairs is not installed (extra copairs)")
    table = jump["profile_moa_corrections"]
    assert set(table["method"]) == {"Profiles", *CORRECTED}
    precision = {f"mean average precision of {kind}": 4 for kind in ("replicates", "mechanisms")}
    # two ways to show a mechanism, and two protocols across plates
    assert table.groupby("measure").size().to_dict() == {**precision, "top-1": 2 * 2 * 4}
    plain = table["method"] == "Profiles"
    assert table.loc[plain, "difference"].isna().all()
    corrected = table[~plain]
    assert (corrected["against"] == "Profiles").all()
    assert (corrected["difference_low"] <= corrected["difference"]).all()
    keys = ["measure", "shown_by", "excluded"]
    paired = corrected.merge(table[plain], on=keys, suffixes=("", "_of_profiles"))
    np.testing.assert_allclose(paired["value"] - paired["value_of_profiles"], paired["difference"], atol=1e-6)
    text = jump["profile_moa_corrections_summary"]
    assert all(name in text for name in ("mean average precision of replicates", *CORRECTED))
    assert len(jump["profile_moa_corrections_figure"].axes) == 6


def test_without_copairs_mean_average_precision_is_left_out(jump, monkeypatch, caplog):
    monkeypatch.setattr("cloome_kedro.evaluation.precision_summary.is_available", lambda: False)
    tables = [jump[f"profile_{name}"] for name in ("wells", "controls", "moa_metrics", "moa_differences")]
    parameters = ProfileMoaParameters.model_validate({"columns": {}, "normalise": {}})
    corrections = CorrectionParameters.model_validate({"use": ["robust_z"]})
    effects, text, _ = compare_corrections(*tables, profile_moa=parameters, corrections=corrections, seed=0)
    assert set(effects["measure"]) == {"top-1"}
    assert "pip install 'cloome-kedro[copairs]'" in caplog.text
    assert "mean average precision" not in text


def test_a_folder_without_tables_is_named(tmp_path):
    with pytest.raises(DatasetError, match=rf"{tmp_path} has no table that matches \*\.csv: put some there"):
        run(tmp_path)


def test_an_expression_without_a_group_is_refused():
    with pytest.raises(ValidationError, match="needs exactly one group in brackets"):
        ProfileMoaParameters.model_validate({"columns": {"physical_plate": "^.+_"}, "normalise": {}})


def test_misspelt_columns_are_named():
    with pytest.raises(ValidationError, match="cell_count"):
        ProfileMoaParameters.model_validate({"columns": {"cell_count": "n"}, "normalise": {}})


def test_parameters_are_typed_for_kedro():
    pipeline = create_pipeline()
    found = TypeExtractor({"profile_moa": pipeline}).extract_types_from_pipelines()
    assert found == {"profile_moa": ProfileMoaParameters, "corrections": CorrectionParameters}
    assert [node.short_name for node in pipeline.nodes] == [
        "join_profile_plates", "rank_mechanisms", "summarise_mechanisms", "compare_corrections"
    ]  # fmt: skip
