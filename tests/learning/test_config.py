import pytest

from cloome_kedro.learning.config import FitConfig


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": -1e-3}, "learning_rate must be at least 0, is -0.001"),
        ({"weight_decay": -1}, "weight_decay must be at least 0"),
        ({"warmup_steps": -1}, "warmup_steps must be at least 0"),
        ({"epochs": 0}, "epochs must be at least 1, is 0"),
        ({"cycles": 0}, "cycles must be at least 1"),
        ({"devices": 0}, "devices must be at least 1"),
        ({"batch_size": 1}, "batch_size must be at least 2, is 1"),
        ({"batch_size": 6, "devices": 4}, "batch_size must be at least 8, is 6"),
        (
            {"batch_size": 9, "devices": 2},
            r"batch_size must be a multiple of devices \(of all nodes\), but 9 is not a multiple of 2",
        ),
        ({"micro_batch_size": 1}, "micro_batch_size must be at least 2"),
        ({"patience": 0}, "patience must be at least 1"),
        ({"checkpoint_steps": 0}, "checkpoint_steps must be at least 1"),
        ({"clip_norm": 0}, "clip_norm must be positive, is 0"),
        ({"checkpoint_minutes": -1.0}, "checkpoint_minutes must be positive, is -1.0"),
        ({"keep": ()}, r"keep must name at least one metric, and each metric once, is \(\)"),
        ({"keep": ("loss", "loss")}, "keep must name at least one metric, and each metric once"),
        ({"momentum": 0.9}, "momentum needs optimizer: sgd"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=f"^FitConfig: {message}"):
        FitConfig(**settings)


def test_settings_at_the_border_are_taken():
    FitConfig(learning_rate=0, warmup_steps=0, epochs=1, batch_size=4, devices=2, micro_batch_size=2, patience=1)
    FitConfig(optimizer="sgd", momentum=0.9, checkpoint_minutes=None, checkpoint_steps=1, clip_norm=1e-9)
