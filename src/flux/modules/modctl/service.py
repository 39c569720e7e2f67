"""`modctl`: which modules belong on which ranks is known at rank 0 and told to all; each broker sees to its own."""

from asyncio import get_running_loop
from collections.abc import Coroutine
from errno import EEXIST, EHOSTUNREACH, EINVAL, ENOENT, ENOSYS, EPROTO
from typing import Any, ClassVar

from flux.base.gathered import Gathered
from flux.base.idset import IDset
from flux.modules.modctl.wanted import Recipe, Step, View, Wanted, steps
from flux.service import Call, Service, event, request
from flux.service.kit import LOG_ERR, LOG_INFO
from flux.wire.message import USER, Event

ABSENT = (EHOSTUNREACH, ENOSYS)
"""Who cannot be reached, or is about to begin, asks for what it should have when it comes."""


class Modctl(Service):
    """Rank 0 changes what is wanted by multicast, and publishes it; a broker that was not there then follows later."""

    name: ClassVar[str] = "modctl"

    async def start(self) -> None:
        """Learns what is wanted, from the table of run level 1 and from the parent; loads what is missing."""
        self._table: Any = self.host.port("modules")
        self._version = 0
        self._wanted = self._from_table()
        self._have = self._wanted.view(self.host.rank)
        self._settling = False
        if self.host.rank:
            await self._fetch()
            if not self._settling:
                await self._settle()

    # -- for all ranks, at rank 0 -----------------------------------------------------------------------------------

    @request("load")
    async def load_everywhere(
        self,
        call: Call,
        *,
        path: str,
        ranks: str = "all",
        args: list[str] = [],  # noqa: B006 a new one for each request
        name: str | None = None,
        force: bool = False,
    ) -> dict[str, Any]:
        """Loads a module on these ranks and remembers that it belongs there. Rank 0 only.

        Answers {name, ranks: where it runs now, absent: ranks that load it when they come, errors: [[ranks, errnum,
        text]...]}. What one rank refuses is done on none, but for EEXIST with `force`. OSError(EINVAL) for ranks that
        cannot be, and for a name that cannot be.
        """
        self._only_root()
        return await self._whole(self._load(Recipe(path, tuple(args)), name or "", ranks, force))

    @request("remove")
    async def remove_everywhere(
        self, call: Call, *, name: str, ranks: str = "all", force: bool = False
    ) -> dict[str, Any]:
        """Removes a module, by name or path, from these ranks, and remembers that. Rank 0 only.

        Answers {ranks: where it is gone now, absent: ranks that cannot be reached, errors: [[ranks, errnum, text]...]}.
        Where some of them do not have it nothing is done, but with `force`.
        """
        self._only_root()
        return await self._whole(self._remove(name, ranks, force))

    @request(allow=USER)
    def wanted(self, call: Call, *, version: int = -1) -> dict[str, Any]:
        """What is wanted where: {version, modules: [{name, path, args, ranks}...]}, as far as this broker knows.

        Version 0 is what the table of run level 1 says. Who knows this `version` already is not told the modules.
        """
        known = {"version": self._version}
        return known if version == self._version else known | {"modules": self._wanted.rows()}

    # -- on one broker ----------------------------------------------------------------------------------------------

    @request()
    async def bring(self, call: Call, *, path: str, args: list[str], name: str) -> dict[str, str]:
        """Loads a module into this broker; answers the name that it has."""
        service = await self._table.load(path, tuple(args), alias=name)
        self._have[service.name] = Recipe(path, tuple(args))
        return {"name": service.name}

    @request()
    async def drop(self, call: Call, *, name: str) -> dict[str, str]:
        """Removes a module from this broker; answers the name that it had."""
        found = next((own for own, path in self._table.dispensable() if name in (own, path)), name)
        if found == self.name:
            raise OSError(EINVAL, f"{found}: cannot remove itself")
        await self._table.dismiss(found)
        self._have.pop(found, None)
        return {"name": found}

    @request(allow=USER)
    def loaded(self, call: Call) -> dict[str, Any]:
        """The modules of this broker, besides those that every broker has."""
        return {"modules": [{"name": name, "path": path} for name, path in self._table.dispensable()]}

    # -- what is told -----------------------------------------------------------------------------------------------

    @event("modctl.wanted")
    def changed(self, event: Event) -> None:
        """Rank 0 wants something else."""
        self._take(event.body())
        self._follow()

    def events_lost(self) -> None:
        """What is wanted may have changed: asks."""
        if self.host.rank:
            self.run(self._fetch_and_settle())

    # -- changing what is wanted ------------------------------------------------------------------------------------

    async def _load(self, recipe: Recipe, name: str, ranks: str, force: bool) -> dict[str, Any]:
        asked = {"path": recipe.path, "args": list(recipe.args), "name": name}
        found = await self.multicast("modctl.bring", asked, ranks)
        known = name or next((answer.payload["name"] for answer in found.answers), "")
        running = _answered(found)
        absent = _of(found, *ABSENT)
        if any(error.errnum not in (*ABSENT, *([EEXIST] if force else [])) for error in found.errors):
            if running:
                await self.multicast("modctl.drop", {"name": known}, str(running))
            return {"name": known} | _report(found, IDset(), absent)
        before = self._wanted.rows()
        if known:
            self._wanted.add(known, recipe, running.union(absent, _of(found, EEXIST)))
            self._tell(before)
        return {"name": known} | _report(found, running, absent if known else IDset())

    async def _remove(self, name: str, ranks: str, force: bool) -> dict[str, Any]:
        lacking = IDset() if force else await self._lacking(name, ranks)
        if lacking:
            return {"ranks": "", "absent": "", "errors": [[str(lacking), ENOENT, f"{name}: module is not loaded"]]}
        found = await self.multicast("modctl.drop", {"name": name}, ranks)
        names = self._wanted.names(name).union(answer.payload["name"] for answer in found.answers)
        gone, absent = _answered(found), _of(found, *ABSENT)
        before = self._wanted.rows()
        for known in names:
            self._wanted.remove(known, gone.union(absent, _of(found, ENOENT)))
        self._tell(before)
        return _report(found, gone, absent if names else IDset())

    async def _lacking(self, name: str, ranks: str) -> IDset:
        """Those of some ranks that do not have a module which others of them have."""
        found = await self.multicast("modctl.loaded", {}, ranks)
        having = [
            answer.ranks
            for answer in found.answers
            if any(name in (module["name"], module["path"]) for module in answer.payload["modules"])
        ]
        return _answered(found) - IDset().union(*having) if having else IDset()

    def _tell(self, before: list[dict[str, Any]]) -> None:
        """Tells all, unless what is wanted is what was."""
        rows = self._wanted.rows()
        if rows != before:
            self._version = max(self._version, self.host.last_event()) + 1  # more than any before, also after a reload
            self.publish("modctl.wanted", {"version": self._version, "modules": rows})

    async def _whole(self, work: Coroutine[Any, Any, dict[str, Any]]) -> dict[str, Any]:
        """Does something to its end, even if whoever asked leaves: what is loaded has to be remembered."""
        done = get_running_loop().create_future()

        async def to_its_end() -> None:
            try:
                result = await work
            except OSError as error:
                if not done.cancelled():
                    done.set_exception(error)
            else:
                if not done.cancelled():
                    done.set_result(result)

        self.run(to_its_end())
        answer: dict[str, Any] = await done
        return answer

    # -- following it -----------------------------------------------------------------------------------------------

    async def _fetch(self) -> None:
        """Asks the parent, who is told the same events."""
        try:
            self._take(await self.rpc("modctl.wanted", {"version": self._version}, upstream=True))
        except OSError as error:
            self.log(LOG_INFO, f"what is wanted is not known above: {error.strerror}")

    async def _fetch_and_settle(self) -> None:
        await self._fetch()
        self._follow()

    def _take(self, body: dict[str, Any]) -> None:
        if body["version"] > self._version:
            self._version, self._wanted = body["version"], Wanted.read(body["modules"])

    def _follow(self) -> None:
        if not self._settling and steps(self._have, self._wanted.view(self.host.rank)):
            self.run(self._settle())

    async def _settle(self) -> None:
        """Loads and removes until this broker has what it should; what fails is logged, and not tried again."""
        self._settling = True
        try:
            while todo := steps(self._have, self._wanted.view(self.host.rank)):
                await self._take_step(todo[0])
        finally:
            self._settling = False

    async def _take_step(self, step: Step) -> None:
        view: View = self._have
        try:
            if step.recipe is None:
                view.pop(step.name)
                await self._table.dismiss(step.name)
            else:
                view[step.name] = step.recipe
                await self._table.load(step.recipe.path, step.recipe.args, alias=step.name)
        except OSError as error:
            if error.errno != (EEXIST if step.recipe else ENOENT):  # it is as it should be
                self.log(LOG_ERR, f"{step.name}: {error.strerror}")

    # -- inside -----------------------------------------------------------------------------------------------------

    def _from_table(self) -> Wanted:
        wanted = Wanted()
        for entry in self.host.port("rc1"):
            wanted.add(entry.name, Recipe(entry.path, entry.args), entry.within(self.host.size))
        return wanted

    def _only_root(self) -> None:
        if self.host.rank:
            raise OSError(EPROTO, "this RPC is only available on rank 0")


def _answered(found: Gathered) -> IDset:
    return IDset().union(*(answer.ranks for answer in found.answers))


def _of(found: Gathered, *errnums: int) -> IDset:
    return IDset().union(*(error.ranks for error in found.errors if error.errnum in errnums))


def _report(found: Gathered, done: IDset, absent: IDset) -> dict[str, Any]:
    """What is answered: whoever cannot be reached is no error if it follows when it comes."""
    errors = [
        [str(error.ranks), error.errnum, error.text]
        for error in found.errors
        if not (absent and error.errnum in ABSENT)
    ]
    return {"ranks": str(done), "absent": str(absent), "errors": errors}
