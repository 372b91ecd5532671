import pytest

from cloome_kedro.imaging.channels import CHANNELS, canonical


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("Hoechst", "DNA"),
        ("DAPI", "DNA"),
        ("OrigDNA", "DNA"),
        ("ERSyto", "ER"),
        ("ERSytoBleed", "RNA"),
        ("OrigRNA", "RNA"),
        ("Ph_golgi", "AGP"),
        ("ph-golgi", "AGP"),
        ("MITO", "Mito"),
        *((channel, channel) for channel in CHANNELS),
    ],
)
def test_aliases(name, channel):
    assert canonical(name) == channel


def test_unknown_names_are_not_channels():
    assert canonical("OrigBrightfield") is None
    assert canonical("1") is None


def test_own_map_comes_before_the_aliases():
    assert canonical("1", {"1": "Hoechst"}) == "DNA"
    assert canonical("OrigER", {"ER": "Mito"}) == "Mito"
    assert canonical("RNA", {"1": "DNA"}) == "RNA"


def test_own_map_must_lead_to_a_channel():
    with pytest.raises(ValueError, match="maps '6' to 'Actin'; map it to one of Mito, ER, RNA, AGP, DNA"):
        canonical("6", {"6": "Actin"})
