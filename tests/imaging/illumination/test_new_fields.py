"""Fields and plates outside of a study are corrected as in training."""

import warnings

import numpy as np
import pandas as pd
import pytest

from cloome_kedro.cli.plates import find_illumination
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Storage
from cloome_kedro.imaging.illumination.given import read_functions
from cloome_kedro.imaging.illumination.plate import PROVIDED, Corrector, PlateIllumination, keep
from cloome_kedro.imaging.illumination.settings import EstimatedIllumination, ProvidedIllumination
from cloome_kedro.inference import Cloome
from small_index import SIDE, checkpoint

PATTERN = "illum/{plate}_Illum{channel}.npy"


def functions():
    """Functions with the robust minimum 1, which rise to the right."""
    values = np.maximum(np.linspace(1, [1.5, 1.6, 1.7, 1.8, 1.9], SIDE), 1.05).T[:, None, :] / 1.05
    return np.repeat(values, SIDE, axis=1).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    trained = checkpoint()
    storage = trained.config["views"]["field"]["storage"]
    storage["illumination"] = {"source": "provided", "files": PATTERN}
    return Cloome(trained, device="cpu")


@pytest.fixture(scope="module")
def flat():
    return np.random.default_rng(0).integers(2000, 9000, (3, 5, SIDE, SIDE)).astype(np.uint16)


def test_the_storage_of_a_checkpoint_has_the_settings(model):
    assert model.storage.illumination == ProvidedIllumination("provided", PATTERN)
    estimated = Storage(illumination=EstimatedIllumination("estimate", width=0.3))
    assert Storage(illumination=estimated.notes()["illumination"]) == estimated


def test_raw_fields_are_divided(model, flat, tmp_path):
    raw = np.rint(flat * functions()).astype(np.uint16)
    files = {channel: tmp_path / f"{channel}.npy" for channel in CHANNELS}
    for channel, function in zip(CHANNELS, functions(), strict=True):
        np.save(files[channel], function)
    index = pd.DataFrame({"field_id": ["a"], "plate": "P1", "bit_depth": 16})
    kept = tmp_path / "P1.npz"
    keep(kept, Corrector(PlateIllumination(functions(), PROVIDED), index, (SIDE, SIDE)), "digest")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        vectors = [model.embed_fields(raw, illumination=given) for given in (functions(), files, kept, str(kept))]
        constant = model.embed_fields(flat, illumination=np.ones((5, 2, 2)))
    for other in vectors:
        np.testing.assert_array_equal(other, vectors[0])
    np.testing.assert_allclose(vectors[0], constant, atol=2e-3)
    with pytest.warns(UserWarning, match="illumination of the training fields was corrected, but that of these"):
        uncorrected = model.embed_fields(raw)
    assert abs(uncorrected - constant).max() > 10 * abs(vectors[0] - constant).max()


def test_stored_fields_are_not_corrected_again(model, flat):
    stored = (flat // 64).astype(np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(model.embed_fields(stored), model.embed_fields(stored, illumination=functions()))


def test_files_of_another_shape_are_refused(model, flat, tmp_path):
    np.save(tmp_path / "wide.npy", np.ones((SIDE, 2 * SIDE)))
    with pytest.raises(ValueError, match=r"wide\.npy"):
        model.embed_fields(flat, illumination=dict.fromkeys(CHANNELS, tmp_path / "wide.npy"))


def test_functions_without_need_are_refused(flat):
    with pytest.raises(ValueError, match="was not corrected: leave out `illumination`"):
        Cloome(checkpoint(), device="cpu").embed_fields(flat, illumination=functions())


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        (np.ones((4, 2, 2)), r"shape \(4, 2, 2\); it needs \(5, height, width\)"),
        (np.zeros((5, 2, 2)), "function of Mito has 4 values that are 0 or negative"),
        ({"DNA": "a.npy"}, "has the channels DNA; it needs one file each"),
        (dict.fromkeys(CHANNELS, "a.npy"), r"a\.npy cannot be read"),
    ],
)
def test_bad_functions_are_refused(given, problem):
    with pytest.raises(ValueError, match=problem):
        read_functions(given)


def test_functions_of_new_plates(tmp_path, caplog):
    for folder, plate in (("one", "A"), ("two", "B")):
        (tmp_path / folder / "illum").mkdir(parents=True)
        for channel, function in zip(CHANNELS, functions(), strict=True):
            np.save(tmp_path / folder / f"illum/{plate}_Illum{channel}.npy", function)
    folders = [tmp_path / "one", tmp_path / "two"]
    index = pd.DataFrame({"plate": ["A", "B"], "path_Mito": [f"{folders[0]}/x.tif", f"{folders[1]}/x.tif"]})
    provided = Storage(illumination=ProvidedIllumination("provided"))
    for storage, pattern in (
        (provided, PATTERN),
        (Storage(illumination=ProvidedIllumination("provided", PATTERN)), None),
    ):
        same, found = find_illumination(storage, folders, index, pattern)
        assert same is storage
        assert found["B"] == [f"{folders[1]}/illum/B_Illum{channel}.npy" for channel in CHANNELS]
    without, found = find_illumination(provided, folders, index, None)
    assert (without.illumination, found) == (None, None)
    assert "that of these plates is not: give their functions by --illumination" in caplog.text
    with pytest.raises(FileNotFoundError, match="plate A: there is no illumination function"):
        find_illumination(provided, folders, index, "other/" + PATTERN)
    for illumination, how in (
        (None, "not corrected"),
        (EstimatedIllumination("estimate"), "estimated from the images"),
    ):
        storage = Storage(illumination=illumination)
        assert find_illumination(storage, folders, index, None) == (storage, None)
        with pytest.raises(ValueError, match=f"leave out --illumination: .* was {how}"):
            find_illumination(storage, folders, index, PATTERN)
