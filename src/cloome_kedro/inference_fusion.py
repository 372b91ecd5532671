"""`Fusion` embeds fields and structures by several models, whose vectors it joins."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import numpy as np
import torch

from cloome_kedro import inference_inputs as inputs
from cloome_kedro.evaluation.fusion import join
from cloome_kedro.imaging.given_fields import Fields
from cloome_kedro.inference import Cloome
from cloome_kedro.learning.checkpoint import Checkpoint


class Fusion(Cloome):
    """A fusion of models. It has the methods of `Cloome`: each part embeds, and the vectors are joined.

    Parameters
    ----------
    checkpoint : cloome_kedro.learning.checkpoint.Checkpoint
        Checkpoint of a fusion, with those of its parts.
    device : str or torch.device
        As for `Cloome`.

    Attributes
    ----------
    parts
        The models by name. Parts with weight 0 are not among them.

    Raises
    ------
    ValueError
        If the checkpoint has no parts or is damaged, or if images are stored differently for its parts.
    """

    def __init__(self, checkpoint: Checkpoint, device: str | torch.device = "auto"):
        self.checkpoint, self.device = checkpoint, inputs.checked_device(device)
        self.parts = {name: Cloome.of(part, self.device) for name, part in checkpoint.parts.items()}
        self._factors = {side: checkpoint.tensors[side].tolist() for side in checkpoint.tensors}
        if not self.parts or any(len(self._factors.get(side, ())) != len(self.parts) for side in ("field", "compound")):
            raise ValueError("the checkpoint of the fusion does not have a factor for each part: make the fusion again")
        self.embedding_size = sum(part.embedding_size for part in self.parts.values())
        if self.image_views:
            storages = [part.storage for part in self.parts.values()]
            if any(storage != storages[0] for storage in storages):
                raise ValueError("images are stored differently for the parts of the fusion: train its parts again")
            self.storage = storages[0]

    def __repr__(self) -> str:
        return f"Fusion({' and '.join(self.parts)} -> {self.embedding_size} numbers, on {self.device})"

    @property
    def takes_structures_as_given(self) -> bool:
        """Whether a part does not standardise SMILES."""
        return any(part.takes_structures_as_given for part in self.parts.values())

    @property
    def image_views(self) -> list[Mapping[str, Any]]:
        """Settings of the views that see images; none if a part does not see images."""
        views = [part.image_views for part in self.parts.values()]
        return [view for of_part in views for view in of_part] if all(views) else []

    def embed_fields(  # type: ignore[override] # further arguments are those of `Cloome.embed_fields`
        self,
        fields: Fields,
        crop: int | None = None,
        batch_size: int = 64,
        *,
        controls: Fields | None = None,
        statistics: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> np.ndarray:
        """Embed fields, as `Cloome.embed_fields`; ``controls`` or ``statistics`` are for the parts that need them.

        Raises
        ------
        ValueError
            As `Cloome.embed_fields`, or if a part does not see images. The message names parts that do.
        """
        if not self.image_views:
            able = [name for name, part in self.parts.items() if part.image_views]
            others = [name for name in self.parts if name not in able]
            advice = f"embed them with the part {' or '.join(able)} (`model.parts`)" if able else "no part sees images"
            raise ValueError(
                f"a fusion embeds images only if all its parts see images, but {', '.join(others)} "
                f"{'sees' if len(others) == 1 else 'see'} fields as features: {advice}"
            )
        by_controls = {"controls": inputs.listed(controls), "statistics": statistics}
        any_by_controls = any(view.get("normalisation") == "controls" for view in self.image_views)
        shared = {name: inputs.listed(value) for name, value in options.items()}
        fields, vectors = inputs.listed(fields), []
        for part in self.parts.values():
            needed = any(view.get("normalisation") == "controls" for view in part.image_views)
            given = by_controls if needed or not any_by_controls else {}
            vectors.append(part.embed_fields(fields, crop, batch_size, **shared, **given))
        return join(vectors, self._factors["field"])

    def embed_structures(
        self, smiles: Iterable[str], batch_size: int = 4096, *, progress: bool = True, standardise: bool = True
    ) -> np.ndarray:
        """Embed structures, with the arguments, results and errors of `Cloome.embed_structures`."""
        texts = inputs.listed(smiles)
        if not self.takes_structures_as_given:
            texts, standardise = inputs.checked_structures(texts, standardise), False
        vectors = [
            part.embed_structures(texts, batch_size, progress=progress, standardise=standardise)
            for part in self.parts.values()
        ]
        return join(vectors, self._factors["compound"])

    def embed_features(
        self, features: np.ndarray, side: Literal["field", "compound"] = "field", batch_size: int = 4096
    ) -> np.ndarray:
        """Embed features of fields or compounds, if all parts see the same features; see `Cloome.embed_features`."""
        vectors = [part.embed_features(features, side, batch_size) for part in self.parts.values()]
        return join(vectors, self._factors[side])
