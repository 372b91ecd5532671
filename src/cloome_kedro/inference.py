"""`Cloome` embeds fields and structures with a trained or a published model. It does not need Kedro."""

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

#: fields as an array, or the five image files of each field
Fields = np.ndarray | Sequence[Sequence[str | Path]]


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
        If the views of the model are not images and Morgan fingerprints, or if its channels are not Mito, ER, RNA, AGP,
        DNA in this order.

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
        if not Path(path).is_dir():
            return cls(read_published(path, config), device)
        if config is not None:
            raise ValueError(f"{path} is a checkpoint folder, which contains its config.json: leave out `config`")
        return cls(load(Path(path)), device)

    def embed_fields(self, fields: Fields, crop: int | None = None, batch_size: int = 64) -> np.ndarray:
        """Embed fields.

        Parameters
        ----------
        fields
            An array (N, 5, H, W), or N sequences of five image files. The order of the channels is Mito, ER, RNA, AGP,
            DNA. An array is uint8 as stored by ingestion, or uint16 as the microscope gives it. All files have the same
            size and bit depth. uint16 arrays and files are scaled to 8 bits, cropped and resized as the training fields
            of the checkpoint were. If the checkpoint has one threshold per plate, all fields of the call count as one
            plate.
        crop
            Side of the central square that the encoder sees, in pixels. None: the crop of the checkpoint; for published
            checkpoints this is the whole field.
        batch_size
            Number of fields per batch.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If the fields have another shape, a file is unreadable (the message names it), or the crop is too large.
        TypeError
            If ``fields`` is neither an array of uint8 or uint16 nor sequences of files.
        """
        view = self._images if crop is None else dataclasses.replace(self._images, crop=crop)
        embed = Embedder(self._model, batch_size, self.device, progress=len(fields) > batch_size)
        return embed("field", self._reader(fields), len(fields), view)

    def embed_structures(self, smiles: Sequence[str], batch_size: int = 4096) -> np.ndarray:
        """Embed structures.

        Parameters
        ----------
        smiles
            N SMILES. They are standardised as in training, except for published checkpoints.
        batch_size
            Number of structures per batch.

        Returns
        -------
        (N, d) float32. Rows have length 1, except if the model was trained without normalisation.

        Raises
        ------
        ValueError
            If a SMILES cannot be read. The message names the first such SMILES and its position.
        TypeError
            If ``smiles`` is a single string.
        """
        if isinstance(smiles, str):
            raise TypeError(f"a list of SMILES is expected, not the single string {smiles!r}")
        standardise = self.checkpoint.config.get("source") != "published"
        texts = [_checked_smiles(position, text, standardise) for position, text in enumerate(smiles)]
        settings = dataclasses.asdict(self._fingerprints)
        fingerprints = Fingerprints(pack(morgan(texts, **settings)), settings)
        rows = self._fingerprints.rows({"structure_row": np.arange(len(texts))}, {"fingerprints": fingerprints})
        embed = Embedder(self._model, batch_size, self.device, progress=len(texts) > batch_size)
        return embed("compound", rows.read, len(texts), self._fingerprints)

    def similarity(self, fields: Fields, structures: np.ndarray | Sequence[str]) -> np.ndarray:
        """Compute the similarity of every field to every structure.

        Parameters
        ----------
        fields
            As for :meth:`embed_fields`, or embeddings (N, d).
        structures
            As for :meth:`embed_structures`, or embeddings (M, d).

        Returns
        -------
        (N, M) float32: the dot product of the embeddings, which is the cosine for embeddings of length 1.
        """
        field_vectors = fields if _is_embedding(fields) else self.embed_fields(fields)
        compound_vectors = structures if _is_embedding(structures) else self.embed_structures(list(structures))
        return np.asarray(field_vectors) @ np.asarray(compound_vectors).T

    def _reader(self, fields: Fields) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function from B positions to stored fields, uint8 (B, 5, H, W)."""
        if isinstance(fields, np.ndarray):
            if fields.dtype not in (np.uint8, np.uint16):
                raise TypeError(f"an array of fields must be uint8 or uint16, not {fields.dtype}")
            if fields.ndim != 4 or fields.shape[1] != len(CHANNELS):
                raise ValueError(f"the shape of fields must be (N, {len(CHANNELS)}, H, W), not {fields.shape}")
            if fields.dtype == np.uint8:
                return lambda rows: fields[rows]
            array = fields
            return self._stored(lambda row: array[row], len(array), array.shape[-2:])
        if any(isinstance(group, str | Path | np.ndarray) for group in fields):
            raise TypeError("fields must be one array (N, 5, H, W), or N sequences of five image files each")
        files = [[str(path) for path in group] for group in fields]
        for row, group in enumerate(files):
            if len(group) != len(CHANNELS):
                raise ValueError(f"field {row} has {len(group)} files; it needs one each for {', '.join(CHANNELS)}")
        if not files:
            return lambda rows: np.zeros((0, len(CHANNELS), 1, 1), np.uint8)
        try:
            first = read_image(files[0][0])
        except BadField as error:
            raise BadField(f"field 0: {error}") from error
        bit_depth = 8 if first.dtype == np.uint8 else 16

        def read(row: int) -> np.ndarray:
            try:
                return read_field([(path, None) for path in files[row]], bit_depth, (first.shape[0], first.shape[1]))
            except BadField as error:
                raise BadField(f"field {row}: {error}") from error

        return self._stored(read, len(files), first.shape, scaled=bit_depth > 8)

    def _stored(
        self, read_raw: Callable[[int], np.ndarray], n_fields: int, shape: tuple[int, ...], scaled: bool = True
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Return a reader of stored fields, which are made from raw ones with the settings of the checkpoint.

        Images that have 8 bits already are not scaled and need no thresholds.
        """
        storage = self._storage
        storage.stored_shape((shape[0], shape[1]))  # raises for images that are too small
        thresholds = None
        if scaled and storage.scope == "plate":
            raw_fields = map(read_raw, range(n_fields))
            thresholds = pooled_thresholds(raw_fields, len(CHANNELS), storage.intensity_values.outlier_percent)
        return lambda rows: to_stored(np.stack([read_raw(row) for row in rows]), storage, thresholds)[0]


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


def _is_embedding(side) -> bool:
    return isinstance(side, np.ndarray) and side.ndim == 2 and np.issubdtype(side.dtype, np.floating)
