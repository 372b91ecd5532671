"""Registries: entries by name, their lazy import, their descriptions, and modules of a user's own."""

import sys
from dataclasses import dataclass

import pytest

from cloome_kedro.registry import Registry, load_modules
from registries import restored


@dataclass(frozen=True)
class Box:
    width: float
    size: tuple[int, int] = (1, 1)


@dataclass(frozen=True)
class Ring:
    radius: float = 2.0


@dataclass(frozen=True)
class Wrapped:
    """An entry that is not its settings."""

    settings: type


@pytest.fixture
def shapes():
    registry = Registry("shape")
    registry.add("box", Box, corners=4)
    registry.add("ring", Ring)
    return registry


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Writes a module that can be imported, and forgets it after the test."""
    monkeypatch.syspath_prepend(str(tmp_path))
    written = []

    def write(name, text):
        (tmp_path / f"{name}.py").write_text(text)
        written.append(name)
        return name

    yield write
    for name in written:
        sys.modules.pop(name, None)


# ---- entries by name


def test_entries_are_listed_in_the_order_of_their_addition(shapes):
    assert list(shapes) == ["box", "ring"]
    assert shapes["box"] is Box
    assert "ring" in shapes
    assert "disc" not in shapes
    assert 3 not in shapes


def test_a_target_is_imported_when_it_is_first_asked_for(module):
    name = module("lazy_shapes", "class Star:\n    points = 5\n")
    registry = Registry("shape")
    registry.add("star", f"{name}:Star", points=5)
    assert list(registry) == ["star"]
    assert "star" in registry
    assert registry.facts("star") == {"points": 5}
    with pytest.raises(ValueError, match="no shape 'sta'"):
        registry["sta"]
    assert name not in sys.modules, "to list, check and tell facts imports nothing"
    star = registry["star"]
    assert star is sys.modules[name].Star
    assert registry["star"] is star


def test_the_built_in_registries_name_what_there_is():
    """A name in a string is checked by no tool."""
    from cloome_kedro.chemistry.splits import SPLITS
    from cloome_kedro.imaging.layouts import LAYOUTS
    from cloome_kedro.learning.encoders import ENCODERS
    from cloome_kedro.learning.objectives import OBJECTIVES
    from cloome_kedro.learning.views import VIEWS

    for registry in (SPLITS, LAYOUTS, ENCODERS, OBJECTIVES, VIEWS):
        for name in registry:
            assert callable(registry[name])


def test_an_unknown_name_is_told_with_the_nearest(shapes):
    for ask in (shapes.__getitem__, shapes.facts):
        with pytest.raises(ValueError, match=r"^there is no shape 'rign'; the nearest are: ring$"):
            ask("rign")
        with pytest.raises(ValueError, match=r"^there is no shape 'xyz'; the nearest are: box, ring$"):
            ask("xyz")
    with pytest.raises(ValueError, match="no shape 3; the nearest are: box, ring"):
        shapes[3]


def test_facts_are_those_of_the_entrys_line(shapes):
    assert shapes.facts("box") == {"corners": 4}
    assert shapes.facts("ring") == {}


# ---- entries of one's own


def test_the_decorator_adds_and_gives_back(shapes):
    @shapes.register("corner", corners=1)
    def corner():
        return 1

    assert shapes["corner"] is corner
    assert shapes.facts("corner") == {"corners": 1}
    assert corner() == 1


def test_a_name_belongs_to_one_module(shapes):
    message = rf"the shape box of other\.shapes is already defined in {__name__}: give it another name"
    with pytest.raises(ValueError, match=message):
        shapes.add("box", "other.shapes:Box")
    with pytest.raises(ValueError, match=message):
        shapes.add("box", object(), module="other.shapes")
    assert shapes["box"] is Box
    assert shapes.facts("box") == {"corners": 4}


def test_a_module_that_is_loaded_again_replaces_its_own(shapes):
    shapes.add("box", Ring, corners=0)
    assert shapes["box"] is Ring
    assert shapes.facts("box") == {"corners": 0}
    assert list(shapes) == ["box", "ring"]


def test_modules_register_what_they_define(module):
    name = module(
        "my_layouts",
        "from cloome_kedro.imaging.layouts import LAYOUTS\n\n"
        "@LAYOUTS.register('of_this_test')\ndef read(folder, source):\n    return folder\n",
    )
    from cloome_kedro.imaging.layouts import LAYOUTS

    with restored(LAYOUTS):
        load_modules([name])
        assert LAYOUTS["of_this_test"]("folder", None) == "folder"


def test_a_module_that_cannot_be_imported_is_named(module):
    with pytest.raises(ValueError, match=r"globals.yml, modules: no_such_module cannot be imported \(No module named"):
        load_modules(["sys", "no_such_module"])
    broken = module("broken_shapes", "import also_missing\n")
    with pytest.raises(ValueError, match=r"broken_shapes cannot be imported \(No module named 'also_missing'\)"):
        load_modules([broken])
    load_modules([])


# ---- descriptions


def test_describe_and_make_are_inverse(shapes):
    box = Box(1.5, (2, 3))
    assert shapes.describe(box) == {"name": "box", "width": 1.5, "size": (2, 3)}
    assert shapes.make(shapes.describe(box)) == box
    assert shapes.make({"name": "box", "width": 1.5, "size": [2, 3]}) == box, "JSON has lists only"
    assert shapes.make({"name": "ring"}) == Ring()


def test_a_description_that_does_not_fit_is_refused(shapes):
    with pytest.raises(ValueError, match=r"shape ring: .*unexpected keyword argument 'width'"):
        shapes.make({"name": "ring", "width": 1})
    with pytest.raises(ValueError, match=r"shape box: .*missing 1 required positional argument: 'width'"):
        shapes.make({"name": "box"})
    with pytest.raises(ValueError, match="there is no shape 'disc'"):
        shapes.make({"name": "disc"})


def test_the_name_of_a_class_or_of_its_instance(shapes):
    assert shapes.name_of(Box) == shapes.name_of(Box(1)) == "box"
    assert shapes.name_of(Ring()) == "ring"
    with pytest.raises(ValueError, match=r"^dict of builtins is not registered as shape$"):
        shapes.name_of({})
    with pytest.raises(ValueError, match=rf"^Wrapped of {__name__} is not registered as shape$"):
        shapes.name_of(Wrapped(Box))


def test_the_name_of_settings_is_that_of_their_entry():
    registry = Registry("shape", settings=lambda entry: entry.settings)
    registry.add("box", Wrapped(Box), module=__name__)
    assert registry.name_of(Box) == registry.name_of(Box(1)) == "box"
    assert registry.describe(Box(1)) == {"name": "box", "width": 1, "size": (1, 1)}
    assert registry.settings(registry["box"]) is Box


def test_a_name_is_found_without_importing_other_modules(module, shapes):
    name = module("heavy_shapes", "raise ImportError('too heavy')\n")
    shapes.add("heavy", f"{name}:Heavy")
    assert shapes.name_of(Ring(1)) == "ring"
    with pytest.raises(ValueError, match="dict of builtins is not registered"):
        shapes.name_of({})
