"""When a connection is read."""

from flux.aio.flow import Flow


class Link:
    """A connection that counts how often it was told to be read, and not."""

    def __init__(self) -> None:
        self.said = list[str]()

    def pause_reading(self) -> None:
        """Not for now."""
        self.said.append("pause")

    def resume_reading(self) -> None:
        """Again."""
        self.said.append("resume")


def test_it_is_read_until_somebody_has_enough_and_again_when_nobody_has() -> None:
    link = Link()
    flow = Flow(link)
    flow.fill("a")
    flow.fill("b")
    flow.drain("a")
    assert link.said == ["pause"]
    flow.drain("b")
    flow.drain("b")
    assert link.said == ["pause", "resume"]


def test_while_anybody_waits_all_is_read() -> None:
    link = Link()
    flow = Flow(link)
    with flow.waiting():
        flow.fill("a")
        with flow.waiting():
            pass
        assert link.said == []
    assert link.said == ["pause"]
    with flow.waiting():
        assert link.said == ["pause", "resume"]
    assert link.said == ["pause", "resume", "pause"]
