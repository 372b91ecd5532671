"""The plan of a larger study: closed forms of each step, and where each number comes from."""

import pytest

from cloome_kedro.planning import EMBEDDING_SPEED, GPU_AS_CORES, GROWTH, Machine, Measured, Pairs, Sizes, plan

AT = Sizes(fields=1000, compounds=100, assays=10, pixels=4096)
TOOK = Measured(3600.0, 5e6, 1e9, 3e9, 2.0, "measured in small on 2026-01-02")
MEASURED = dict.fromkeys(GROWTH, TOOK)


def rows(target=AT, machine=Machine(2), measured=MEASURED, **options):  # noqa: B008
    return {row.step: row for row in plan(measured, AT, target, machine, **options)}


def test_the_same_study_needs_what_it_took():
    found = rows()
    assert list(found) == [*GROWTH, "all"]
    for step in GROWTH:
        row = found[step]
        assert (row.hours, row.disk, row.memory, row.guess) == (1.0, 5e6, 3e9, False)
        assert row.source.startswith("measured in small on 2026-01-02; ")
    assert (found["all"].hours, found["all"].disk, found["all"].memory) == (len(GROWTH), 5e6 * len(GROWTH), 3e9)


def test_each_step_grows_with_its_sizes():
    found = rows(Sizes(fields=16_000, compounds=400, assays=20, pixels=4096))
    hours = {step: row.hours for step, row in found.items()}
    assert hours["ingestion"] == hours["training"] == hours["embedding"] == 16
    assert hours["featurization"] == 4
    assert hours["retrieval"] == 4
    assert hours["reporting"] == 1
    assert hours["probing"] == 32, "fields times assays"
    assert found["ingestion"].disk == 16 * 5e6
    assert found["training"].disk == 5e6, "a model does not grow with its data"
    assert found["ingestion"].memory == 1e9 + 16 * 2e9, "the interpreter does not grow"


def test_pairs_are_ranked_at_a_measured_rate():
    pairs = Pairs(7.2e9, 1e6)
    assert rows(pairs=pairs)["retrieval"].hours == 1 + 2
    assert "7.2e+09 pairs at 1e+06 per second" in rows(pairs=pairs)["retrieval"].source
    assert rows(pairs=pairs)["uncertainty"].hours == 1
    assert rows(pairs=pairs, measured={})["retrieval"].hours is None


def test_the_fixed_part_of_a_step_does_not_grow():
    took = Measured(100.0, 1.0, None, None, 2.0, "here", fixed=10.0)
    row = rows(Sizes(4000, 100, 10, 4096), measured={"ingestion": took})["ingestion"]
    assert row.hours == pytest.approx((10 + 4 * 90) / 3600)
    assert not row.guess
    short = Measured(100.0, 1.0, None, None, 2.0, "here", fixed=90.0)
    row = rows(Sizes(4000, 100, 10, 4096), measured={"ingestion": short})["ingestion"]
    assert row.hours == pytest.approx(4 * 100 / 3600)
    assert row.guess
    assert "guess: an upper limit, because its run was too short" in row.source


def test_larger_images_are_a_guess():
    found = rows(Sizes(1000, 100, 10, pixels=4 * 4096))
    assert found["ingestion"].hours == found["training"].hours == 4
    assert found["ingestion"].disk == 4 * 5e6
    assert found["ingestion"].guess
    assert "guess: in proportion to the pixels (16,384, measured 4,096)" in found["ingestion"].source
    assert found["retrieval"].hours == 1
    assert not found["retrieval"].guess


def test_more_cores_and_gpus_are_a_guess():
    found = rows(machine=Machine(cores=8, gpus=4))
    assert found["ingestion"].hours == 0.25
    assert "guess: 8 cores in place of 2" in found["ingestion"].source
    assert found["training"].hours == pytest.approx(2 / (GPU_AS_CORES * 4))
    assert found["training"].guess
    assert f"guess: a GPU does the work of {GPU_AS_CORES} cores, 4 GPUs" in found["training"].source


def test_a_measured_rate_of_a_gpu_is_used():
    found = rows(machine=Machine(2, gpus=4, rate=2500), shown=9e6)
    assert found["training"].hours == pytest.approx(9e6 / 2500 / 4 / 3600)
    assert not found["training"].guess
    assert found["embedding"].hours == pytest.approx(1000 / (EMBEDDING_SPEED * 2500 * 4) / 3600)
    assert found["embedding"].guess


def test_growth_that_was_not_measured_is_a_guess():
    found = rows(Sizes(fields=2000, compounds=200, assays=10, pixels=4096))
    assert "guess: grows with compounds" in found["uncertainty"].source
    assert "guess: does not grow" in found["reporting"].source
    assert {step for step in GROWTH if found[step].guess} == {step for step in GROWTH if not GROWTH[step].measured}
    assert "; grows with fields" in found["index"].source


def test_what_was_not_measured_is_left_open():
    found = rows(measured={"ingestion": TOOK, "embedding": Measured(1.0, None, None, None, 2.0, "here")})
    assert (found["profiles"].hours, found["profiles"].disk, found["profiles"].memory) == (None, None, None)
    assert found["profiles"].source == "not measured: run the step on a small study first"
    assert (found["embedding"].disk, found["embedding"].memory) == (None, None)
    assert found["all"].hours == pytest.approx(1 + 1 / 3600)
    assert found["all"].source == f"without {', '.join(s for s in GROWTH if s not in ('ingestion', 'embedding'))}"
    nothing = rows(measured={})["all"]
    assert (nothing.hours, nothing.disk, nothing.memory) == (0, 0, None)
