"""What all models can do besides embedding one side: embed whatever is given, compare both sides, ask an index."""

from collections.abc import Iterable
from typing import Any

import numpy as np

from cloome_kedro import inference_inputs as inputs
from cloome_kedro.imaging.given_fields import Fields


class Questions:
    """Methods of `cloome_kedro.inference.Cloome`, which has ``embed_fields`` and ``embed_structures``."""

    embedding_size: int
    embed_fields: Any
    embed_structures: Any

    def embed(self, given: Fields | Iterable[str], **options: Any) -> np.ndarray:
        """Embed images or structures: a list of texts is embedded as SMILES, anything else as fields.

        ``options`` are further arguments of :meth:`embed_structures` or :meth:`embed_fields`, which also have the
        errors.

        Returns
        -------
        (N, d) float32
        """
        given = inputs.listed(given)
        texts = isinstance(given, list) and given and all(isinstance(one, str) for one in given)
        return self.embed_structures(given, **options) if texts else self.embed_fields(given, **options)

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
        compound_vectors = inputs.given_embeddings(structures, self.embedding_size)
        if compound_vectors is None:
            compound_vectors = self.embed_structures(structures, progress=progress)
        field_vectors = inputs.given_embeddings(fields, self.embedding_size)
        if field_vectors is None:
            field_vectors = self.embed_fields(fields, progress=progress, **options)
        return field_vectors @ compound_vectors.T

    def query(self, index: Any, *, smiles: Any = None, images: Any = None, **options: Any) -> Any:
        """Find what is most similar to structures or images in an index of this model.

        Parameters
        ----------
        index
            Folder of an index, or a `cloome_kedro.index.Index`.
        smiles, images
            One of the two: a SMILES or a list of them, or fields as for :meth:`embed_fields`.
        options
            ``kind`` (fields, wells or compounds), ``top``, ``where`` and, for images, ``plate``, as for
            `cloome_kedro.asking.Asker`.

        Returns
        -------
        pandas.DataFrame
            One row per query and hit, see `cloome_kedro.asking.Answer.hits`.

        Raises
        ------
        ValueError
            If the index holds embeddings of another model, or a query cannot be embedded.
        """
        from cloome_kedro.asking import Asker
        from cloome_kedro.index import Index

        if (smiles is None) == (images is None):
            raise ValueError("give either smiles or images")
        asker = Asker(index if isinstance(index, Index) else Index.open(index), model=self)  # type: ignore[arg-type]
        answer = asker.by_smiles(smiles, **options) if images is None else asker.by_images(images, **options)
        return answer.hits
