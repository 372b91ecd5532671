"""Hooks of the Kedro project."""

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines


class UserModules:
    """Imports the modules that ``globals.yml`` names, so that they can register encoders, views, corruptions, ..."""

    @hook_impl(tryfirst=True)
    def after_context_created(self, context) -> None:
        from cloome_kedro.registry import load_modules

        load_modules(context.config_loader["globals"]["modules"])


class EnvironmentPipelines:
    """Replaces the registered pipelines by those of the environment.

    Environments need different pipelines: a real screen is not simulated, a published split can replace the random and
    the scaffold split, and each study has its models. Kedro's pipeline registry does not know the environment.
    """

    @hook_impl
    def after_context_created(self, context) -> None:
        from cloome_kedro.pipeline_registry import register_pipelines

        environment_pipelines = register_pipelines(context.config_loader)
        for name in set(pipelines) - set(environment_pipelines):
            del pipelines[name]
        for name, pipeline in environment_pipelines.items():
            pipelines[name] = pipeline


class KnownPreset:
    """Stops a run before it begins if the environment's ``globals.yml`` does not have the requested preset.

    Otherwise, in an environment without presets, an unknown preset would only name the folder of the results, and
    results of the default settings would appear under the name of the preset.
    """

    @hook_impl
    def after_context_created(self, context) -> None:
        presets = context.config_loader["globals"]["presets"]
        preset = (context.config_loader.runtime_params or {}).get("preset")
        if preset is None or preset in presets:
            return
        env = context.env or "base"
        known = (
            f"the presets {', '.join(presets)}" if presets else "no presets; --env paper has those of the publication"
        )
        raise ValueError(f"--params preset={preset}: there is no such preset. The environment {env} has {known}")


class CurrentFingerprints:
    """Stops a run before it begins if it reads stored fingerprints that were made with other settings.

    Otherwise ``--pipelines training --params fingerprints.bits=512`` would train on the stored 1,024 bits.
    """

    @hook_impl
    def before_pipeline_run(self, pipeline, catalog) -> None:
        if "fingerprints" not in pipeline.inputs() or not catalog.exists("fingerprints"):
            return
        stored, requested = catalog.load("fingerprints").settings, dict(catalog.load("params:fingerprints"))
        if stored != requested:
            raise ValueError(
                f"params:fingerprints is {requested}, but the stored fingerprints have {stored}: run the featurization "
                "pipeline again"
            )


class ResultsLast:
    """Prints the tables for the terminal after a run that wrote them, so that log lines do not hide them."""

    SUMMARIES = ("summary", "tuning_summary", "profile_moa_summary", "seeds_summary")

    @hook_impl
    def after_pipeline_run(self, pipeline, catalog) -> None:
        for summary in self.SUMMARIES:
            for name in sorted(pipeline.all_outputs()):
                if name.rpartition(".")[2] == summary and (text := catalog.load(name)):
                    print("\n" + text, flush=True)
