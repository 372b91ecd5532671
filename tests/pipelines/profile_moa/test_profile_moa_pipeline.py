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
from cloome_kedro.parameters import ProfileMoaParameters
from cloome_kedro.pipelines.profile_moa import create_pipeline
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
}


def run(folder, pattern="*.csv", **changes):
    """Run the pipeline with the settings of the environment, changed group by group."""
    values = OmegaConfigLoader(str(ROOT / "conf"), env="jump_moa", **CONFIG_LOADER_ARGS)["parameters"]["profile_moa"]
    parameters = ProfileMoaParameters.model_validate({**values, **changes})
    plates = TableFiles(filepath=str(folder), pattern=pattern, missing="put some there")
    inputs = {"params:profile_moa": parameters, "params:seed": 0}
    found = run_pipeline(create_pipeline(), inputs, profile_plates=plates)
    assert set(found) == {*TABLES, "profile_moa_summary", "profile_moa_figure"}
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
    assert value["Profiles"] > 0.6
    assert value.drop("Profiles").between(0.1, 0.45).all()
    assert "Cell count only" not in value
    assert len(found["profile_moa_figure"].axes) == 1
    assert "other plates, other compounds; a mechanism is shown by one well" in found["profile_moa_summary"]


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
    assert found == {"profile_moa": ProfileMoaParameters}
    assert [node.short_name for node in pipeline.nodes] == [
        "join_profile_plates", "rank_mechanisms", "summarise_mechanisms"
    ]  # fmt: skip
