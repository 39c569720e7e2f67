"""Which modules there are, what they need, in which order they are loaded: modprobe.toml as a value. Pure."""

from collections.abc import Callable, Iterable, Mapping
from errno import EINVAL, ENOENT
from typing import Any, NamedTuple, get_type_hints

from flux.base.idset import IDset


class Entry(NamedTuple):
    """A module, by the keys of modprobe.toml (flux-modprobe(1))."""

    name: str
    module: str = ""
    """What is loaded under that name, if it is called otherwise: a name, or a path."""
    provides: tuple[str, ...] = ()
    priority: int = 100
    args: tuple[str, ...] = ()
    exec: bool = False
    ranks: str = "all"
    """An idset, or `>` or `<` and a rank."""
    disabled: bool = False
    requires: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    needs_config: tuple[str, ...] = ()
    needs_attrs: tuple[str, ...] = ()
    needs_env: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """What is loaded."""
        return self.module or self.name

    def on(self, rank: int) -> bool:
        """Whether that rank has it."""
        if self.ranks == "all":
            return True
        sign, limit = self.ranks[:1], self.ranks[1:]
        if sign in "<>":
            return rank > int(limit) if sign == ">" else rank < int(limit)
        return rank in IDset(self.ranks)

    def within(self, size: int) -> IDset:
        """The ranks of an instance that have it."""
        return IDset(rank for rank in range(size) if self.on(rank))

    def describe(self) -> dict[str, Any]:
        """For people and programs, by the names of modprobe.toml."""
        return {key.replace("_", "-"): value for key, value in self._asdict().items()} | {"module": self.path}


KINDS = get_type_hints(Entry)
KEYS = {field.replace("_", "-"): field for field in Entry._fields}


class Facts(NamedTuple):
    """What is there on a broker, for modules that need it: attributes, configuration keys, environment variables."""

    attr: Callable[[str], bool] = lambda name: False
    config: Callable[[str], bool] = lambda key: False
    env: Callable[[str], bool] = lambda name: False


class Modprobe:
    """The table of modules. The last entry of a name counts; services have alternatives, by priority."""

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self._entries: dict[str, Entry] = {}
        self._alternatives: dict[str, str] = {}
        for entry in entries:
            self.add(entry)

    # -- what is in it ----------------------------------------------------------------------------------------------

    def add(self, entry: Entry) -> None:
        """Adds a module."""
        self._entries.pop(entry.name, None)
        self._entries[entry.name] = entry

    def update(self, name: str, keys: Mapping[str, Any]) -> None:
        """Changes some keys of a module. OSError: ENOENT if it is not there, EINVAL names a wrong key."""
        if name not in self._entries:
            raise OSError(ENOENT, f"{name}: no such module")
        self._entries[name] = self._entries[name]._replace(**checked(keys, name))

    def choose(self, service: str, name: str) -> None:
        """Makes a module the one that is meant by the name of a service. OSError(ENOENT) if there is none."""
        if name not in self._entries:
            raise OSError(ENOENT, f"{name}: no such module")
        self._alternatives[service] = name

    def choosing(self, service: str, name: str) -> "Modprobe":
        """This table with one module chosen for a service; with none of them for "none". OSError: ENOENT, EINVAL."""
        made = Modprobe(self._entries.values())
        made._alternatives |= self._alternatives
        if name != "none":
            made.choose(service, name)
            if service not in self._entries[name].provides:
                raise OSError(EINVAL, f"{name}: does not provide {service}")
            return made
        for entry in self._entries.values():
            if service in entry.provides:
                made.disable(entry.name)
        return made

    def disable(self, name: str) -> None:
        """Takes a module out of consideration, if it is there."""
        if name in self._entries:
            self._entries[name] = self._entries[name]._replace(disabled=True)

    def read(self, config: Mapping[str, Any]) -> None:
        """Takes in a modprobe.toml: `modules`, `alternatives`, and updates by name. OSError names what is wrong."""
        modules, alternatives = config.get("modules", []), config.get("alternatives", {})
        if not isinstance(modules, list) or not all(isinstance(module, dict) for module in modules):
            raise OSError(EINVAL, "modules: not an array of tables")
        if not isinstance(alternatives, dict):
            raise OSError(EINVAL, "alternatives: not a table")
        for module in modules:
            keys = checked(module, f"modules: {module.get('name', '?')}")
            if not keys.get("name"):
                raise OSError(EINVAL, "modules: name is missing")
            self.add(Entry(**keys))
        for name, keys in config.items():
            if name not in ("modules", "alternatives"):
                if not isinstance(keys, dict):
                    raise OSError(EINVAL, f"{name}: unknown key")
                self.update(name, keys)
        for service, name in alternatives.items():
            self.choose(service, str(name))

    # -- what it says -----------------------------------------------------------------------------------------------

    def find(self, name: str) -> Entry:
        """The module of that name, or the one that is chosen for a service. OSError(ENOENT) if there is neither."""
        if name in self._alternatives:
            return self._entries[self._alternatives[name]]
        if name in self._entries:
            return self._entries[name]
        providers = [entry for entry in self._entries.values() if name in entry.provides]
        if not providers:
            raise OSError(ENOENT, f"{name}: no such module or service")
        return max(enumerate(providers), key=lambda item: (not item[1].disabled, item[1].priority, item[0]))[1]

    def enabled(self, facts: Facts) -> list[Entry]:
        """What is loaded at boot, on whatever rank, in order: not what lacks something, or has another in its place."""
        entries = self._entries.values()
        return self.ordered(entry for entry in entries if self._chosen(entry) and self._met(entry, facts))

    def closure(self, names: Iterable[str], rank: int) -> list[Entry]:
        """These modules and all that they require on that rank, in the order to load them."""
        found: dict[str, Entry] = {}
        todo = [(name, True) for name in names]
        while todo:
            name, asked = todo.pop()
            entry = self.find(name)
            if entry.name not in found and (asked or entry.on(rank)):
                found[entry.name] = entry
                todo += [(other, False) for other in entry.requires]
        return self.ordered(entry for entry in self._entries.values() if entry.name in found)

    def ordered(self, entries: Iterable[Entry]) -> list[Entry]:
        """In the order to load them; as they are in the table where it does not matter. OSError(EINVAL): a circle."""
        waiting = {entry.name: entry for entry in entries}
        before = {name: self._predecessors(entry, waiting) for name, entry in waiting.items()}
        done: dict[str, Entry] = {}
        while waiting:
            ready = next((name for name in waiting if before[name] <= done.keys()), None)
            if ready is None:
                raise OSError(EINVAL, f"modules that wait for each other: {', '.join(waiting)}")
            done[ready] = waiting.pop(ready)
        return list(done.values())

    def users(self, name: str, loaded: Iterable[str]) -> list[str]:
        """Which of the loaded modules require that one."""
        return [other for other in loaded if other in self._entries and other != name and name in self._required(other)]

    def predecessors(self, entries: Iterable[Entry]) -> dict[str, list[str]]:
        """For each of these modules those among them that are loaded before it."""
        among = {entry.name: entry for entry in entries}
        return {name: sorted(self._predecessors(entry, among)) for name, entry in among.items()}

    # -- inside -----------------------------------------------------------------------------------------------------

    def _required(self, name: str) -> set[str]:
        return {self.find(other).name for other in self._entries[name].requires if self._known(other)}

    def _known(self, name: str) -> bool:
        return name in self._entries or any(name in entry.provides for entry in self._entries.values())

    def _predecessors(self, entry: Entry, among: Mapping[str, Entry]) -> set[str]:
        after = {self.find(name).name for name in entry.after if self._known(name)}
        after |= {name for name, other in among.items() if {entry.name, *entry.provides} & set(other.before)}
        return (after & among.keys()) - {entry.name}

    def _chosen(self, entry: Entry) -> bool:
        return not entry.provides or any(self.find(service).name == entry.name for service in entry.provides)

    def _met(self, entry: Entry, facts: Facts, seen: frozenset[str] = frozenset()) -> bool:
        """Whether a module has all that it needs."""
        if entry.disabled or entry.name in seen:
            return False
        wants = ((entry.needs_attrs, facts.attr), (entry.needs_config, facts.config), (entry.needs_env, facts.env))
        if not all(there(name.removeprefix("!")) != name.startswith("!") for names, there in wants for name in names):
            return False
        seen |= {entry.name}
        return all(self._known(name) and self._met(self.find(name), facts, seen) for name in entry.needs)


def checked(keys: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The keys of a table of modprobe.toml as fields of an Entry. OSError(EINVAL) names one that is wrong."""
    fields = {}
    for key, value in keys.items():
        field = KEYS.get(key, "")
        if not field:
            raise OSError(EINVAL, f"{where}: unknown key {key}")
        if KINDS[field] in (str, int, bool):
            right = type(value) is KINDS[field]
        else:
            right = isinstance(value, list) and all(isinstance(item, str) for item in value)
        if not right or (key == "ranks" and not _is_ranks(value)):
            raise OSError(EINVAL, f"{where}: {key}: {_EXPECTED.get(field, 'not an array of strings')}")
        fields[field] = tuple(value) if isinstance(value, list) else value
    return fields


_EXPECTED = {
    "name": "not a string",
    "module": "not a string",
    "priority": "not a number",
    "exec": "neither true nor false",
    "disabled": "neither true nor false",
    "ranks": "not a set of ranks (as 0-3, >0 or all)",
}


def _is_ranks(text: str) -> bool:
    if text[:1] in ("<", ">"):
        return text[1:].isascii() and text[1:].isdecimal()
    try:
        return text == "all" or bool(IDset(text))
    except ValueError:
        return False
