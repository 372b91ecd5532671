"""Registry of objectives: training losses of a batch of pairs.

An objective is a frozen dataclass. Its fields are its settings, and its method ``loss`` gets the output of the model,
see :class:`~cloome_kedro.learning.objectives.base.Objective`. To add one, write a file and register it here by one
line, or register it in your own module by ``OBJECTIVES.register``.
"""

from typing import Any

from cloome_kedro.registry import Registry

OBJECTIVES: Registry[Any] = Registry("objective")
OBJECTIVES.add("info_nce", "cloome_kedro.learning.objectives.info_nce:InfoNCE")
OBJECTIVES.add("info_loob", "cloome_kedro.learning.objectives.info_loob:InfoLOOB")
OBJECTIVES.add("siglip", "cloome_kedro.learning.objectives.siglip:SigLIP")
OBJECTIVES.add("cwcl", "cloome_kedro.learning.objectives.cwcl:CWCL")
OBJECTIVES.add("s2l", "cloome_kedro.learning.objectives.s2l:S2L")
OBJECTIVES.add("replicate_alignment", "cloome_kedro.learning.objectives.replicate_alignment:ReplicateAlignment")
