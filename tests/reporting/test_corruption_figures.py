"""Figures of corruptions: figure 1 of the publication, and what corruptions cost."""

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional

from cloome_kedro.imaging.corruptions import draw_settings, field_seed, find_corruptions
from cloome_kedro.reporting import corruption_figures
from cloome_kedro.reporting.montage import field_reader
from cloome_kedro.reporting.style import Look
from synthetic_study import LOOK, make_study


@pytest.fixture(scope="module")
def study():
    return make_study()


def test_effects_are_values_with_intervals_above_differences(study):
    figure = corruption_figures.corruption_effects(study["metrics"], study["differences"], LOOK)
    above, below = np.reshape(figure.axes, (2, 3))
    assert [axis.get_title() for axis in above] == [
        "image → compound, full pool", "compound → image, full pool", "zero-shot, any reference"
    ]  # fmt: skip
    names = [label.get_text() for label in above[0].get_yticklabels()]
    assert names == [
        "clean", "random flip", "rotation ±10°", "flip + rotation ±10°", "rotation ±180°", "gaussian blur"
    ]  # fmt: skip
    assert [label.get_text() for label in below[2].get_yticklabels()] == [
        "compound, flip + rotation ±10°", "MoA, flip + rotation ±10°"
    ]  # fmt: skip
    where = "method == 'CLOOME' and direction == 'image to compound' and pool == 'full' and shown_by == 'field'"
    rows = study["metrics"].query(f"{where} and draws == 1 and metric == 'top-1'").set_index("images")
    top1 = next(line for line in above[0].lines if line.get_label() == "top-1")
    order = ["clean", "random_flip", "small_rotation", "random_flip_small_rotation", "large_rotation", "gaussian_blur"]
    np.testing.assert_allclose(top1.get_xdata(), 100 * rows.loc[order, "value"])
    changes = study["differences"].query(f"{where} and against == 'clean' and metric == 'top-1'").set_index("images")
    drawn = next(line for line in below[0].lines if line.get_label() == "top-1")
    np.testing.assert_allclose(drawn.get_xdata(), 100 * changes.loc[order[1:], "difference"])
    intervals = below[0].collections[1].get_segments()  # of top-1, after the chance that it has none of
    np.testing.assert_allclose([segment[0, 0] for segment in intervals], 100 * changes.loc[order[1:], "low"])
    np.testing.assert_allclose([segment[1, 0] for segment in intervals], 100 * changes.loc[order[1:], "high"])


def test_labels_say_what_training_has_shown(study):
    seen = {"random_flip": "yes", "random_flip_small_rotation": "partly", "gaussian_blur": "no"}
    figure = corruption_figures.corruption_effects(study["metrics"], study["differences"], LOOK, seen)
    expected = [
        "clean", "random flip (in training)", "rotation ±10°", "flip + rotation ±10° (partly in training)",
        "rotation ±180°", "gaussian blur",
    ]  # fmt: skip
    labels = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert [label.replace("\n", " ") for label in labels] == expected
    assert labels[1] == "random flip\n(in training)"
    assert figure.axes[2].get_yticklabels()[0].get_text() == "compound, clean"
    figure = corruption_figures.corruption_ranks(study["retrieval_ranks"], study["corruption_ranks"], LOOK, seen)
    assert [text.get_text() for text in figure.legends[0].get_texts()][:6] == expected


def test_only_the_first_model_is_drawn(study):
    metrics, differences = (
        study[name].replace({"method": {"CLOOME": "Bilinear"}}) for name in ("metrics", "differences")
    )
    figure = corruption_figures.corruption_effects(metrics, differences, LOOK)
    assert figure.texts[0].get_text() == "No corrupted images were evaluated."
    other = Look(models={"bilinear": "Bilinear"})
    assert len(corruption_figures.corruption_effects(metrics, differences, other).axes) == 6


def test_without_corruptions_that_is_said(study):
    clean = study["differences"].query("against != 'clean'")
    figure = corruption_figures.corruption_effects(study["metrics"], clean, LOOK)
    assert figure.texts[0].get_text() == "No corrupted images were evaluated."


def test_ranks_on_corrupted_images_are_drawn_beside_those_on_clean_ones(study):
    clean, corrupted = study["retrieval_ranks"], study["corruption_ranks"]
    figure = corruption_figures.corruption_ranks(clean, corrupted, LOOK)
    assert [axis.get_title().partition(",")[0] for axis in figure.axes] == ["image → compound", "compound → image"]
    where = "method == 'CLOOME' and direction == 'compound to image' and pool == 'full' and shown_by == 'field'"
    lines = {line.get_label(): line for line in figure.axes[1].lines}
    assert list(lines)[:2] == ["clean", "random flip"]
    for label, table, images in (("clean", clean, "clean"), ("random flip", corrupted, "random_flip")):
        ranks = table.query(f"{where} and draw == 0 and images == '{images}'")["rank"].to_numpy()
        k, share = lines[label].get_data()
        assert share[k <= 5].max(initial=0) == pytest.approx((ranks <= 5).mean())
    to_compounds = corrupted.query("direction == 'image to compound'")
    assert len(corruption_figures.corruption_ranks(clean, to_compounds, LOOK).axes) == 1
    assert not corruption_figures.corruption_ranks(clean, corrupted.iloc[:0], LOOK).axes


def test_figure_1_shows_the_field_as_the_study_corrupts_it(study):
    read = field_reader(study["plate_store"], study["fields"])
    figure, field_id = corruption_figures.figure_1(study["fields"]["field_id"], read, 3, "simulated data")
    assert [axis.get_title(loc="left") for axis in figure.axes] == list("abcde")
    assert [axis.get_title() for axis in figure.axes] == [
        "clean", "random flip", "rotation ±10°", "flip + rotation ±10°", "rotation ±180°"
    ]  # fmt: skip
    (change,) = find_corruptions(["large_rotation"])
    angle = draw_settings(change, field_seed(3, "large_rotation", field_id))["angle"]
    assert abs(angle) >= 3
    assert figure.axes[4].get_xlabel() == f"{angle:+.1f}°"
    assert figure.axes[1].get_xlabel().replace(" ", "") in ("↔", "↕", "↔↕")
    pictures = [np.asarray(axis.images[0].get_array()) for axis in figure.axes]
    wedges = functional.rotate(torch.ones(1, *pictures[0].shape[:2]), angle, fill=[0.0])[0].numpy() == 0
    assert wedges.any()
    assert (pictures[4][wedges] == 0).all()  # black, as nothing that is an image
    assert (pictures[4][~wedges].max(axis=1) > 0).all()
    clean = torch.from_numpy(pictures[0]).permute(2, 0, 1)
    turned = functional.rotate(clean, angle, fill=[0.0]).permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(pictures[4], turned)  # one contrast for all
    again, same = corruption_figures.figure_1(study["fields"]["field_id"].iloc[::-1], read, 3)
    assert same == field_id
    assert field_id in figure.texts[0].get_text()
    assert "simulated" not in again.texts[0].get_text()
