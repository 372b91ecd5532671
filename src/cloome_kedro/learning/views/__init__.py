"""Views: what a model sees of the rows of a table, by name.

A view is two dataclasses in one file. Its *settings* are what the configuration says. Their method ``fit`` learns from
the training rows what has to be learned, such as means and deviations, and gives the *view* itself, a
:class:`~cloome_kedro.learning.views.base.View`: it reads rows, makes the encoder's input of them, and is kept in the
checkpoint. A new view is one file and one line here, or classes that a module of your own registers by
``VIEWS.register``. ``reads`` names the datasets of the catalog that a view reads rows from.
"""

from typing import Any

from cloome_kedro.registry import Registry

VIEWS: Registry[Any] = Registry("view", settings=lambda view: view.settings)
VIEWS.add("images", "cloome_kedro.learning.views.images:Images", reads=("plate_store",))
VIEWS.add("profiles", "cloome_kedro.learning.views.profiles:Profiles", reads=("field_profiles",))
VIEWS.add("morgan", "cloome_kedro.learning.views.morgan:Morgan", reads=("fingerprints",))
