"""Where the steps of a workflow stand when it is drawn."""

from orchestrator.graph import (
    HEIGHT,
    WIDTH,
    fitting,
    fold,
    folded_needs,
    in_lines,
    lay_out,
    layers_of,
    without_shortcuts,
)

INVOICE = {
    "read": [],
    "vendor": ["read"],
    "order": ["read", "vendor"],
    "fraud": ["read", "vendor"],
    "decide": ["order", "fraud"],
    "approve": ["decide"],
    "pay": ["decide", "approve"],
}


def test_a_step_stands_one_layer_behind_the_last_of_what_it_needs():
    assert layers_of(INVOICE) == {"read": 0, "vendor": 1, "order": 2, "fraud": 2, "decide": 3, "approve": 4, "pay": 5}


def test_a_need_that_another_implies_is_not_drawn():
    assert without_shortcuts(INVOICE)["pay"] == ["approve"]
    assert ("decide", "pay") not in {(edge.source, edge.target) for edge in lay_out(INVOICE).edges}


def test_no_two_steps_overlap_and_all_lie_within_the_picture():
    layout = lay_out(INVOICE)
    places = list(layout.places.values())
    for x, y in places:
        assert 0 <= x <= layout.width - WIDTH
        assert 0 <= y <= layout.height - HEIGHT
    apart = [(a, b) for a in places for b in places if a is not b]
    assert all(abs(a[0] - b[0]) >= WIDTH or abs(a[1] - b[1]) >= HEIGHT for a, b in apart)


def test_an_edge_that_passes_a_layer_goes_around_the_steps_in_it():
    layout = lay_out({"a": [], "b": ["a"], "c": ["b"], "d": ["a"], "e": ["c", "d"]})
    long_way = next(edge.path for edge in layout.edges if (edge.source, edge.target) == ("d", "e"))
    middle_of_c = layout.places["c"][1] + HEIGHT // 2
    rows = {int(part.split("H")[0].split("M")[-1]) for part in long_way.split("V")[1:]}
    assert middle_of_c not in rows - {layout.places["e"][1] + HEIGHT // 2}


def test_a_graph_of_one_step_can_be_drawn():
    layout = lay_out({"only": []})
    assert (layout.width, layout.height) > (WIDTH, HEIGHT)
    assert layout.edges == []


def wide(layers, width):
    """A graph of `layers` layers of `width` steps, each needing all of the layer before."""
    names = [[f"s{layer}-{row}" for row in range(width)] for layer in range(layers)]
    return {name: names[layer - 1] if layer else [] for layer, row in enumerate(names) for name in row}


def test_finished_layers_beside_each_other_fold_into_one_node():
    needs = wide(layers=6, width=3)
    finished = {name for name in needs if name[1] in "0125"}
    folds = fold(needs, finished)
    assert [len(names) for names in folds.values()] == [9, 3]
    folded = folded_needs(needs, folds)
    assert len(folded) == 18 - 12 + 2
    assert folded["s3-0"] == ["s0-0"]
    assert folded["s5-0"] == ["s4-0", "s4-1", "s4-2"]
    assert set(lay_out(folded).places) == set(folded)


def test_a_layer_with_one_open_step_stays_as_it_is():
    needs = wide(layers=2, width=2)
    assert fold(needs, set(needs) - {"s1-1"}) == {"s0-0": ["s0-0", "s0-1"]}
    assert fold(needs, set()) == {}


def test_a_title_is_cut_by_the_width_of_its_letters_and_not_by_their_number():
    assert fitting("Match to order", 9.4) == "Match to order"
    assert fitting("Illicit till filing", 9.4) == "Illicit till filing"
    assert fitting("Warm MAMMOTH", 9.4) == "Warm MAMM…"
    assert fitting("発注書との照合確認", 9.4) == "発注書との照合…"


def test_a_title_stands_on_two_lines_before_any_of_it_is_cut():
    assert in_lines("Find the vendor", 10.8) == ["Find the vendor"]
    assert in_lines("Match order and receipt", 9.4) == ["Match order", "and receipt"]
    assert in_lines("Warm MAMMOTH of the whole north", 9.4) == ["Warm", "MAMMOTH of…"]
    assert in_lines("発注書との照合確認", 9.4) == ["発注書との照合…"]
