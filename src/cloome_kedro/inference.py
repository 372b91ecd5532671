"""`Cloome` embeds fields and structures with a trained or a published model. It does not need Kedro."""

import dataclasses
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from cloome_kedro import inference_inputs as inputs
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.given_fields import (
    ContrastCheck,
    Fields,
    Thresholds,
    open_fields,
    plate_thresholds,
    stored_reader,
)
from cloome_kedro.imaging.illumination.given import Illuminations, corrected
from cloome_kedro.imaging.plate_statistics import check_arguments, given_statistics
from cloome_kedro.inference_encoders import encoder_of
from cloome_kedro.inference_questions import Questions
from cloome_kedro.learning.checkpoint import Checkpoint, load
from cloome_kedro.learning.published import read_published
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Morgan
from cloome_kedro.learning.views.scaling import Scaled
from cloome_kedro.learning.views.structures import Structures
from cloome_kedro.words import FUSION


class Cloome(Questions):
    """One embedding space for fields and structures.

    Parameters
    ----------
    checkpoint : cloome_kedro.learning.checkpoint.Checkpoint
        The model, and how its input is prepared.
    device : str or torch.device
        Device that computes; ``auto`` takes an accelerator if there is one.

    Raises
    ------
    ValueError
        If the channels of the model are not Mito, ER, RNA, AGP, DNA in this order, or if there is no such device.

    Examples
    --------
    >>> model = Cloome.load("data/06_models/virtual_screen/random/default/seed_0/cloome/checkpoint")  # doctest: +SKIP
    >>> model.similarity(fields, ["CCO", "c1ccccc1"])  # (N, 2)  # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, device: str | torch.device = "auto"):
        self.checkpoint = checkpoint
        self.device = inputs.checked_device(device)
        self._views = {side: checkpoint.view(side) for side in ("field", "compound")}
        self._embed = encoder_of(checkpoint, self.device)
        self.embedding_size = self._embed.embedding_size
        if not isinstance(images := self._views["field"], Images):
            return
        storage = dict(images.storage)
        if (channels := storage.pop("channels")) != list(CHANNELS):
            raise ValueError(f"the channels of the checkpoint are {channels}, but must be {list(CHANNELS)}")
        size = storage.pop("size")
        self.storage = Storage(
            **storage | {"intensity": Intensity(**storage["intensity"]), "size": tuple(size) if size else None}
        )

    def __repr__(self) -> str:
        fields, compounds = self._views["field"], self._views["compound"]
        seen = [f"{view.inputs} numbers of the view {self._name_of(side)}" for side, view in self._views.items()]
        if isinstance(fields, Images):
            seen[0] = "whole fields" if fields.crop is None else f"fields of {fields.crop} x {fields.crop}"
        if isinstance(compounds, Morgan):
            seen[1] = f"Morgan fingerprints of {compounds.bits} bits"
        return f"Cloome({' and '.join(seen)} -> {self.embedding_size} numbers, on {self.device})"

    def _name_of(self, side: str) -> str:
        return self.checkpoint.config["views"][side]["name"]

    def _view(self, side: str, *kinds: type, use: str) -> Any:
        """View of a side, which must be of one of these kinds."""
        view = self._views[side]
        if not isinstance(view, kinds):
            raise ValueError(f"the model of the checkpoint sees {side}s as {self._name_of(side)}: use {use}")
        return view

    @classmethod
    def load(cls, path: str | Path, config: str | Path | None = None, device: str | torch.device = "auto") -> "Cloome":
        """Load a checkpoint folder of this project, or a published ``.pt`` file.

        The checkpoint of a fusion gives a `cloome_kedro.inference_fusion.Fusion`, which has the same methods.

        Parameters
        ----------
        path
            The folder or file.
        config
            JSON file with the settings of a published model, to check them (optional).
        device
            As for the class.

        Raises
        ------
        ValueError
            If the folder or file is not a checkpoint or is damaged; see
            `cloome_kedro.learning.published.read_published`.
        """
        for given in (path,) if config is None else (path, config):
            if not isinstance(given, str | Path):
                raise TypeError(f"a path must be a text or a Path, not {given!r:.100}")
        path = Path(path).expanduser()
        if not path.is_dir():
            return cls(read_published(path, config), device)
        if config is not None:
            raise ValueError(f"{path} is a checkpoint folder, which contains its config.json: leave out `config`")
        return cls.of(load(path), device)

    @classmethod
    def of(cls, checkpoint: Checkpoint, device: str | torch.device = "auto") -> "Cloome":
        """Make the model of a checkpoint of any kind."""
        if checkpoint.kind != FUSION:
            return Cloome(checkpoint, device)
        from cloome_kedro.inference_fusion import Fusion

        return Fusion(checkpoint, device)

    @property
    def takes_structures_as_given(self) -> bool:
        """Whether SMILES are not standardised, as those that a published model was trained on."""
        return self.checkpoint.config.get("source") == "published"

    @property
    def image_views(self) -> list[Mapping[str, Any]]:
        """Settings of the views that see images: one, or none if the model sees fields as features."""
        return [self.checkpoint.config["views"]["field"]] if isinstance(self._views["field"], Images) else []

    def embed_fields(
        self,
        fields: Fields,
        crop: int | None = None,
        batch_size: int = 64,
        *,
        thresholds: Thresholds | None = None,
        plate_fields: Fields | None = None,
        controls: Fields | None = None,
        statistics: Mapping[str, Any] | None = None,
        illumination: Illuminations | None = None,
        progress: bool = True,
    ) -> np.ndarray:
        """Embed fields.

        Parameters
        ----------
        fields
            An array (N, 5, H, W), or N sequences of five image files, with the channels Mito, ER, RNA, AGP, DNA in this
            order; or N mappings ``{"DNA": file, "ER": file, ...}`` in any order. An array is uint8 as stored by
            ingestion, or uint16 as the microscope gives it. All files have the same size and bit depth. uint16 arrays
            and files are scaled to 8 bits, cropped and resized as the training fields of the checkpoint were.
        crop
            Side of the central square that the encoder sees, in pixels. None: the crop of the checkpoint; for published
            checkpoints this is the whole field.
        batch_size
            Number of fields per batch.
        thresholds, plate_fields
            One of the two is needed for images of 16 bits if the training fields were scaled by thresholds of their
            plate. ``thresholds`` are five numbers, or ``{"DNA": number, ...}``: the columns ``threshold_<channel>`` of
            the table ``fields``. ``plate_fields`` are the raw images of all fields of the plate, in the same form as
            ``fields``, from which the thresholds are made.
        controls, statistics
            One of the two is needed if the model has the normalisation ``controls``. All fields must then be of one
            plate. ``controls`` are the fields of its control wells, in the same form as ``fields``. ``statistics`` are
            ``{"mean": values, "std": values}``: the rows of the plate in the table ``plate_statistics``, as five
            numbers each or as ``{"DNA": number, ...}``.
        illumination
            Illumination functions of the plate, if those of the training fields were corrected: the file that ingestion
            keeps of a plate, ``{"DNA": file, ...}`` with files ``.npy``, or an array (5, H, W). Raw images of all
            arguments are divided by them.
        progress
            Whether several batches show a progress bar.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If the fields have another shape, a file is unreadable or black (the message names it), its name says
            another channel, the crop is too large, or thresholds or the controls of the plate are missing.
        TypeError
            If ``fields`` is neither an array of uint8 or uint16 nor sequences or mappings of files.

        Warns
        -----
        UserWarning
            If images have no contrast, do not seem to be scaled to 8 bits, or are not corrected like those in training.
        """
        inputs.check_positive(batch_size=batch_size, crop=1 if crop is None else crop)
        images = self._view("field", Images, use="embed_features")
        by_controls = images.normalisation == "controls"
        check_arguments(by_controls, controls, statistics)
        correct = partial(corrected, storage=self.storage, illumination=illumination)
        given = correct(open_fields(fields))
        plate = None if plate_fields is None else correct(open_fields(plate_fields))
        if plate is not None and controls is not None and given.bits > 8:  # the plate is then read only once
            thresholds, plate = plate_thresholds(self.storage, thresholds, plate), None
        read = ContrastCheck(stored_reader(given, self.storage, thresholds, plate))
        view = images if crop is None else dataclasses.replace(images, crop=crop)
        context = None
        if by_controls:
            reader = partial(stored_reader, storage=self.storage, thresholds=thresholds, plate=plate)
            numbers = given_statistics(statistics, controls, lambda fields: reader(correct(fields)))
            context = np.broadcast_to(numbers, (given.number, *numbers.shape))
        vectors = self._embed("field", read, given.number, view, batch_size, progress=progress, context=context)
        read.warn()
        return vectors

    def embed_structures(
        self, smiles: Iterable[str], batch_size: int = 4096, *, progress: bool = True, standardise: bool = True
    ) -> np.ndarray:
        """Embed structures.

        Parameters
        ----------
        smiles
            N SMILES. They are standardised as in training, except for published checkpoints.
        batch_size
            Number of structures per batch.
        progress
            Whether several batches show a progress bar.
        standardise
            False for SMILES that are standardised already.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If a SMILES cannot be read, or the model does not see structures. The message names the first such SMILES
            and its position.
        TypeError
            If ``smiles`` is not a list of texts, such as a single string.
        """
        inputs.check_positive(batch_size=batch_size)
        view = self._view("compound", Morgan, Structures, use="embed_features(..., side='compound')")
        texts = inputs.checked_structures(smiles, standardise=standardise and not self.takes_structures_as_given)
        read = inputs.read_structures(view, texts)
        return self._embed("compound", read, len(texts), view, batch_size, progress=progress)

    def embed_features(
        self, features: np.ndarray, side: Literal["field", "compound"] = "field", batch_size: int = 4096
    ) -> np.ndarray:
        """Embed fields or compounds by their features, with a model that sees such features.

        Parameters
        ----------
        features
            (N, features): one row per field or compound, with the features of the training in their order, which is
            ``model.checkpoint.config["views"][side]["columns"]``. They are scaled as in training. With the scaling
            ``controls``, they must already be scaled by the controls of their plate.
        side
            Whether rows are of fields or of compounds.
        batch_size
            Number of rows per batch.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If the model does not see features on this side, or the features have another number or are not finite.
        """
        inputs.check_positive(batch_size=batch_size)
        use = "embed_fields" if side == "field" else "embed_structures"
        view = self._view(side, Scaled, use=use)
        values = inputs.checked_features(features, view.columns, side)
        return self._embed(side, values.__getitem__, len(values), view, batch_size)
