"""Parameters of where tasks run in parallel."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from cloome_kedro.parameters.base import Parameters


class ParallelParameters(Parameters):
    """Where the parallel tasks of all pipelines run. It has no effect on results but the rounding by other threads."""

    backend: Literal["loky", "dask"] = Field(
        default="loky", description="processes of this machine (loky), or the workers of a Dask cluster (dask)"
    )
    address: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="scheduler of the Dask cluster, such as tcp://10.0.0.1:8786, or the absolute path of the file that "
        "it writes with `--scheduler-file`",
    )

    splits: Annotated[int, Field(ge=1)] = Field(
        default=1,
        description="splits of a study that run at the same time, each on its share of the cores and with its own "
        "memory; without effect if there is a GPU, and on other systems than Linux",
    )

    @model_validator(mode="after")
    def _cluster_has_an_address(self) -> ParallelParameters:
        if self.backend == "dask" and self.address is None:
            raise ValueError(
                "parallel.backend is dask, but the cluster is not named: give the address of its scheduler, such as "
                "--params parallel.address=tcp://10.0.0.1:8786. For the cores of this machine, use backend: loky"
            )
        if self.backend == "loky" and self.address is not None:
            raise ValueError(
                f"parallel.address is {self.address}, but parallel.backend is loky, which needs none: set backend: "
                "dask to use this cluster"
            )
        return self
