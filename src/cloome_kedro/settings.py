"""Settings of the Kedro project: see https://docs.kedro.org/en/stable/configure/configuration_basics/ ."""

from kedro.config import OmegaConfigLoader
from omegaconf.resolvers import oc

from cloome_kedro.hooks import EnvironmentPipelines

HOOKS = (EnvironmentPipelines(),)

CONFIG_LOADER_CLASS = OmegaConfigLoader
CONFIG_LOADER_ARGS = {
    "base_env": "base",
    "default_run_env": "local",
    # an environment changes single parameters, not whole groups
    "merge_strategy": {"parameters": "soft"},
    # ${oc.env:NAME}: folders of real data, which differ from machine to machine
    "custom_resolvers": {"oc.env": oc.env},
}
