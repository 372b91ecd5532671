"""Parameters of the vector index."""

from __future__ import annotations

from pydantic import Field

from cloome_kedro.parameters.base import Parameters, Positive, Share


class IndexParameters(Parameters):
    """The vector index of embeddings (pipeline ``index``)."""

    exact_below: Positive = Field(
        default=50_000, description="tables with fewer rows are searched exactly; others have an approximate index"
    )
    probes: Positive = Field(
        default=20, description="smallest number of partitions of an approximate index that a query reads"
    )
    recall: Share = Field(
        default=0.95, description="wanted recall of an approximate index, for which a query reads more partitions"
    )
    thumbnail: Positive = Field(default=64, description="largest height and width of the stored images, in pixels")
    uri: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9]+://.+",
        description="place of the LanceDB tables, such as s3://bucket/folder; null: in the folder of the index",
    )
