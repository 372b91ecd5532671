"""Objectives: training losses of a batch of pairs, by name.

An objective is a frozen dataclass of its settings, whose method ``loss`` takes what the model gives; see
:class:`~cloome_kedro.learning.objectives.base.Objective`. A new objective is one file and one line here, or a class
that a module of your own registers by ``OBJECTIVES.register``.
"""

from typing import Any

from cloome_kedro.registry import Registry

OBJECTIVES: Registry[Any] = Registry("objective")
OBJECTIVES.add("info_nce", "cloome_kedro.learning.objectives.info_nce:InfoNCE")
OBJECTIVES.add("info_loob", "cloome_kedro.learning.objectives.info_loob:InfoLOOB")
