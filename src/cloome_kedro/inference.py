"""`Cloome` embeds fields and structures with a trained or a published model. It does not need Kedro."""

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rdkit import Chem, rdBase

from cloome_kedro.chemistry.fingerprints import morgan, pack
from cloome_kedro.chemistry.standardise import standardise_smiles
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.given_fields import ContrastCheck, Fields, Thresholds, open_fields, stored_reader
from cloome_kedro.learning.checkpoint import Checkpoint, load
from cloome_kedro.learning.embed import Embedder, find_device
from cloome_kedro.learning.published import read_published
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan


class Cloome:
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
        If the views of the model are not images and Morgan fingerprints, if its channels are not Mito, ER, RNA, AGP,
        DNA in this order, or if there is no such device.

    Examples
    --------
    >>> model = Cloome.load("data/06_models/virtual_screen/random/default/seed_0/cloome/checkpoint")  # doctest: +SKIP
    >>> model.similarity(fields, ["CCO", "c1ccccc1"])  # (N, 2)  # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, device: str | torch.device = "auto"):
        self.checkpoint = checkpoint
        self.device = _checked_device(device)
        images, fingerprints = checkpoint.view("field"), checkpoint.view("compound")
        if not isinstance(images, Images) or not isinstance(fingerprints, Morgan):
            views = [checkpoint.config["views"][side]["name"] for side in ("field", "compound")]
            raise ValueError(
                f"the model of the checkpoint sees fields as {views[0]} and compounds as {views[1]}. `Cloome` needs a "
                "model that sees images and Morgan fingerprints"
            )
        storage = dict(images.storage)
        if (channels := storage.pop("channels")) != list(CHANNELS):
            raise ValueError(f"the channels of the checkpoint are {channels}, but must be {list(CHANNELS)}")
        size = storage.pop("size")
        self._storage = Storage(
            **storage | {"intensity": Intensity(**storage["intensity"]), "size": tuple(size) if size else None}
        )
        self._images, self._fingerprints, self._model = images, fingerprints, checkpoint.build()

    def __repr__(self) -> str:
        side = "whole fields" if self._images.crop is None else f"fields of {self._images.crop} x {self._images.crop}"
        return (
            f"Cloome({side} and Morgan fingerprints of {self._fingerprints.bits} bits -> "
            f"{self._model.embedding_size} numbers, on {self.device})"
        )

    @classmethod
    def load(cls, path: str | Path, config: str | Path | None = None, device: str | torch.device = "auto") -> "Cloome":
        """Load a checkpoint folder of this project, or a published ``.pt`` file.

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
        return cls(load(path), device)

    def embed_fields(
        self,
        fields: Fields,
        crop: int | None = None,
        batch_size: int = 64,
        *,
        thresholds: Thresholds | None = None,
        plate_fields: Fields | None = None,
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
        progress
            Whether several batches show a progress bar.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If the fields have another shape, a file is unreadable or black (the message names it), its name says
            another channel, the crop is too large, or thresholds are missing.
        TypeError
            If ``fields`` is neither an array of uint8 or uint16 nor sequences or mappings of files.

        Warns
        -----
        UserWarning
            If images have no contrast, or do not seem to be scaled to 8 bits.
        """
        _check_positive(batch_size=batch_size, crop=1 if crop is None else crop)
        given = open_fields(fields)
        plate = None if plate_fields is None else open_fields(plate_fields)
        read = ContrastCheck(stored_reader(given, self._storage, thresholds, plate))
        view = self._images if crop is None else dataclasses.replace(self._images, crop=crop)
        embed = Embedder(self._model, batch_size, self.device, progress and given.number > batch_size)
        vectors = embed("field", read, given.number, view)
        read.warn()
        return vectors

    def embed_structures(self, smiles: Iterable[str], batch_size: int = 4096, *, progress: bool = True) -> np.ndarray:
        """Embed structures.

        Parameters
        ----------
        smiles
            N SMILES. They are standardised as in training, except for published checkpoints.
        batch_size
            Number of structures per batch.
        progress
            Whether several batches show a progress bar.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If a SMILES cannot be read. The message names the first such SMILES and its position.
        TypeError
            If ``smiles`` is not a list of texts, such as a single string.
        """
        if isinstance(smiles, str | bytes):
            raise TypeError(f"a list of SMILES is expected, not the single string {smiles!r}")
        if isinstance(smiles, Mapping) or not isinstance(smiles, Iterable):
            raise TypeError(f"a list of SMILES is expected, not {smiles!r:.100}")
        _check_positive(batch_size=batch_size)
        standardise = self.checkpoint.config.get("source") != "published"
        texts = [_checked_smiles(position, text, standardise) for position, text in enumerate(smiles)]
        settings = dataclasses.asdict(self._fingerprints)
        fingerprints = Fingerprints(pack(morgan(texts, **settings)), settings)
        rows = self._fingerprints.rows({"structure_row": np.arange(len(texts))}, {"fingerprints": fingerprints})
        embed = Embedder(self._model, batch_size, self.device, progress and len(texts) > batch_size)
        return embed("compound", rows.read, len(texts), self._fingerprints)

    def similarity(
        self, fields: Fields, structures: np.ndarray | Iterable[str], *, progress: bool = True, **options: Any
    ) -> np.ndarray:
        """Compute the similarity of every field to every structure.

        Parameters
        ----------
        fields
            As for :meth:`embed_fields`, or embeddings (N, d).
        structures
            As for :meth:`embed_structures`, or embeddings (M, d).
        progress
            Whether several batches show a progress bar.
        options
            Further arguments of :meth:`embed_fields`.

        Returns
        -------
        (N, M) float32: the dot product of the embeddings, which is the cosine for embeddings of length 1.

        Raises
        ------
        ValueError, TypeError
            As :meth:`embed_fields` and :meth:`embed_structures`, or if embeddings have another length or are not
            finite.
        """
        # Structures come first: a mistake in them is found before many images are read.
        compound_vectors = self._embedding(structures)
        if compound_vectors is None:
            compound_vectors = self.embed_structures(structures, progress=progress)
        field_vectors = self._embedding(fields)
        if field_vectors is None:
            field_vectors = self.embed_fields(fields, progress=progress, **options)
        return field_vectors @ compound_vectors.T

    def _embedding(self, side: Any) -> np.ndarray | None:
        """Return the argument if it holds embeddings, after checks; None if it must be embedded."""
        if not (isinstance(side, np.ndarray) and side.ndim == 2 and np.issubdtype(side.dtype, np.floating)):
            return None
        if side.shape[1] != (size := self._model.embedding_size):
            raise ValueError(f"embeddings of this model have {size} numbers, not {side.shape[1]}")
        if not (finite := np.isfinite(side).all(axis=1)).all():
            raise ValueError(f"row {int(np.argmin(finite))} of the embeddings is not finite")
        return side


def _check_positive(**numbers: Any) -> None:
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int | np.integer) or number < 1:
            raise ValueError(f"{name} must be a whole number of at least 1, not {number!r}")


def _checked_device(device: str | torch.device) -> torch.device:
    try:
        checked = find_device() if device == "auto" else torch.device(device)
        torch.empty(1, device=checked)
    except Exception as error:  # torch raises several types
        raise ValueError(
            f"the device {device} cannot be used ({str(error).splitlines()[0]}): take auto or cpu"
        ) from error
    return checked


def _checked_smiles(position: int, text: str, standardise: bool) -> str:
    try:
        if standardise:
            return standardise_smiles(text).smiles
        with rdBase.BlockLogs():
            if not isinstance(text, str) or not text.strip() or Chem.MolFromSmiles(text) is None:
                raise ValueError("RDKit cannot read it")
        return text
    except (ValueError, RuntimeError) as error:  # RDKit raises both
        raise ValueError(f"the SMILES at position {position}, {text!r}, cannot be embedded: {error}") from error
