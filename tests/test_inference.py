"""`Cloome`: a published file and a checkpoint of ours, from arrays, files and SMILES to embeddings."""

import subprocess
import sys
from dataclasses import replace

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
import torch

import published_file
from cloome_kedro import Cloome
from cloome_kedro.chemistry.fingerprints import morgan
from cloome_kedro.chemistry.standardise import standardise_smiles
from cloome_kedro.chemistry.structure_config import StructureSet
from cloome_kedro.chemistry.structure_sets import compute_sets
from cloome_kedro.chemistry.structure_sets import describe as describe_set
from cloome_kedro.imaging.config import Intensity
from cloome_kedro.imaging.images import area_average, centre_crop
from cloome_kedro.imaging.intensity import to_uint8
from cloome_kedro.learning.checkpoint import Checkpoint, describe, save
from cloome_kedro.learning.config import FitConfig
from cloome_kedro.learning.encoders.mlp import MLP
from cloome_kedro.learning.encoders.resnet import ResNet
from cloome_kedro.learning.model import Architecture, PairModel
from cloome_kedro.learning.objectives.info_nce import InfoNCE
from cloome_kedro.learning.seeding import seeded
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan
from cloome_kedro.learning.views.profiles import Profiles
from cloome_kedro.learning.views.structures import StructureFeatures, StructureSettings
from cloome_kedro.learning.views.table import TableFeatures
from published_file import SMALL

SMILES = ["CCO", "C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "[Na+].CC(=O)[O-]", "CC(=O)O"]
pytestmark = pytest.mark.usefixtures("one_thread")

ARCHITECTURE = Architecture(ResNet(layers=(1, 1, 1, 1), width=4), MLP(layers=1, width=8), 5, 64, embedding_size=6)
STORAGE = {
    "channels": ["Mito", "ER", "RNA", "AGP", "DNA"],
    "intensity": {"outlier_percent": 0.5, "scale": 255},
    "scope": "field",
    "crop": None,
    "size": None,
}
OURS = Images(crop=32, mean=(100.0,) * 5, std=(60.0,) * 5, storage=STORAGE)


def raw_fields(n=5, size=(230, 240), dtype=np.uint16, seed=0):
    """Dim noise with a bright rectangle of its own for each field and channel."""
    rng = np.random.default_rng(seed)
    top = np.iinfo(dtype).max
    fields = rng.integers(0, top // 40, (n, 5, *size))
    for field in fields:
        for plane in field:
            y, x = rng.integers(0, min(size) // 2, 2)
            plane[y : y + size[0] // 2, x : x + size[1] // 3] += rng.integers(top // 8, top // 2)
    return fields.astype(dtype)


@pytest.fixture(scope="module")
def tensors():
    return published_file.state_dict(**SMALL)


@pytest.fixture(scope="module")
def published(tmp_path_factory, tensors):
    path = published_file.write(tmp_path_factory.mktemp("published") / "p.pt", tensors)
    return Cloome.load(path, device="cpu")


def own_checkpoint(view=None, **storage):
    with seeded(0):
        model = PairModel(ARCHITECTURE)
    views = {"field": replace(OURS, storage=STORAGE | storage, **view or {}), "compound": Morgan(2, 64, False)}
    return Checkpoint(describe(ARCHITECTURE, views, InfoNCE(), FitConfig()), model.state_dict())


@pytest.fixture
def load_own(tmp_path):
    def load(**storage):
        save(own_checkpoint(**storage), tmp_path / "checkpoint")
        return Cloome.load(tmp_path / "checkpoint", device="cpu")

    return load


def encode(checkpoint, images):
    with torch.inference_mode():
        return checkpoint.build().encode_fields(OURS(torch.from_numpy(images))).numpy()


def write_files(folder, fields, decode=tifffile.imwrite, suffix=".tif"):
    groups = []
    for i, field in enumerate(fields):
        groups.append([folder / f"field{i}_{c}{suffix}" for c in range(5)])
        for path, plane in zip(groups[-1], field, strict=True):
            decode(path, plane)
    return groups


def test_published_fields_are_embedded_by_the_published_formula(published, tensors, tmp_path):
    """uint8 as given; uint16, as an array or as files, by the published 0.0028 % and 256; the whole field."""
    raw = raw_fields()
    images = np.stack([
        [np.trunc(np.minimum(plane * (256 / np.sort(plane, axis=None)[-2]), 255)) for plane in field]
        for field in raw.astype(float)
    ]).astype(np.uint8)  # fmt: skip
    expected = published_file.images_by_formula(tensors, torch.from_numpy(images))
    assert (expected[0] - expected[1]).abs().max() > 1e-3
    for fields in (images, raw, write_files(tmp_path, raw)):
        found = published.embed_fields(fields, batch_size=2)
        assert (found.shape, found.dtype) == ((5, 6), np.float32)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    cropped = published_file.images_by_formula(tensors, torch.from_numpy(images[..., 3:227, 8:232]))
    np.testing.assert_allclose(published.embed_fields(images, crop=224), cropped, rtol=0, atol=1e-5)
    with pytest.raises(ValueError, match="crop of 231 pixels is larger than"):
        published.embed_fields(images, crop=231)


def test_published_structures_are_taken_as_given(published, tensors):
    found = published.embed_structures(SMILES, batch_size=2)
    bits = torch.from_numpy(morgan(SMILES, 64, 3, True))
    np.testing.assert_allclose(found, published_file.structures_by_formula(tensors, bits), rtol=0, atol=1e-5)
    assert (found.shape, found.dtype) == ((5, 6), np.float32)
    assert np.abs(found[1] - found[2]).max() > 1e-3  # enantiomers
    assert np.abs(found[3] - found[4]).max() > 1e-3  # salt and acid


def test_own_structures_are_standardised_as_in_training(load_own):
    model = load_own()
    found = model.embed_structures(SMILES)
    with torch.inference_mode():
        bits = torch.from_numpy(morgan(SMILES, 64, 2, False)).float()
        expected = model.checkpoint.build().encode_compounds(bits).numpy()
    np.testing.assert_allclose(found[[0, 1, 2, 4]], expected[[0, 1, 2, 4]], atol=1e-6)
    np.testing.assert_array_equal(found[3], found[4])


def test_own_uint8_fields_are_taken_as_stored(load_own):
    images = raw_fields(4, (40, 36), np.uint8)
    model = load_own(size=[34, 34])
    with pytest.warns(UserWarning, match="uint8 fields are used as they are"):
        found = model.embed_fields(images)
    np.testing.assert_allclose(found, encode(model.checkpoint, images), atol=1e-6)


def test_own_raw_fields_are_stored_as_in_training(load_own, tmp_path):
    model, raw = load_own(crop=60, size=[34, 40]), raw_fields(3, (70, 80))
    expected = encode(model.checkpoint, area_average(centre_crop(to_uint8(raw, Intensity(0.5, 255))[0], 60), (34, 40)))
    np.testing.assert_allclose(model.embed_fields(raw, batch_size=2), expected, atol=1e-6)
    np.testing.assert_allclose(model.embed_fields(write_files(tmp_path, raw)), expected, atol=1e-6)
    with pytest.raises(ValueError, match=r"crop \(60, 60\) .* larger than the images, \(50, 80\)"):
        model.embed_fields(raw[:, :, :50])


def test_eight_bit_files_keep_their_intensities(load_own, tmp_path):
    raw = raw_fields(3, (70, 80), np.uint8)
    write = lambda path, plane: path.write_bytes(imagecodecs.png_encode(plane))  # noqa: E731
    for scope in ("field", "plate"):
        model = load_own(size=[35, 40], scope=scope)
        found = model.embed_fields(write_files(tmp_path, raw, write, ".png"))
        np.testing.assert_allclose(found, encode(model.checkpoint, area_average(raw, (35, 40))), atol=1e-6)


# ---- screens that are scaled by plate


@pytest.fixture
def plate(load_own, tmp_path):
    """A model of a screen scaled by plate, its raw plate, the stored form of the plate, and the thresholds."""
    model, raw = load_own(scope="plate"), raw_fields(3, (40, 40))
    raw[1] //= 4
    thresholds = np.sort(raw.transpose(1, 0, 2, 3).reshape(5, -1), axis=1)[:, -round(0.005 * 3 * 1600)]
    stored = np.minimum(raw * 255.0 / thresholds[:, None, None], 255).astype(np.uint8)
    return model, raw, encode(model.checkpoint, stored), thresholds


@pytest.mark.parametrize("form", ["array", "files"])
def test_fields_of_a_plate_get_their_stored_embeddings(plate, tmp_path, form):
    model, raw, expected, thresholds = plate
    fields = raw if form == "array" else write_files(tmp_path, raw)
    by_channel = dict(zip(reversed(STORAGE["channels"]), thresholds[::-1].tolist(), strict=True))
    for options in (
        {"plate_fields": raw},
        {"plate_fields": write_files(tmp_path, raw)},
        {"thresholds": thresholds},
        {"thresholds": thresholds.astype(float).tolist()},
        {"thresholds": by_channel},
        {"thresholds": {"Hoechst" if name == "DNA" else name: value for name, value in by_channel.items()}},
    ):
        np.testing.assert_allclose(model.embed_fields(fields, batch_size=2, **options), expected, atol=1e-6)
        np.testing.assert_allclose(model.embed_fields(fields[1:2], **options), expected[1:2], atol=1e-6)
    vectors = model.embed_structures(SMILES)
    similar = model.similarity(fields[1:2], SMILES, thresholds=thresholds, batch_size=1)
    np.testing.assert_allclose(similar, expected[1:2] @ vectors.T, atol=1e-6)


def test_fields_of_a_plate_are_refused_without_its_thresholds(plate, load_own, tmp_path):
    model, raw, _, thresholds = plate
    message = "scaled by thresholds of their plate. Give either `thresholds`, .* plate_fields=fields"
    for fields in (raw, raw[:1], write_files(tmp_path, raw[:1])):
        for options in ({}, {"thresholds": thresholds, "plate_fields": raw}):
            with pytest.raises(ValueError, match=message):
                model.embed_fields(fields, **options)
        with pytest.raises(ValueError, match=message):
            model.similarity(fields, ["CCO"])
    for options in ({"thresholds": thresholds}, {"plate_fields": raw}):
        with pytest.raises(ValueError, match="have their own thresholds each: leave out"):
            load_own(scope="field").embed_fields(raw, **options)
    bad = [(thresholds[:4], "five numbers"), ([1.0] * 4 + [np.nan], "from 0 to 65535"), ([70_000] * 5, "from 0 to")]
    bad += [
        (["a"] * 5, "five numbers"),
        ([-1] * 5, "from 0"),
        ({"DNA": 1}, "thresholds has the channels DNA; it needs"),
    ]
    for wrong, message in bad:
        with pytest.raises(ValueError, match=message):
            model.embed_fields(raw, thresholds=wrong)
    with pytest.raises(ValueError, match="plate_fields must be raw images of 16 bits; they are 1 fields of 8"):
        model.embed_fields(raw, plate_fields=raw_fields(1, (40, 40), np.uint8))
    with pytest.raises(ValueError, match="plate_fields, field 1: every pixel"):
        model.embed_fields(raw, plate_fields=raw * np.array([1, 0, 1], np.uint16)[:, None, None, None])


# ---- models that normalise by the controls of a plate


@pytest.fixture
def by_controls():
    """A model with this normalisation, fields of a plate, its controls, and embeddings by the definition."""
    checkpoint = own_checkpoint(scope="field", view={"normalisation": "controls"})
    fields, controls = raw_fields(3, (40, 36), np.uint8), raw_fields(4, (40, 36), np.uint8, seed=1)
    mean = np.median(controls.mean((2, 3)), axis=0)
    moments = ((controls - mean[:, None, None]) ** 2).mean((2, 3))
    std = np.sqrt(np.median(moments, axis=0))
    normalised = (fields[:, :, 4:36, 2:34] - mean[:, None, None]) / std[:, None, None]
    with torch.inference_mode():
        expected = checkpoint.build().encode_fields(torch.from_numpy(normalised).float()).numpy()
    return Cloome(checkpoint, "cpu"), fields, controls, (mean, std), expected


def test_fields_are_normalised_by_the_controls_of_their_plate(by_controls, tmp_path):
    model, fields, controls, (mean, std), expected = by_controls
    assert np.abs(encode(model.checkpoint, fields) - expected).max() > 1e-3
    write = lambda path, plane: path.write_bytes(imagecodecs.png_encode(plane))  # noqa: E731
    table = pd.DataFrame({"mean": mean, "std": std}, index=STORAGE["channels"])
    for options in (
        {"controls": controls},
        {"controls": write_files(tmp_path, controls, write, ".png")},
        {"statistics": {"mean": mean, "std": std.tolist()}},
        {"statistics": table[::-1].to_dict()},
    ):
        found = model.embed_fields(fields, batch_size=2, **options)
        np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(model.embed_fields(fields[1:2], **options), expected[1:2], atol=1e-5)
    vectors = model.embed_structures(SMILES)
    np.testing.assert_allclose(model.similarity(fields, SMILES, controls=controls), expected @ vectors.T, atol=1e-5)
    assert model.embed_fields([], controls=controls).shape == (0, 6)


@pytest.mark.parametrize("given", ["thresholds", "plate_fields"])
def test_raw_controls_are_scaled_as_the_fields_of_their_plate(given):
    """Thresholds and controls together: controls get the thresholds of the plate, then give the statistics."""
    model = Cloome(own_checkpoint(scope="plate", view={"normalisation": "controls"}), "cpu")
    raw = raw_fields(6, (40, 40))
    thresholds = np.sort(raw.transpose(1, 0, 2, 3).reshape(5, -1), axis=1)[:, -round(0.005 * 6 * 1600)]
    stored = np.minimum(raw * 255.0 / thresholds[:, None, None], 255).astype(np.uint8)
    expected = model.embed_fields(stored[:2], controls=stored[3:])
    option = {"thresholds": thresholds} if given == "thresholds" else {"plate_fields": raw}
    np.testing.assert_allclose(model.embed_fields(raw[:2], controls=raw[3:], **option), expected, atol=1e-6)
    np.testing.assert_allclose(model.embed_fields(stored[:2], controls=raw[3:], **option), expected, atol=1e-6)
    with pytest.raises(ValueError, match="scaled by thresholds of their plate"):
        model.embed_fields(stored[:2], controls=raw[3:])


def test_fields_without_the_controls_of_their_plate_are_refused(by_controls, load_own):
    model, fields, controls, (mean, std), _ = by_controls
    statistics = {"mean": mean, "std": std}
    message = "normalises fields by the controls of their plate. Give either `controls`, .* or `statistics`, the rows"
    for options in ({}, {"controls": controls, "statistics": statistics}):
        with pytest.raises(ValueError, match=message):
            model.embed_fields(fields, **options)
    with pytest.raises(ValueError, match=message):
        model.similarity(fields, SMILES)
    for options in ({"controls": controls}, {"statistics": statistics}):
        with pytest.raises(ValueError, match=r"does not normalise fields by the controls .* leave out `controls`"):
            load_own().embed_fields(fields, **options)
    with pytest.raises(ValueError, match="controls has no fields"):
        model.embed_fields(fields, controls=[])
    with pytest.raises(ValueError, match="controls, field 1: every pixel"):
        model.embed_fields(fields, controls=controls * np.array([1, 0, 1, 1], np.uint8)[:, None, None, None])
    with pytest.raises(ValueError, match="std must be five numbers"):
        model.embed_fields(fields, statistics={"mean": mean, "std": std[:3]})


# ---- order of channels


def test_files_by_channel_need_no_order(published, tmp_path):
    raw = raw_fields(2)
    groups = write_files(tmp_path, raw)
    expected = published.embed_fields(raw)
    names = ["MitoTracker", "ER", "RNA", "ph_golgi", "DNA"]
    mappings = [dict(sorted(zip(names, group, strict=True))) for group in groups]
    np.testing.assert_allclose(published.embed_fields(mappings), expected, atol=1e-6)
    mappings[1].pop("RNA")
    with pytest.raises(ValueError, match="field 1 has the channels DNA, ER, MitoTracker, ph_golgi; it needs one each"):
        published.embed_fields(mappings)
    for wrong in ({"Brightfield": groups[1][2]}, {"OrigDNA": groups[1][2]}):
        with pytest.raises(
            ValueError, match=r"field 1 has the channels .*; it needs one each for Mito, ER, RNA, AGP, DNA"
        ):
            published.embed_fields([mappings[0], mappings[1] | wrong])


RIGHT = ["Mito", "ER", "RNA", "AGP", "DNA"]
NAMES = {
    "right": (RIGHT, None),
    "aliases": (["MitoTracker", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst"], None),
    "in the middle": ([f"P1_B02_s1_{name}_w" for name in RIGHT], None),
    "a word in all names": ([f"ER-screen_{name}" for name in RIGHT], None),
    "numbers": (["ch1", "ch2", "ch3", "ch4", "ch5"], None),
    "published order reversed": (RIGHT[::-1], "DNA.png stands in the place of Mito"),
    "swapped": (["Mito", "RNA", "ER", "AGP", "DNA"], "RNA.png stands in the place of ER"),
    "alphabetical": (sorted(RIGHT), "AGP.png stands in the place of Mito"),
    "aliases, swapped": (["a_Hoechst", "b_ER", "c", "d", "e_Mito"], "a_Hoechst.png stands in the place of Mito"),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_of_files_must_not_contradict_the_order(published, tmp_path, case):
    names, message = NAMES[case]
    group = [tmp_path / f"{name}.png" for name in names]
    raw = raw_fields(1)
    for path, plane in zip(group, raw[0], strict=True):
        path.write_bytes(imagecodecs.png_encode(plane))
    if message is None:
        np.testing.assert_allclose(published.embed_fields([group]), published.embed_fields(raw), atol=1e-6)
    else:
        with pytest.raises(ValueError, match=f"field 0: {message}, but its name says"):
            published.embed_fields([group])
        published.embed_fields([dict(zip(RIGHT, group, strict=True))])


def test_a_file_for_two_channels_is_refused(published, tmp_path):
    (group,) = write_files(tmp_path, raw_fields(1))
    with pytest.raises(ValueError, match=r"field 0: the file .*field0_0\.tif is given for several channels"):
        published.embed_fields([[*group[:4], str(group[0])]])


# ---- contrast and range


def test_images_that_seem_scaled_wrongly_are_warned_of(published, load_own, recwarn):
    raw = raw_fields(3, (40, 40))
    published.embed_fields(raw, crop=32)
    published.embed_fields(raw_fields(2, (40, 40), np.uint8))
    assert not [warning for warning in recwarn if warning.category is UserWarning]
    raw[1, 3], raw[2, 4] = 0, 700
    with pytest.warns(
        UserWarning, match="2 images have the same value in all pixels, the first is channel AGP of field 1"
    ):
        published.embed_fields(raw, batch_size=1)
    with pytest.warns(UserWarning, match="the brightest pixel of all fields is 7 of 255: images of more than 8 bits"):
        published.embed_fields((raw_fields(2, (40, 40)) >> 12).clip(0, 15).astype(np.uint8))
    with pytest.warns(UserWarning, match=r"\(40, 36\), but the training fields were stored with \(34, 34\)"):
        load_own(size=[34, 34]).embed_fields(raw_fields(2, (40, 36), np.uint8))
    for dtype in (np.uint8, np.uint16):
        fields = raw_fields(2, (40, 40), dtype)
        fields[1] = 0
        with pytest.raises(ValueError, match="field 1: every pixel of all five channels is 0"):
            published.embed_fields(fields)


def test_another_byte_order_is_read(published):
    raw = raw_fields(2)
    np.testing.assert_array_equal(published.embed_fields(raw.astype(">u2")), published.embed_fields(raw))


# ---- other arguments


@pytest.mark.parametrize("bad", [0, -1, 2.0, True, "2", None])
def test_sizes_are_whole_numbers(published, bad):
    fields = raw_fields(1)
    with pytest.raises(ValueError, match=f"batch_size must be a whole number of at least 1, not {bad!r}"):
        published.embed_fields(fields, batch_size=bad)
    with pytest.raises(ValueError, match="batch_size must be a whole number"):
        published.embed_structures(["CCO"], batch_size=bad)
    if bad is not None:
        with pytest.raises(ValueError, match="crop must be a whole number"):
            published.embed_fields(fields, crop=bad)


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "", "cpu:x"])
def test_a_device_that_is_not_there_is_refused_at_once(published, device):
    with pytest.raises(ValueError, match=f"the device {device} cannot be used .*: take auto or cpu"):
        Cloome(published.checkpoint, device=device)


@pytest.mark.parametrize("path", [None, 3, b"p.pt", ["p.pt"]])
def test_a_path_is_a_text_or_a_path(path):
    with pytest.raises(TypeError, match="a path must be a text or a Path, not"):
        Cloome.load(path)


def test_a_single_text_is_no_list_of_structures(published):
    vectors = published.embed_fields(raw_fields(1))
    for fields in (vectors, raw_fields(1)):
        with pytest.raises(TypeError, match="a list of SMILES is expected, not the single string 'CCO'"):
            published.similarity(fields, "CCO")
    for wrong in (b"CCO", {"CCO": 1}, 5, None):
        with pytest.raises(TypeError, match="a list of SMILES is expected"):
            published.similarity(vectors, wrong)
    expected = published.similarity(vectors, SMILES)
    for structures in (tuple(SMILES), np.array(SMILES), pd.Series(SMILES), (text for text in SMILES)):
        np.testing.assert_array_equal(published.similarity(vectors, structures), expected)
    with pytest.raises(ValueError, match="the SMILES at position 1, nan, cannot be embedded"):
        published.similarity(vectors, ["CCO", float("nan")])


def test_embeddings_that_cannot_be_of_the_model_are_refused(published):
    vectors = published.embed_structures(SMILES)
    with pytest.raises(ValueError, match="embeddings of this model have 6 numbers, not 5"):
        published.similarity(vectors[:, :5], vectors)
    vectors[2, 1] = np.nan
    for sides in ((vectors, SMILES), (published.embed_structures(SMILES), vectors)):
        with pytest.raises(ValueError, match="row 2 of the embeddings is not finite"):
            published.similarity(*sides)


def test_progress_is_shown_unless_it_is_not_wanted(published, capsys):
    fields = raw_fields(3)
    for progress in (True, False):
        published.embed_fields(fields, batch_size=2, progress=progress)
        published.embed_structures(SMILES, batch_size=2, progress=progress)
        published.similarity(fields, SMILES, batch_size=2, progress=progress)
        shown = capsys.readouterr().err
        assert ("fields" in shown) == ("compounds" in shown) == progress


def test_a_model_says_what_it_is(published, load_own):
    assert repr(published) == "Cloome(whole fields and Morgan fingerprints of 64 bits -> 6 numbers, on cpu)"
    assert repr(load_own()).startswith("Cloome(fields of 32 x 32 and Morgan fingerprints of 64 bits")


def test_similarity_is_the_cosine(published):
    fields = raw_fields(3)
    images, structures = published.embed_fields(fields), published.embed_structures(SMILES)
    expected = [[sum(a * b for a, b in zip(x, z, strict=True)) for z in structures] for x in images]
    for one in (fields, images):
        for other in (SMILES, structures):
            found = published.similarity(one, other)
            assert (found.shape, found.dtype) == ((3, 5), np.float32)
            np.testing.assert_allclose(found, expected, atol=1e-6)


def test_nothing_gives_nothing(published):
    assert published.embed_structures([]).shape == (0, 6)
    assert published.embed_fields([]).shape == (0, 6)
    assert published.embed_fields(np.zeros((0, 5, 9, 9), np.uint16)).shape == (0, 6)


@pytest.mark.parametrize("bad", ["C1CC", "C(C)(C)(C)(C)C", "", None])
def test_an_unreadable_smiles_is_named_with_its_position(published, load_own, bad):
    for model in (published, load_own()):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            model.embed_structures(["CCO", "CCN", bad, "CCC"])
        assert f"the SMILES at position 2, {bad!r}, cannot be embedded" in str(error.value)
    with pytest.raises(TypeError, match="not the single string 'CCO'"):
        published.embed_structures("CCO")


def test_bad_fields_are_named(published, tmp_path):
    with pytest.raises(TypeError, match="not float32"):
        published.embed_fields(np.zeros((1, 5, 40, 40), np.float32))
    for shape in ((5, 40, 40), (2, 3, 40, 40)):
        with pytest.raises(ValueError, match=r"must be \(N, 5, H, W\)"):
            published.embed_fields(np.zeros(shape, np.uint8))
    groups = write_files(tmp_path, raw_fields(3, (40, 40)))
    for one_field in (groups[0], [str(path) for path in groups[0]], list(raw_fields(2)), [groups[0], 3], [None]):
        with pytest.raises(TypeError, match=r"one array .* or N sequences of five image files each"):
            published.embed_fields(one_field)
    for what in (str(groups[0][0]), {"DNA": groups[0][0]}, 3, None):
        with pytest.raises(TypeError, match=r"fields must be one array \(N, 5, H, W\) or a list of fields"):
            published.embed_fields(what)
    with pytest.raises(TypeError, match=r"field 1: the path of a file must be a text or a Path, not b'a\.tif'"):
        published.embed_fields([groups[0], [*groups[1][:4], b"a.tif"]])
    with pytest.raises(ValueError, match="field 1 has 4 files; it needs one each for Mito, ER, RNA, AGP, DNA"):
        published.embed_fields([groups[0], groups[1][:4]])
    groups[2][3].unlink()
    with pytest.raises(ValueError, match=r"field 2: channel AGP: field2_3\.tif does not exist"):
        published.embed_fields(groups)
    groups[0][0].write_bytes(b"no image")
    with pytest.raises(ValueError, match=r"field 0: field0_0\.tif is unreadable"):
        published.embed_fields(groups)


def test_what_is_not_a_checkpoint_is_named(tmp_path, load_own):
    with pytest.raises(ValueError, match=r"nothing\.pt does not exist"):
        Cloome.load(tmp_path / "nothing.pt")
    with pytest.raises(ValueError, match="is not a readable checkpoint"):
        Cloome.load(tmp_path)
    model = load_own()
    with pytest.raises(ValueError, match="leave out `config`"):
        Cloome.load(tmp_path / "checkpoint", config=tmp_path / "RN50.json")
    model.checkpoint.config["views"]["field"]["storage"]["channels"].reverse()
    with pytest.raises(ValueError, match=r"the channels of the checkpoint are \['DNA', .*, but must be \['Mito', "):
        Cloome(model.checkpoint)


PROFILES = Profiles(("area", "texture"), (1.0, -2.0), (2.0, 0.5), "signed_log")
SETS = {"counts": StructureSet("morgan", counts=True, size=32, radius=3), "numbers": StructureSet("descriptors")}


def cloome_of(field, compound, **changes):
    """A model with these views, of which at least one is not images or Morgan fingerprints."""
    mlp = MLP(layers=1, width=8)
    encoder = ARCHITECTURE.field if isinstance(field, Images) else mlp
    architecture = Architecture(encoder, mlp, field.inputs, compound.inputs, embedding_size=6, **changes)
    with seeded(0):
        model = PairModel(architecture)
    views = {"field": field, "compound": compound}
    return Cloome(Checkpoint(describe(architecture, views, None, None), model.state_dict()), device="cpu")


def test_structures_are_embedded_by_all_sets_of_the_model():
    """Sets, transforms and means are those of the checkpoint; the SMILES are standardised as in training."""
    computed = compute_sets([standardise_smiles(text).smiles for text in SMILES], SETS)
    features = StructureFeatures({name: describe_set(entry) for name, entry in SETS.items()}, computed)
    table, sources = {"structure_row": np.arange(5)}, {"structure_features": features}
    settings = StructureSettings(("numbers", "counts"), "log1p")
    view = settings.fit(table, sources, np.arange(3), seed=0, progress=False)
    cloome = cloome_of(OURS, view)
    seen = view(torch.from_numpy(view.rows(table, sources).read(np.arange(5))))
    expected = cloome.checkpoint.build().encode_compounds(seen)
    np.testing.assert_allclose(cloome.embed_structures(SMILES), expected.numpy(), atol=1e-6)
    assert cloome.embed_structures([]).shape == (0, 6)
    assert "249 numbers of the view structures -> 6 numbers" in repr(cloome)
    with pytest.raises(ValueError, match="position 1, 'C1CC', cannot be embedded"):
        cloome.embed_structures(["C", "C1CC"])


def test_features_are_embedded_as_in_training():
    cloome = cloome_of(PROFILES, TableFeatures(("x",), (0.0,), (1.0,), table="dino", key="inchikey"))
    features = np.array([[3, -50], [0, 1e4]], np.float32)
    logarithm = np.sign(features) * np.log1p(np.abs(features))
    scaled = torch.from_numpy((logarithm - np.float32([1, -2])) / np.float32([2, 0.5]))
    found = cloome.embed_features(features.tolist())
    np.testing.assert_allclose(found, cloome.checkpoint.build().encode_fields(scaled).numpy(), atol=1e-6)
    assert cloome.embed_features(np.ones((3, 1)), side="compound").shape == (3, 6)
    assert cloome.similarity(found, cloome.embed_features(np.ones((3, 1)), side="compound")).shape == (2, 3)
    with pytest.raises(
        ValueError, match=r"fields of this model have 2 features, from area to texture: an array of sha"
    ):
        cloome.embed_features(np.ones((3, 1)))
    with pytest.raises(ValueError, match="row 1 of the features is not finite"):
        cloome.embed_features([[1, 2], [3, np.inf]])


def test_what_a_model_does_not_see_is_refused_with_the_method_to_use():
    cloome = cloome_of(PROFILES, TableFeatures(("x",), (0.0,), (1.0,), table="dino", key="inchikey"))
    with pytest.raises(ValueError, match="the model of the checkpoint sees fields as profiles: use embed_features"):
        cloome.embed_fields(np.zeros((1, 5, 32, 32), np.uint8))
    with pytest.raises(ValueError, match="sees compounds as table: use embed_features"):
        cloome.embed_structures(["C"])
    cloome = cloome_of(OURS, Morgan(2, 64, False))
    with pytest.raises(ValueError, match="sees fields as images: use embed_fields"):
        cloome.embed_features(np.ones((1, 2)))
    with pytest.raises(ValueError, match="sees compounds as morgan: use embed_structures"):
        cloome.embed_features(np.ones((1, 2)), side="compound")


def test_embeddings_are_as_long_as_the_model_makes_them():
    with seeded(0):
        model = PairModel(replace(ARCHITECTURE, normalise=False))
    views = {"field": OURS, "compound": Morgan(2, 64, False)}
    cloome = Cloome(Checkpoint(describe(model.architecture, views, None, None), model.state_dict()), device="cpu")
    lengths = np.linalg.norm(cloome.embed_structures(SMILES), axis=1)
    assert np.abs(lengths - 1).max() > 0.05


def test_the_package_imports_nothing_and_inference_no_kedro():
    code = (
        "import sys, cloome_kedro; heavy = {'torch', 'rdkit', 'numpy', 'kedro'};"
        "print(sorted(heavy & set(sys.modules)));"
        "cloome_kedro.Cloome; print(sorted({'kedro', 'kedro_datasets', 'pandera', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "[]"]
    import cloome_kedro

    with pytest.raises(AttributeError, match="no attribute 'Clome'"):
        _ = cloome_kedro.Clome


def test_a_real_field(cloome_data, published):
    names = ["Mito", "ERSyto", "ERSytoBleed", "Ph_golgi", "Hoechst"]
    group = [cloome_data / "cloome_field" / f"{name}.tif" for name in names]
    raw = np.stack([tifffile.imread(path) for path in group])[None]
    found = published.embed_fields([group])
    np.testing.assert_allclose(found, published.embed_fields(raw), atol=1e-6)
    np.testing.assert_allclose(found, published.embed_fields(to_uint8(raw, Intensity(0.0028, 256))[0]), atol=1e-6)
