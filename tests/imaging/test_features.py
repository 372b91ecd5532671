from itertools import combinations

import numpy as np
import pytest

from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import CHANNEL_FAMILIES, PAIR_FAMILIES, SHAPE_FAMILIES, Measurement
from cloome_kedro.imaging.features import feature_names, measure_field
from cloome_kedro.imaging.nuclei import segment_nuclei
from planted_fields import DNA, grid, planted_field

DEFAULT = Measurement(nucleus_diameter=10)
ALL = Measurement(families=SHAPE_FAMILIES + CHANNEL_FAMILIES + PAIR_FAMILIES, nucleus_diameter=10)
FIELD = planted_field(grid(7))


def measured(images, measurement=DEFAULT):
    return dict(zip(feature_names(measurement), measure_field(images, measurement), strict=True))


def test_features_of_nuclei_are_medians_over_them():
    features = measured(FIELD)
    labels = segment_nuclei(FIELD[DNA], 10)
    nuclei = [labels == i for i in range(1, labels.max() + 1)]
    assert features["Nuclei_Count"] == len(nuclei) == 7
    assert features["Nuclei_AreaShape_Area"] == np.median([inside.sum() for inside in nuclei])
    for channel, image in zip(CHANNELS, FIELD / 255, strict=True):
        for name, statistic in {
            "MeanIntensity": np.mean,
            "StdIntensity": np.std,
            "IntegratedIntensity": np.sum,
            "MaxIntensity": np.max,
            "UpperQuartileIntensity": lambda x: np.percentile(x, 75),
        }.items():
            expected = np.median([statistic(image[inside]) for inside in nuclei])
            assert features[f"Nuclei_Intensity_{name}_{channel}"] == pytest.approx(expected, rel=1e-6)
    pearson = np.median([np.corrcoef(FIELD[0][inside], FIELD[1][inside])[0, 1] for inside in nuclei])
    assert features["Nuclei_Correlation_Pearson_Mito_ER"] == pytest.approx(pearson, rel=1e-5)


def test_features_of_the_field_are_those_of_all_its_pixels():
    features = measured(FIELD)
    for i, channel in enumerate(CHANNELS):
        assert features[f"Field_Intensity_MeanIntensity_{channel}"] == pytest.approx(FIELD[i].mean() / 255)
        assert features[f"Field_Intensity_MADIntensity_{channel}"] == pytest.approx(
            np.median(np.abs(FIELD[i] - np.median(FIELD[i]))) / 255
        )
    slope = np.polyfit(FIELD[1].ravel() / 255.0, FIELD[DNA].ravel() / 255.0, 1)[0]
    assert features["Field_Correlation_Slope_ER_DNA"] == pytest.approx(slope, rel=1e-4)
    assert not any(name.startswith("Field_AreaShape") for name in features), "the outline of the image is not a feature"


def test_correlations_are_those_of_cp_measure():
    from cp_measure.bulk import get_correlation_measurements

    features = measured(FIELD)
    labels, pixels = segment_nuclei(FIELD[DNA], 10), FIELD / 255
    compared = 0
    for prefix, objects in {"Nuclei": labels, "Field": np.ones_like(labels)}.items():
        for c, d in combinations(range(len(CHANNELS)), 2):
            found = get_correlation_measurements()["pearson"](pixels[c], pixels[d], objects)
            for name, values in found.items():
                feature = features[f"{prefix}_{name}_{CHANNELS[c]}_{CHANNELS[d]}"]
                assert feature == pytest.approx(np.median(values), rel=1e-6)
                compared += 1
    assert compared == len([name for name in features if "_Correlation_" in name]) == 2 * 2 * 10


def test_a_planted_disc_has_the_size_of_a_disc():
    features = measured(planted_field([(32, 32)], radius=11, noise=0.1), Measurement(nucleus_diameter=22))
    assert features["Nuclei_AreaShape_EquivalentDiameter"] == pytest.approx(23, abs=2)
    assert features["Nuclei_AreaShape_Eccentricity"] < 0.1
    assert features["Nuclei_AreaShape_Solidity"] > 0.95


def test_a_field_without_nuclei():
    features = measured(planted_field([]))
    assert features["Nuclei_Count"] == 0
    assert all(
        np.isnan(value) for name, value in features.items() if name.startswith("Nuclei_") and "Count" not in name
    )
    assert all(np.isfinite(value) for name, value in features.items() if name.startswith("Field_"))


@pytest.mark.filterwarnings("error")
def test_a_black_field_has_undefined_features_only_where_they_are():
    features = measured(np.zeros((5, 40, 40), np.uint8))
    assert features["Field_Intensity_MeanIntensity_ER"] == 0
    assert np.isnan(features["Field_Correlation_Pearson_Mito_ER"])


@pytest.mark.filterwarnings("error")
def test_all_families_on_a_field():
    features = measured(FIELD, ALL)
    assert len(features) == len(set(features)) > 1500
    families = {name.split("_")[1] for name in features}
    assert families == {
        "Count", "AreaShape", "Intensity", "Texture", "Granularity", "RadialDistribution", "Correlation"
    }  # fmt: skip
    undefined = [name for name, value in features.items() if not np.isfinite(value)]
    assert not undefined


def test_names_tell_compartment_category_and_channels():
    names = feature_names(ALL)
    for name in (
        "Nuclei_AreaShape_Zernike_0_0",
        "Nuclei_AreaShape_MaxFeretDiameter",
        "Field_Texture_Contrast_3_00_256_AGP",
        "Nuclei_RadialDistribution_FracAtD_1of4_RNA",
        "Field_Granularity_1_Mito",
        "Nuclei_Correlation_Costes_2_RNA_DNA",
        "Nuclei_Correlation_RWC_1_Mito_ER",
        "Field_Correlation_Manders_1_Mito_ER",
    ):
        assert name in names
    assert len([name for name in names if "Correlation_Pearson" in name]) == 2 * 10


def test_place_is_not_a_feature():
    """A field and its mirror image have the same profile."""
    intensity = Measurement(families=("intensity", "pearson"), nucleus_diameter=10)
    for mirrored in (FIELD[:, ::-1], FIELD[:, :, ::-1]):
        np.testing.assert_allclose(
            measure_field(mirrored, intensity), measure_field(FIELD, intensity), rtol=1e-4, atol=1e-6
        )
    assert not [name for name in feature_names(ALL) if "Location" in name or "Center" in name or "BoundingBoxM" in name]


def test_one_compartment():
    only = Measurement(families=("sizeshape",), compartments=("nuclei", "field"))
    assert all(name.startswith("Nuclei_") for name in feature_names(only))
    field = Measurement(families=("intensity",), compartments=("field",))
    assert all(name.startswith("Field_Intensity") for name in feature_names(field))
