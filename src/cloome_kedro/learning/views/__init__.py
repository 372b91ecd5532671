"""Registry of views: what a model sees of the rows of a table.

A view consists of two dataclasses in one file:

- The *settings*, which the configuration gives. Their method ``fit`` learns what is needed, such as means and standard
  deviations, from the training rows, and returns the view.
- The *view*, a :class:`~cloome_kedro.learning.views.base.View`. It reads rows, turns them into the input of an encoder,
  and is saved in the checkpoint.

To add a view, write a file and register the view here by one line, or register it in your own module by
``VIEWS.register``. ``reads`` names the datasets of the catalog that the view reads.
"""

from typing import Any

from cloome_kedro.registry import Registry

VIEWS: Registry[Any] = Registry("view", settings=lambda view: view.settings)
VIEWS.add("images", "cloome_kedro.learning.views.images:Images", reads=("plate_store", "plate_statistics"))
VIEWS.add("profiles", "cloome_kedro.learning.views.profiles:Profiles", reads=("field_profiles",))
VIEWS.add("table", "cloome_kedro.learning.views.table:TableFeatures", reads=("{table}_features", "fields"))
VIEWS.add("morgan", "cloome_kedro.learning.views.morgan:Morgan", reads=("fingerprints",))
VIEWS.add("structures", "cloome_kedro.learning.views.structures:Structures", reads=("structure_features",))
