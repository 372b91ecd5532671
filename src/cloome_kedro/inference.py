"""`Cloome`: embeddings of fields and structures by a trained or a published model, without Kedro."""

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from rdkit import Chem, rdBase

from cloome_kedro.chemistry.fingerprints import morgan, pack
from cloome_kedro.chemistry.standardise import standardise_smiles
from cloome_kedro.imaging.channels import CHANNELS
from cloome_kedro.imaging.images import BadField, read_field, read_image
from cloome_kedro.imaging.intensity import pooled_thresholds
from cloome_kedro.imaging.plates import PlateSettings
from cloome_kedro.learning.checkpoint import Checkpoint, build, load, preprocess_of
from cloome_kedro.learning.embed import embed_images, embed_structures, find_device
from cloome_kedro.learning.published import read_published

#: fields as an array, or the five image files of each
Fields = np.ndarray | Sequence[Sequence[str | Path]]


class Cloome:
    """One embedding space for fields and structures.

    Parameters
    ----------
    checkpoint : cloome_kedro.learning.checkpoint.Checkpoint
        The model and what it expects of its input.
    device : str or torch.device
        ``auto`` finds an accelerator.

    Examples
    --------
    >>> model = Cloome.load("data/06_models/virtual_screen/random/default/seed_0/checkpoint")  # doctest: +SKIP
    >>> model.similarity(fields, ["CCO", "c1ccccc1"])  # (N, 2)  # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, device: str | torch.device = "auto"):
        self.checkpoint = checkpoint
        self.device = find_device() if device == "auto" else torch.device(device)
        self._model = build(checkpoint)
        self._preprocess = preprocess_of(checkpoint)
        intensity = dict(checkpoint.config["intensity"])
        size = intensity.pop("size")
        self._settings = PlateSettings(**intensity, size=tuple(size) if size else None)
        if (channels := checkpoint.config["channels"]) != list(CHANNELS):
            raise ValueError(f"the checkpoint's channels are {channels}; fields are stacked as {list(CHANNELS)}")

    @classmethod
    def load(cls, path: str | Path, config: str | Path | None = None, device: str | torch.device = "auto") -> "Cloome":
        """Load a checkpoint folder of this project, or a published ``.pt`` file (optionally with its model's JSON).

        Raises
        ------
        ValueError
            If it is neither, or is damaged; see `cloome_kedro.learning.published.read_published`.
        """
        if not Path(path).is_dir():
            return cls(read_published(path, config), device)
        if config is not None:
            raise ValueError(f"{path} is a checkpoint folder, which has its own config.json: leave out `config`")
        return cls(load(Path(path)), device)

    def embed_fields(self, fields: Fields, crop: int | None = None, batch_size: int = 64) -> np.ndarray:
        """Embed fields: (N, d) float32, rows L2-normalised.

        Parameters
        ----------
        fields
            (N, 5, H, W) in the order Mito, ER, RNA, AGP, DNA: uint8 as stored by ingestion, or uint16 as the microscope
            gives them; or N sequences of five image files in that order, all of one size and bit depth. uint16 arrays
            and files are brought to 8 bits, cropped and resized as the checkpoint's training fields were; where its
            thresholds are those of a plate, the fields of one call are taken as one plate.
        crop
            Side of the central square that the encoder sees, in pixels; None: what the checkpoint says, the whole field
            for published ones.
        batch_size
            Fields at a time.

        Raises
        ------
        ValueError
            If the fields have another shape, a file is unreadable (named), or the crop is too large.
        TypeError
            If fields are neither files nor one array of uint8 or uint16.
        """
        preprocess = self._preprocess if crop is None else dataclasses.replace(self._preprocess, crop=crop)
        read = self._stored(fields)
        return embed_images(
            self._model, read, len(fields), preprocess, batch_size, self.device, progress=len(fields) > batch_size
        )

    def embed_structures(self, smiles: Sequence[str], batch_size: int = 4096) -> np.ndarray:
        """Embed structures: (N, d) float32, rows L2-normalised.

        Structures are standardised as in training; for a published checkpoint they are taken as given.

        Raises
        ------
        ValueError
            Naming the first SMILES that cannot be read, and its position.
        """
        if isinstance(smiles, str):
            raise TypeError(f"a list of SMILES is expected, not the single string {smiles!r}")
        standardise = self.checkpoint.config.get("source") != "published"
        texts = [_readable(position, text, standardise) for position, text in enumerate(smiles)]
        settings = self.checkpoint.config["fingerprints"]
        bits = pack(morgan(texts, settings["bits"], settings["radius"], settings["chirality"]))
        return embed_structures(self._model, bits, batch_size, self.device, progress=len(bits) > batch_size)

    def similarity(self, fields: Fields, structures: np.ndarray | Sequence[str]) -> np.ndarray:
        """Cosine similarity (fields, structures) float32; each side as for the methods above, or their embeddings."""
        images = fields if _is_embedding(fields) else self.embed_fields(fields)
        compounds = structures if _is_embedding(structures) else self.embed_structures(list(structures))
        return np.asarray(images) @ np.asarray(compounds).T

    def _stored(self, fields: Fields) -> Callable[[np.ndarray], np.ndarray]:
        """A reader of fields by position, as uint8 (B, 5, H, W)."""
        if isinstance(fields, np.ndarray):
            if fields.dtype not in (np.uint8, np.uint16):
                raise TypeError(f"fields must be uint8 or uint16, not {fields.dtype}")
            if fields.ndim != 4 or fields.shape[1] != len(CHANNELS):
                raise ValueError(f"fields must be (N, {len(CHANNELS)}, H, W), not {fields.shape}")
            if fields.dtype == np.uint8:
                return lambda rows: fields[rows]
            array = fields
            return self._convert(lambda row: array[row], len(array), array.shape[-2:])
        if any(isinstance(group, str | Path | np.ndarray) for group in fields):
            raise TypeError("fields must be one array (N, 5, H, W), or N sequences of five image files each")
        groups = [[str(path) for path in group] for group in fields]
        if wrong := [i for i, group in enumerate(groups) if len(group) != len(CHANNELS)]:
            raise ValueError(f"field {wrong[0]}: {len(groups[wrong[0]])} files; needed are {', '.join(CHANNELS)}")
        if not groups:
            return lambda rows: np.zeros((0, len(CHANNELS), 1, 1), np.uint8)
        try:
            first = read_image(groups[0][0])
        except BadField as error:
            raise BadField(f"field 0: {error}") from error
        bit_depth = 8 if first.dtype == np.uint8 else 16

        def read(row: int) -> np.ndarray:
            try:
                return read_field(groups[row], bit_depth, first.shape)
            except BadField as error:
                raise BadField(f"field {row}: {error}") from error

        return self._convert(read, len(groups), first.shape, pooled=bit_depth > 8)

    def _convert(self, raw: Callable[[int], np.ndarray], n: int, shape: tuple[int, ...], pooled: bool = True):
        """From raw fields to stored ones, the checkpoint's way."""
        settings = self._settings
        settings.stored_shape((shape[0], shape[1]))  # refuses images that are too small
        thresholds = None
        if pooled and settings.scope == "plate":
            thresholds = pooled_thresholds(map(raw, range(n)), len(CHANNELS), settings.outlier_percent)
        return lambda rows: settings.to_stored(np.stack([raw(row) for row in rows]), thresholds)[0]


def _readable(position: int, text: str, standardise: bool) -> str:
    try:
        if standardise:
            return standardise_smiles(text).smiles
        with rdBase.BlockLogs():
            if not isinstance(text, str) or not text.strip() or Chem.MolFromSmiles(text) is None:
                raise ValueError("RDKit cannot read it")
        return text
    except (ValueError, RuntimeError) as error:  # RDKit raises both
        raise ValueError(f"the SMILES at position {position}, {text!r}, cannot be embedded: {error}") from error


def _is_embedding(side) -> bool:
    return isinstance(side, np.ndarray) and side.ndim == 2 and np.issubdtype(side.dtype, np.floating)
