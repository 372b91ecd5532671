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
from cloome_kedro.imaging.config import Intensity, Storage
from cloome_kedro.imaging.images import BadField, read_field, read_image, to_stored
from cloome_kedro.imaging.intensity import pooled_thresholds
from cloome_kedro.learning.checkpoint import Checkpoint, load
from cloome_kedro.learning.embed import Embedder, find_device
from cloome_kedro.learning.published import read_published
from cloome_kedro.learning.views.images import Images
from cloome_kedro.learning.views.morgan import Fingerprints, Morgan

#: fields as an array, or the five image files of each
Fields = np.ndarray | Sequence[Sequence[str | Path]]


class Cloome:
    """One embedding space for fields and structures.

    Parameters
    ----------
    checkpoint : cloome_kedro.learning.checkpoint.Checkpoint
        The model, and what it expects of its input.
    device : str or torch.device
        ``auto`` finds an accelerator.

    Raises
    ------
    ValueError
        If the model does not see images and Morgan fingerprints, or its channels are others.

    Examples
    --------
    >>> model = Cloome.load("data/06_models/virtual_screen/random/default/seed_0/cloome/checkpoint")  # doctest: +SKIP
    >>> model.similarity(fields, ["CCO", "c1ccccc1"])  # (N, 2)  # doctest: +SKIP
    """

    def __init__(self, checkpoint: Checkpoint, device: str | torch.device = "auto"):
        self.checkpoint = checkpoint
        self.device = find_device() if device == "auto" else torch.device(device)
        images, fingerprints = checkpoint.view("field"), checkpoint.view("compound")
        if not isinstance(images, Images) or not isinstance(fingerprints, Morgan):
            seen = [checkpoint.config["views"][side]["name"] for side in ("field", "compound")]
            raise ValueError(
                f"the checkpoint's model sees {seen[0]} of fields and {seen[1]} of compounds: images and Morgan "
                "fingerprints are needed here"
            )
        storage = dict(images.storage)
        if (channels := storage.pop("channels")) != list(CHANNELS):
            raise ValueError(f"the checkpoint's channels are {channels}; fields are stacked as {list(CHANNELS)}")
        size = storage.pop("size")
        self._storage = Storage(
            **storage | {"intensity": Intensity(**storage["intensity"]), "size": tuple(size) if size else None}
        )
        self._images, self._fingerprints, self._model = images, fingerprints, checkpoint.build()

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
        """Embed fields: (N, d) float32; rows have length 1 unless the model was trained otherwise.

        Parameters
        ----------
        fields
            (N, 5, H, W) in the order Mito, ER, RNA, AGP, DNA: uint8 as stored by ingestion, or uint16 as the microscope
            gives them; or N sequences of five image files in that order, all of one size and bit depth. uint16 arrays
            and files are brought to 8 bits, cropped and resized as the checkpoint's training fields were. Where its
            thresholds are those of a plate, the fields of one call are taken as one plate.
        crop
            Side of the central square that the encoder sees, in pixels. None: what the checkpoint says, which is the
            whole field for published ones.
        batch_size
            Fields at a time.

        Raises
        ------
        ValueError
            If the fields have another shape, a file is unreadable (named), or the crop is too large.
        TypeError
            If fields are neither files nor one array of uint8 or uint16.
        """
        view = self._images if crop is None else dataclasses.replace(self._images, crop=crop)
        embed = Embedder(self._model, batch_size, self.device, progress=len(fields) > batch_size)
        return embed("field", self._stored(fields), len(fields), view)

    def embed_structures(self, smiles: Sequence[str], batch_size: int = 4096) -> np.ndarray:
        """Embed structures: (N, d) float32; rows have length 1 unless the model was trained otherwise.

        Structures are standardised as in training. For a published checkpoint they are taken as given.

        Raises
        ------
        ValueError
            Naming the first SMILES that cannot be read, and its position.
        """
        if isinstance(smiles, str):
            raise TypeError(f"a list of SMILES is expected, not the single string {smiles!r}")
        standardise = self.checkpoint.config.get("source") != "published"
        texts = [_readable(position, text, standardise) for position, text in enumerate(smiles)]
        settings = dataclasses.asdict(self._fingerprints)
        fingerprints = Fingerprints(pack(morgan(texts, **settings)), settings)
        rows = self._fingerprints.rows({"structure_row": np.arange(len(texts))}, {"fingerprints": fingerprints})
        embed = Embedder(self._model, batch_size, self.device, progress=len(texts) > batch_size)
        return embed("compound", rows.read, len(texts), self._fingerprints)

    def similarity(self, fields: Fields, structures: np.ndarray | Sequence[str]) -> np.ndarray:
        """Similarity (fields, structures) float32, the cosine for rows of length 1.

        Each side is as for the methods above, or its embeddings.
        """
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
                return read_field([(path, None) for path in groups[row]], bit_depth, (first.shape[0], first.shape[1]))
            except BadField as error:
                raise BadField(f"field {row}: {error}") from error

        return self._convert(read, len(groups), first.shape, pooled=bit_depth > 8)

    def _convert(self, raw: Callable[[int], np.ndarray], n: int, shape: tuple[int, ...], pooled: bool = True):
        """From raw fields to stored ones, the checkpoint's way."""
        storage = self._storage
        storage.stored_shape((shape[0], shape[1]))  # refuses images that are too small
        thresholds = None
        if pooled and storage.scope == "plate":
            thresholds = pooled_thresholds(map(raw, range(n)), len(CHANNELS), storage.numbers.outlier_percent)
        return lambda rows: to_stored(np.stack([raw(row) for row in rows]), storage, thresholds)[0]


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
