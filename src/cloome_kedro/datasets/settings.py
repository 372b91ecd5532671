"""Parameters of the catalog: YAML that can be pasted into ``conf/``."""

from kedro_datasets.yaml import YAMLDataset

from cloome_kedro.datasets.atomic import AtomicSave


class Settings(AtomicSave, YAMLDataset):
    """Nested parameters as YAML, saved by rename."""
