"""How a job ended, from how its tasks did."""

from flux.base.waitstatus import exit_code
from flux.shell.exits import Exits


def test_the_highest_exit_code_wins_and_signals_count_from_128() -> None:
    exits = Exits()
    exits.add(0, 0)
    exits.add("1-2", 3 << 8)
    assert (exits.status, exit_code(exits.status)) == (3 << 8, 3)
    exits.add(3, 9)
    assert (exits.status, exit_code(exits.status)) == (9, 137)
    exits.add(4, 139)
    assert exit_code(139) == 139


def test_reports_of_nodes_merge() -> None:
    one, other = Exits(), Exits()
    one.add(0, 256)
    other.add(1, 256)
    other.add(2, 0)
    one.merge(other.report())
    assert one.report() == {"status": 256, "exits": {"256": "0-1", "0": "2"}}
