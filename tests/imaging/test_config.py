"""Settings of ingestion and profiles: presets, defaults, and what is refused."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

import cloome_kedro
from cloome_kedro.imaging import config, sources
from cloome_kedro.imaging.config import (
    CHANNEL_FAMILIES,
    INTENSITIES,
    PAIR_FAMILIES,
    SHAPE_FAMILIES,
    Family,
    Intensity,
    IntensityName,
    Measurement,
    Normalisation,
    Selection,
    Storage,
)
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination, ProvidedIllumination
from cloome_kedro.imaging.profile_table import ProfileColumns
from cloome_kedro.imaging.sources import Platemap, Source

SETTINGS = [Intensity, Storage, Platemap, Source, Measurement, Normalisation, Selection, ProfileColumns]
SETTINGS += [EstimatedIllumination, ProvidedIllumination]


def test_presets_are_those_of_the_publication():
    """Training clipped 0.0028 percent and scaled to 256, the example of inference 0.01 percent and 255."""
    assert {name: dataclasses.astuple(preset) for name, preset in INTENSITIES.items()} == {
        "published_training": (0.0028, 256),
        "published_inference": (0.01, 255),
    }
    assert set(get_args(IntensityName)) == set(INTENSITIES)


def test_storage_replaces_a_presets_name_by_its_numbers():
    assert Storage().intensity_values == INTENSITIES["published_training"]
    assert Storage(intensity="published_inference").intensity_values == Intensity(0.01, 255)
    assert Storage(intensity="published_training") == Storage(intensity=Intensity(0.0028, 256))
    assert Storage(Intensity(1, 255)).intensity_values == Intensity(1, 255)


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_a_stored_field_has_the_last_shape_that_is_set(height, width, data):
    crop = data.draw(st.none() | st.integers(1, min(height, width)))
    after_crop = (crop, crop) if crop else (height, width)
    size = data.draw(st.none() | st.tuples(*(st.integers(1, side) for side in after_crop)))
    assert Storage(crop=crop, size=size).stored_shape((height, width)) == (size or after_crop)


@pytest.mark.parametrize(
    ("storage", "message"),
    [
        (Storage(crop=21), r"crop \(21, 21\) in params:ingestion.storage is larger than the images, \(20, 30\)"),
        (Storage(size=(20, 31)), r"size \(20, 31\) .* larger than the images, \(20, 30\)"),
    ],
)
def test_images_are_never_enlarged(storage, message):
    with pytest.raises(ValueError, match=message):
        storage.stored_shape((20, 30))


@pytest.mark.parametrize(
    ("settings", "values", "message"),
    [
        (Intensity, {"outlier_percent": -0.1, "scale": 255}, "outlier_percent must be from 0 to below 100, is -0.1"),
        (Intensity, {"outlier_percent": 100, "scale": 255}, "outlier_percent must be from 0 to below 100, is 100"),
        (
            Storage,
            {"intensity": "published"},
            "no preset published; the presets are published_training, published_inference",
        ),
        (Storage, {"crop": 0}, "storage: crop must be at least 1 pixel, is 0"),
        (Storage, {"size": (10, 0)}, r"storage: size must be at least 1 pixel, is \(10, 0\)"),
        (Storage, {"crop": 10, "size": (10, 11)}, r"storage: size \(10, 11\) is larger than crop 10"),
        (Measurement, {"families": ()}, r"families must be one or more of sizeshape, .*, rwc, is \[\]"),
        (Measurement, {"families": ("shape",)}, r"families must be one or more of sizeshape, .*, rwc, is \['shape'\]"),
        (Measurement, {"compartments": ()}, "compartments must name nuclei, field or both"),
        (Measurement, {"nucleus_diameter": 2.9}, "nucleus_diameter must be at least 3 pixels, is 2.9"),
        (Measurement, {"minimum_contrast": -1}, "minimum_contrast must be at least 0, is -1"),
        (
            Measurement,
            {"families": ("sizeshape", "feret"), "compartments": ("field",)},
            "sizeshape, feret measure only outlines of nuclei; add nuclei to profiles.measure.compartments",
        ),
        (Normalisation, {"minimum_controls": 0}, "minimum_controls must be at least 1, is 0"),
        (Normalisation, {"clip": 0}, "clip must be above 0, is 0"),
        (Normalisation, {"na_cutoff": 1.01}, "na_cutoff must be from 0 to 1, is 1.01"),
        (Selection, {"correlation_threshold": -0.1}, "correlation_threshold must be from 0 to 1, is -0.1"),
        (Selection, {"fields": 0}, "selection: fields must be at least 1, is 0"),
        (Selection, {"seed": -1}, "selection: seed must be at least 0, is -1"),
    ],
)
def test_values_that_make_no_sense_are_refused(settings, values, message):
    with pytest.raises(ValueError, match=message):
        settings(**values)


def test_limits_themselves_are_allowed():
    Intensity(0, 255)
    Storage(crop=1, size=(1, 1))
    Measurement(families=("sizeshape", "intensity"), compartments=("field",), nucleus_diameter=3, minimum_contrast=0)
    Normalisation(method=None, minimum_controls=1, na_cutoff=0)
    Normalisation(na_cutoff=1)
    Selection(operations=(), correlation_threshold=1, fields=1)
    ProfileColumns(cells=None, physical_plate="^(.+?)_")


def test_families_are_listed_once_each():
    listed = SHAPE_FAMILIES + CHANNEL_FAMILIES + PAIR_FAMILIES
    assert sorted(listed) == sorted(get_args(Family))
    assert len(set(listed)) == len(listed)


def test_the_configuration_becomes_settings():
    """Lists become tuples, a mapping the settings that it describes."""
    storage = TypeAdapter(Storage).validate_python(
        {"intensity": {"outlier_percent": 0.3, "scale": 256}, "scope": "plate", "size": [64, 32]}
    )
    assert storage == Storage(Intensity(0.3, 256), "plate", size=(64, 32))
    assert TypeAdapter(Storage).validate_python({"intensity": "published_inference"}).intensity_values == Intensity(
        0.01, 255
    )
    source = TypeAdapter(Source).validate_python(
        {"name": "mine", "layout": "opera_phenix", "channels": {"1": "DNA"}, "platemap": {"platemaps": "map.csv"}}
    )
    assert source == Source("mine", "opera_phenix", Platemap("map.csv"), channels={"1": "DNA"})


@pytest.mark.parametrize(
    ("settings", "values", "key"),
    [
        (Storage, {"scale": 255}, "scale"),
        (Storage, {"intensity": {"outlier_percent": 1, "scale": 254}}, "scale"),
        (Storage, {"scope": "screen"}, "scope"),
        (Source, {"name": "a", "layout": "b", "platemap": {"platemaps": "c"}, "bit_depth": 14}, "bit_depth"),
        (Measurement, {"families": ["shape"]}, "families"),
        (Selection, {"operations": ["outliers"]}, "operations"),
        (Normalisation, {"method": "whiten"}, "method"),
    ],
)
def test_a_wrong_entry_of_the_configuration_is_named(settings, values, key):
    with pytest.raises(ValidationError) as error:
        TypeAdapter(settings).validate_python(values)
    assert any(key in part["loc"] for part in error.value.errors())


@pytest.mark.parametrize("settings", SETTINGS)
def test_unknown_keys_are_refused_and_settings_never_change(settings):
    needed = {"outlier_percent": 1, "scale": 255, "name": "a", "layout": "b", "platemap": {"platemaps": "c"}}
    needed = {"platemaps": "c"} if settings is Platemap else needed
    needed |= {"source": {EstimatedIllumination: "estimate", ProvidedIllumination: "provided"}.get(settings)}
    known = {field.name for field in dataclasses.fields(settings)}
    values = {key: value for key, value in needed.items() if key in known}
    made = TypeAdapter(settings).validate_python(values)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, next(iter(known)), None)
    with pytest.raises(ValidationError) as error:
        TypeAdapter(settings).validate_python(values | {"colour": 1})
    assert error.value.errors()[-1]["loc"][-1] == "colour"


@pytest.mark.parametrize("module", [config, sources])
def test_the_module_needs_the_standard_library_alone(module):
    """Parameters are read before anything else is imported."""
    code = (
        f"import importlib.util, sys; sys.path.insert(0, {str(Path(cloome_kedro.__file__).parents[1])!r})\n"
        f"spec = importlib.util.spec_from_file_location('settings', {module.__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); sys.modules['settings'] = module\n"
        "spec.loader.exec_module(module)\n"
        "print(*({name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names))"
    )
    command = [sys.executable, "-I", "-S", "-c", code]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert set(printed) <= {"settings", "__main__", "cloome_kedro"}
