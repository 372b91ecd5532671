"""Names as a shell gives them, by Kedro's own reading of ``--params``."""

import click
import pytest
from kedro.framework.cli.utils import _split_params
from pydantic import ValidationError

from cloome_kedro.parameters.checks import check_run_names
from cloome_kedro.parameters.environment import Globals
from environments import configured


@pytest.fixture(scope="module")
def base():
    return Globals.model_validate(configured("globals"))


def given(text):
    """What Kedro makes of ``--params TEXT``."""
    command = click.Command("run", params=[click.Option(["--params"])])
    with click.Context(command) as context:
        return _split_params(context, command.params[0], text)


@pytest.mark.parametrize(
    "name",
    [
        *("1_0", "007", "10", "0x1F", "1.5", "1e3", "-1", "+1", "0b1", ".5", ".inf", ".nan"),  # numbers of YAML
        *("on", "true", "No", "null", "~", ""),  # other values of YAML
        *("[a]", "{a: b}", "[]"),
        *("../x", "a/b", "/tmp/x", "..", ".", "'...'", "a\\b", "~/x", "C:x"),  # paths
        *("a b", "é", "a*b", "a?b", "a[1]", "$HOME", "a;b", "a:b", "'a/b'", "'..'", '"\'"', "x" * 101),
        *("'a\nb'", "${globals:screen}"),
    ],
)
@pytest.mark.parametrize("key", ["variant", "preset"])
def test_what_is_no_name_is_refused(base, key, name):
    parsed = given(f"{key}={name}")
    with pytest.raises(ValueError, match=rf"--params: {key}: (a name must be text, but it was read|.* is no name)"):
        check_run_names(parsed, base)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("'007'", "007"), ("'1_0'", "1_0"), ('"10"', "10"), ("v2", "v2"), ("a.b-c_d", "a.b-c_d"),
        ("2024-11-28", "2024-11-28"), ("x" * 100, "x" * 100), ("1_0a", "1_0a"), ("0o7", "0o7"), ("..a", "..a"),
        ("'on'", "on"),
    ],
)  # fmt: skip
def test_names_stay_text(base, text, name):
    assert check_run_names(given(f"variant={text}"), base).variant == name


@pytest.mark.parametrize(
    "seed", ["1.5", "1.0", "true", "one", "-1", "null", "", "[1]", "4294967296", "'1'", "1e3", ".nan", ".inf"]
)
def test_a_seed_is_a_whole_number(base, seed):
    with pytest.raises(ValueError, match=r"--params: seed: (a seed must be a whole number|Input should be)"):
        check_run_names(given(f"seed={seed}"), base)


@pytest.mark.parametrize(("text", "seed"), [("0", 0), ("7", 7), ("4294967295", 2**32 - 1)])
def test_seeds(base, text, seed):
    assert check_run_names(given(f"seed={text}"), base).seed == seed


@pytest.mark.parametrize("value", ["7", "null", "[a]"])
def test_the_file_of_a_checkpoint_is_text(base, value):
    with pytest.raises(ValueError, match="--params: checkpoint: a name must be text"):
        check_run_names(given(f"checkpoint={value}"), base)
    assert check_run_names(given("checkpoint=/a b/c.pt"), base).checkpoint == "/a b/c.pt"


def test_without_params_there_is_no_variant(base):
    names = check_run_names({}, base)
    assert (names.variant, names.preset, names.seed, names.checkpoint) == (None, None, 0, None)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"screen": 7}, "a name must be text"),
        ({"screen": "a/b"}, "is no name"),
        ({"presets": {7: {}}}, "a name must be text"),
        ({"models": {"a.b": "A"}}, "contains a dot"),
        ({"models": {"a": ""}}, "at least 1 character"),
        ({"measure_profiles": 1}, "valid boolean"),
        ({"preset": True}, "a name must be text"),
        ({"splits": "random"}, "valid list"),
    ],
)
def test_globals_are_checked(change, message):
    with pytest.raises(ValidationError, match=message):
        Globals.model_validate(configured("globals") | change)
