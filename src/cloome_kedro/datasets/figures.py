"""Figures of the catalog, saved by rename."""

from kedro_datasets.matplotlib import MatplotlibDataset

from cloome_kedro.datasets.atomic import AtomicSave


class Figure(AtomicSave, MatplotlibDataset):
    """A matplotlib figure as an image file; kedro-viz previews it."""
