"""Which epoch is kept, and what belongs to an epoch."""

import pytest
import torch
from torch import nn

from cloome_kedro.learning.progress import Progress


@pytest.fixture
def model():
    return nn.Linear(1, 1, bias=False)


def keep(progress, model, rows, metrics, validated=True):
    """Keep the best of epochs whose weight is their number."""
    for epoch, row in enumerate(rows):
        nn.init.constant_(model.weight, epoch)
        progress.keep_best({"epoch": epoch, **row}, metrics, model, validated)
    return {metric: (best["epoch"], best["tensors"]["weight"].item()) for metric, best in progress.best.items()}


def test_each_metric_keeps_its_best_epoch_and_equal_values_the_lower_loss(model):
    rows = [
        {"validation_top1": top1, "validation_loss": loss}
        for top1, loss in ((0.5, 2.0), (0.5, 1.5), (0.5, 1.5), (0, 1))
    ]
    assert keep(Progress(), model, rows, ["top1", "loss"]) == {"top1": (1, 1.0), "loss": (3, 3.0)}


def test_without_validation_the_last_epoch_is_kept(model):
    rows = [{"validation_loss": torch.nan}] * 3
    assert keep(Progress(), model, rows, ["top1"], validated=False) == {"top1": (2, 2.0)}


def test_a_metric_that_is_not_a_number_is_named(model):
    with pytest.raises(ValueError, match=r"fit.keep: auc cannot be measured on the validation fold"):
        keep(Progress(), model, [{"validation_auc": torch.nan, "validation_loss": 1.0}], ["auc"])


def test_the_next_epoch_starts_without_losses_and_times():
    progress = Progress(step=4, epoch=1, losses=[1.0], norms=[3.0], steps=2, waiting=0.5, elapsed=2.0, skipped=1)
    assert progress.fields_per_second(batch_size=10) == 10
    progress.start_next_epoch()
    assert progress == Progress(step=4, epoch=2, skipped=1)
