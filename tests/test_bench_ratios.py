"""The table of measurements beside other systems: ratios within a round, and nothing across rounds."""

import json

import pytest

from .bench.ratios import main


def line(number: int, system: str, steps_s: float, test: str = "W1-100") -> dict[str, object]:
    return {"round": number, "system": system, "test": test, "steps_s": steps_s, "load1": 1.0}


@pytest.fixture
def table(tmp_path, capsys):
    def printed(lines: list[dict[str, object]], *rounds: str) -> str:
        (tmp_path / "results.jsonl").write_text("\n".join(map(json.dumps, lines)))
        main(str(tmp_path / "results.jsonl"), *rounds)
        return capsys.readouterr().out

    return printed


def test_our_two_turns_of_a_round_count_as_their_mean(table):
    told = table([line(1, "countersign", 300), line(1, "dbos", 100), line(1, "countersign", 500)])
    assert "| W1, 100 in flight, steps/s | DBOS | 4.00 (4.00–4.00) | 1 |" in told


def test_rounds_are_never_mixed(table):
    first, second = [line(1, "countersign", 400), line(1, "dbos", 100)], [line(2, "countersign", 90)]
    third = [line(3, "countersign", 60), line(3, "dbos", 10)]
    assert "| DBOS | 5.00 (4.00–6.00) | 2 |" in table(first + second + third)
    assert "| DBOS | 6.00 (6.00–6.00) | 1 |" in table(first + second + third, "2", "3")


def test_the_limit_has_one_number_of_its_own(table):
    told = table([line(1, "countersign", 400), line(1, "pgbench-transition", 800, "c2")])
    assert "| pgbench, six round trips per step, two clients | 0.50 (0.50–0.50) | 1 |" in told
    assert told.count("pgbench") == 1
