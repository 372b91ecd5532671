"""A vector index of fields, wells and compounds, in a folder that can be given away.

The vectors and their metadata are in LanceDB tables (extra ``index``). See :class:`cloome_kedro.index.store.Index`.
"""

from cloome_kedro.index.content import Content
from cloome_kedro.index.store import Index

__all__ = ["Content", "Index"]
