import pandas as pd

from cloome_kedro.reporting import style


def test_methods_and_images_keep_their_order():
    assert style.in_order(["Random", "Oracle (mechanism)", "Plate only", "Untrained", "CLOOME", "My method"]) == [
        "CLOOME", "Untrained", "Plate only", "Random", "My method", "Oracle (mechanism)"
    ]  # fmt: skip
    assert style.images_in_order(["blur", "large_rotation", "clean", "random_flip"]) == [
        "clean", "random_flip", "large_rotation", "blur"
    ]  # fmt: skip
    assert style.corruption_label("my_own_noise") == "my own noise"


def test_a_method_has_one_colour_in_every_figure():
    few, many = style.colours(["CLOOME", "Untrained"]), style.colours([*style._METHODS[:7], "A", "B", "C", "D"])
    assert few["CLOOME"] == many["CLOOME"]
    assert few["Untrained"] == many["Untrained"]
    assert len(set(many.values())) == 11


def test_single_draw_of_ranks_and_of_metrics():
    table = pd.DataFrame(
        {"draw": [0, 0, 1, 0], "shown_by": ["field", "mean", "field", "field"], "images": [*["clean"] * 3, "turned"]}
    )
    assert style.single_draw(table).index.tolist() == [0]
    assert style.single_draw(table, "turned").index.tolist() == [3]
    assert style.single_draw(table.iloc[1:3]).index.tolist() == [1]
    assert style.single_draw(table.assign(draws=[10, 1, 1, 1]).drop(columns="draw")).index.tolist() == [2]
