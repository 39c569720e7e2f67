"""Booting by configuration: rank, size, and where the others are, from the table `bootstrap`. There is no PMI to ask.

It looks like PMI to the rest of the broker. What a broker cannot know of another one is its uuid: until the parent has
answered our hello, its host's name stands in for that.
"""

from collections.abc import Iterable
from errno import EINVAL

from flux.base.config import Bootstrap as Hosts
from flux.base.config import event_end
from flux.overlay.card import Card
from flux.runtime.curve import Keys
from flux.runtime.pmi import Bootstrap


class ConfigBoot(Bootstrap):
    """One host among those of a configuration; `under` is how this process was started, and is told how it goes."""

    def __init__(self, hosts: Hosts, names: Iterable[str], under: Bootstrap) -> None:
        super().__init__({})
        self._hosts, self._under = hosts.hosts, under
        self.rank, self.size = self._find(names), hosts.size
        self.name, self.lifeline = under.name, under.lifeline
        self.keys = _shared_keys(hosts.curve_cert) if hosts.curve_cert else None

    @property
    def bind(self) -> tuple[str, str]:
        """Where we listen, for the tree and for events. OSError(EINVAL) if nothing says so."""
        return _ends(self._own("bind"))

    @property
    def reached(self) -> tuple[str, str]:
        """Where others reach us."""
        return _ends(self._own("connect"))

    def check_parent(self, rank: int | None) -> None:
        """Refuses a parent that nobody can connect to: OSError(EINVAL)."""
        if rank is not None and not self._hosts[rank].connect:
            raise OSError(
                EINVAL, f"bootstrap.hosts: {self._hosts[rank].host} (rank {rank}) has no address to connect to"
            )

    def get(self, key: str) -> str | None:
        """Another broker's business card by its rank; everything else whoever started us may know."""
        if not key.isdecimal() or int(key) >= len(self._hosts):
            return self._under.get(key)
        host = self._hosts[int(key)]
        pubkey = self.keys.public.decode() if self.keys else ""
        ends = _ends(host.connect) if host.connect else ("", "")
        return Card(host.host, host.host, *ends, pubkey).text()

    def put(self, key: str, value: str) -> None:
        """Nobody will ask for it."""

    def barrier(self) -> None:
        """Waits for nobody: who is not there yet is connected to when it is."""

    def fileno(self) -> int:
        """The descriptor of the connection to who started us, -1 without one."""
        return self._under.fileno()

    def finalize(self) -> None:
        """Says to who started us that this broker runs."""
        self._under.finalize()

    def abort(self, code: int, text: str = "") -> None:
        """Says to who started us that this broker cannot run."""
        self._under.abort(code, text)

    def close(self) -> None:
        """Ends the connection to who started us."""
        self._under.close()

    def _find(self, names: Iterable[str]) -> int:
        if not self._hosts:
            return 0
        known = list(dict.fromkeys(names))
        for rank, host in enumerate(self._hosts):
            if host.host in known:
                return rank
        raise OSError(EINVAL, f"bootstrap.hosts: {known[0]}, this host, is not among them")

    def _own(self, what: str) -> str:
        host = self._hosts[self.rank]
        uri = str(getattr(host, what))
        if not uri:
            raise OSError(
                EINVAL, f"bootstrap.hosts: {host.host} (rank {self.rank}) has children, but no {what} address"
            )
        return uri


def _ends(uri: str) -> tuple[str, str]:
    return uri, event_end(uri)


def _shared_keys(path: str) -> Keys:
    from flux.runtime.certificate import load

    try:
        found = load(path)
    except OSError as error:
        raise OSError(error.errno, f"bootstrap.curve_cert: {error.strerror}") from None
    return Keys(found.public.encode(), found.secret.encode())
