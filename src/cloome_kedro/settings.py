"""Settings of the Kedro project: see https://docs.kedro.org/en/stable/configure/configuration_basics/ ."""

import warnings
from pathlib import Path

from kedro.utils import find_kedro_project
from omegaconf.resolvers import oc

from cloome_kedro.branches import Splits
from cloome_kedro.config_loader import ConfigLoader
from cloome_kedro.datasets.checked import Catalog
from cloome_kedro.hooks import (
    CheckedConfiguration,
    CurrentFingerprints,
    EnvironmentPipelines,
    FirstProcess,
    OneWriter,
    ResultsLast,
    SimulatedScreen,
    TrackedResults,
)
from cloome_kedro.recording import NodeRecords
from cloome_kedro.run_status import RunStatus

# Kedro 1.7 calls this function, which is deprecated in omegaconf 2.4. A user cannot do anything about it.
warnings.filterwarnings("ignore", message="register_new_resolver")


def in_project(path: str) -> str:
    """Absolute path of a file of the project. Notebooks and commands can be started in any folder of the project."""
    return str((find_kedro_project(Path.cwd()) or Path.cwd()) / path)


HOOKS = (
    FirstProcess(),
    CheckedConfiguration(),
    EnvironmentPipelines(),
    Splits(),
    SimulatedScreen(),
    CurrentFingerprints(),
    OneWriter(),
    NodeRecords(),
    RunStatus(),
    TrackedResults(),
    ResultsLast(),
)

DATA_CATALOG_CLASS = Catalog

# cloome_kedro.tracking sends to MLflow itself: docs/how-to/tracking.md
DISABLE_HOOKS_FOR_PLUGINS = ("kedro_mlflow",)

CONFIG_LOADER_CLASS = ConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # An environment changes single parameters, not whole groups.
    "merge_strategy": {"parameters": "soft"},
    # ${oc.env:NAME}: folders of real data, which differ from machine to machine
    # ${project:PATH}: files of the project, for parameters that need an absolute path
    "custom_resolvers": {"oc.env": oc.env, "project": in_project},
}
