"""Questions to a trained model: what is like this structure, image, field or compound? See :class:`.asker.Asker`."""

from cloome_kedro.asking.answers import Answer
from cloome_kedro.asking.asker import Asker

__all__ = ["Answer", "Asker"]
