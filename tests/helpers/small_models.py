"""Small models: entries under ``models:``, to which a test adds ``fit``."""

from typing import Any

IMAGE_MODEL: dict[str, Any] = {
    "field": {
        "view": {"name": "images", "normalisation": "published"},
        "encoder": {"name": "resnet", "layers": [1, 1, 1, 1], "width": 4},
    },
    "compound": {"view": "morgan", "encoder": {"name": "mlp", "layers": 1, "width": 8}},
    "embedding_size": 8,
    "objective": "info_nce",
}
BILINEAR: dict[str, Any] = {
    "field": {"view": "profiles", "encoder": "identity"},
    "compound": {"view": "morgan", "encoder": {"name": "linear", "start": "zeros"}},
    "normalise": False,
    "inverse_temperature": 1,
    "learnable_temperature": False,
    "objective": "info_nce",
}
