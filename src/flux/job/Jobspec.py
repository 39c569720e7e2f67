"""Jobspecs to be submitted (RFC 14, 25), under the names that flux-core's Python package has."""

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from flux.base import shape
from flux.job import validation
from flux.job.batchconfig import BatchConfig, configuration
from flux.job.specification import Jobspec
from flux.job.submit import encoded

__all__ = ["Jobspec", "JobspecV1", "validate_jobspec"]

KVS = ("none", "kvs")
"""Where output goes that goes to no file."""


class JobspecV1(Jobspec):
    """Version 1 (RFC 25), which is what is submitted today."""

    def __init__(self, resources: Any, tasks: Any, attributes: Any, version: Any = 1) -> None:
        """Takes the parts as RFC 25 has them. TypeError or ValueError names what is wrong."""
        if version != 1:
            raise ValueError("version must be 1")
        super().__init__(resources, tasks, attributes, version)
        validation.check_v1(resources, tasks, attributes)

    # -- of a command -----------------------------------------------------------------------------------------------

    @classmethod
    def from_command(
        cls,
        command: Sequence[str],
        num_tasks: int = 1,
        cores_per_task: int = 1,
        gpus_per_task: int | None = None,
        num_nodes: int | None = None,
        exclusive: bool = False,
        duration: Any = None,
        environment: Mapping[str, str] | None = None,
        env_expand: Mapping[str, str] | None = None,
        cwd: Any = None,
        rlimits: Mapping[str, int] | None = None,
        name: str | None = None,
        input: Any = None,
        output: Any = None,
        error: Any = None,
        label_io: bool = False,
        unbuffered: bool = False,
        queue: str | None = None,
        bank: str | None = None,
    ) -> Self:
        """Makes a jobspec (RFC 25) of so many tasks of a command, with so many cores and GPUs each (flux-submit(1)).

        With `num_nodes` the tasks are spread over that many nodes, which the job has alone if `exclusive`.
        `duration` is the time limit: seconds, "1.5h" (RFC 23), a timedelta. `environment` is all of the environment,
        this process's unless given; `env_expand` are variables with {{tags}} that the job shell replaces, `rlimits`
        limits by name ({"nofile": 12000}, -1 is none). `input`, `output`, `error` are paths; `label_io` puts the task's
        number before each line of a file. ValueError or TypeError names what cannot be.
        """
        _whole(num_tasks, "task count must be a integer >= 1")
        _whole(cores_per_task, "cores per task must be an integer >= 1")
        _whole(gpus_per_task, "gpus per task must be an integer >= 0", least=0)
        _whole(num_nodes, "node count must be an integer >= 1 (if set)")
        vertices, count = shape.of_tasks(num_tasks, num_nodes, cores_per_task, gpus_per_task or 0, exclusive=exclusive)
        made = cls._of(command, vertices, count)
        made._set(duration=duration, environment=environment, env_expand=env_expand, cwd=cwd, rlimits=rlimits)
        made._set(name=name, queue=queue, bank=bank, unbuffered=unbuffered)
        return made._redirected(input, output, error, label_io)

    @classmethod
    def per_resource(
        cls,
        command: Sequence[str],
        ncores: int | None = None,
        nnodes: int | None = None,
        per_resource_type: str | None = None,
        per_resource_count: int | None = None,
        gpus_per_node: int | None = None,
        exclusive: bool = False,
        **kwargs: Any,
    ) -> Self:
        """Makes a jobspec of so many cores or nodes in all, with tasks on each of them (flux-submit(1), --cores).

        `per_resource_type` is "node" or "core", `per_resource_count` how many tasks run on each. `nnodes` without
        `ncores` has to be `exclusive`. The other arguments are those of `from_command` from `duration` on. ValueError
        names what cannot be.
        """
        option = _per_resource(per_resource_type, per_resource_count)
        _whole(ncores, "ncores must be an integer >= 1")
        _whole(nnodes, "nnodes must be an integer >= 1")
        _whole(gpus_per_node, "gpus_per_node must be an integer >= 0", least=0)
        if gpus_per_node is not None and nnodes is None:
            raise ValueError("gpus_per_node must be specified with nnodes")
        if exclusive and nnodes is None:
            raise ValueError("exclusive can only be set with a node count")
        if ncores is None and nnodes is None:
            raise ValueError("must specify node or core count with per_resource")
        if ncores is None and not exclusive:
            raise ValueError("Specifying nnodes also requires ncores or exclusive")
        vertices = shape.of_resources(ncores, nnodes, gpus_per_node or 0, exclusive=exclusive)
        made = cls.from_command(command, **kwargs)
        made.jobspec["resources"], made.tasks[0]["count"] = vertices, {"per_slot": 1}
        if option is not None:
            made.setattr_shell_option("per-resource", option)
        return made

    @classmethod
    def from_submit(
        cls,
        command: Sequence[str],
        *,
        ntasks: int = 1,
        nodes: int | None = None,
        cores_per_task: int = 1,
        gpus_per_task: int | None = None,
        exclusive: bool = False,
        **options: Any,
    ) -> Self:
        """Makes the jobspec that `flux submit` would: `from_command`, then `apply_options`.

        `options` are any of both. TypeError names an unknown one, ValueError what cannot be.
        """
        first, then = _divided(options)
        made = cls.from_command(command, ntasks, cores_per_task, gpus_per_task, nodes, exclusive, **first)
        return made.apply_options(**then)

    # -- of an instance ---------------------------------------------------------------------------------------------

    @classmethod
    def from_nest_command(
        cls,
        command: Sequence[str],
        num_slots: int = 1,
        cores_per_slot: int = 1,
        gpus_per_slot: int | None = None,
        num_nodes: int | None = None,
        broker_opts: Iterable[str] | None = None,
        exclusive: bool = False,
        conf: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Makes a jobspec of a Flux instance whose initial program is `command`; [] is a shell (`flux alloc`).

        Slots say how much it gets: so many cores and GPUs each, spread over `num_nodes`. `broker_opts` go to its
        brokers, `conf` is its configuration as a dict. The other arguments are those of `from_command`.
        """
        options = [*(broker_opts or ()), *(["-c{{tmpdir}}/conf.json"] if conf is not None else [])]
        whole = ["flux", "broker", *options, *command]
        made = cls.from_command(whole, num_slots, cores_per_slot, gpus_per_slot, num_nodes, exclusive, **kwargs)
        made.setattr_shell_option("per-resource.type", "node")
        made.setattr_shell_option("mpi", "none")
        made.setattr_shell_option("exit-timeout", "none")
        if conf is not None:
            made.add_file("conf.json", conf)
        return made

    @classmethod
    def from_batch_command(
        cls,
        script: str,
        jobname: str,
        args: Iterable[str] | None = None,
        num_slots: int = 1,
        cores_per_slot: int = 1,
        gpus_per_slot: int | None = None,
        num_nodes: int | None = None,
        broker_opts: Iterable[str] | None = None,
        exclusive: bool = False,
        conf: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> Self:
        """Makes a jobspec of a Flux instance that runs a script, which the job brings with it (`flux batch`).

        `script` is its text, and begins with #!; `jobname` the job's name, `args` what the script is called with. All
        else is as for `from_nest_command`. ValueError for a script without #!.
        """
        if not script.startswith("#!"):
            raise ValueError(f"{jobname} does not appear to start with '#!'")
        command = ["{{tmpdir}}/script", *(args or ())]
        shape = (num_slots, cores_per_slot, gpus_per_slot, num_nodes)
        made = cls.from_nest_command(command, *shape, broker_opts, exclusive, conf, name=jobname, **kwargs)
        made.add_file("script", script, perms=0o700, encoding="utf-8")
        return made

    @classmethod
    def from_alloc(
        cls,
        *,
        nslots: int | None = None,
        nodes: int | None = None,
        cores_per_slot: int = 1,
        gpus_per_slot: int | None = None,
        exclusive: bool = False,
        broker_opts: Iterable[str] | None = None,
        conf: Mapping[str, Any] | BatchConfig | str | None = None,
        bg: bool = False,
        **options: Any,
    ) -> Self:
        """Makes the jobspec that `flux alloc` would: `from_nest_command` of a shell, then `apply_options`.

        `nslots` or `nodes` is needed; nodes alone are exclusive. `conf` may also be what `BatchConfig.update` takes.
        With `bg` nobody attaches to it. `options` are any of `from_command` and `apply_options`.
        """
        if nslots is None and nodes is None:
            raise ValueError("from_alloc() requires nslots or nodes")
        slots, exclusive = (nodes, True) if nslots is None else (nslots, exclusive)
        brokers = [*(broker_opts or ()), *(["-Sbroker.rc2_none=1"] if bg else [])]
        first, then = _divided({"cwd": os.getcwd(), **options})
        shape = (slots, cores_per_slot, gpus_per_slot, nodes)
        made = cls.from_nest_command([], *shape, brokers, exclusive, configuration(conf), **first)  # type: ignore[arg-type]
        if bg:
            made.setattr_shell_option("pty.capture", 1)
        return made.apply_options(**then)

    @classmethod
    def from_batch(
        cls,
        script: Any = None,
        *,
        content: str | None = None,
        nslots: int | None = None,
        nodes: int | None = None,
        cores_per_slot: int = 1,
        gpus_per_slot: int | None = None,
        exclusive: bool = False,
        broker_opts: Iterable[str] | None = None,
        conf: Mapping[str, Any] | BatchConfig | str | None = None,
        wrap: bool = False,
        name: str | None = None,
        **options: Any,
    ) -> Self:
        """Makes the jobspec that `flux batch` would: `from_batch_command`, then `apply_options`.

        The script is at the path `script`, or is `content` itself; `wrap` puts #!/bin/sh before one that has no #!.
        Without `nslots` it is one for each of `nodes`, which are exclusive then, or one. Output goes to
        flux-{{id}}.out unless `output` says otherwise. TypeError unless there is just one script; OSError if it cannot
        be read; ValueError if it has no #!. `options` are any of `from_command` and `apply_options`.
        """
        if (script is None) == (content is None):
            raise TypeError("from_batch() takes either 'script' (file path) or 'content' (inline script)")
        text = Path(script).read_text(encoding="utf-8") if content is None else content
        if wrap and not text.startswith("#!"):
            text = f"#!/bin/sh\n{text}"
        slots, exclusive = (nodes or 1, exclusive or nodes is not None) if nslots is None else (nslots, exclusive)
        first, then = _divided({"cwd": os.getcwd(), "output": "flux-{{id}}.out", **options})
        name = name or ("batch" if content is not None else Path(script).name)
        shape = (slots, cores_per_slot, gpus_per_slot, nodes)
        made = cls.from_batch_command(text, name, None, *shape, broker_opts, exclusive, configuration(conf), **first)
        return made.apply_options(**then)

    # -- options ----------------------------------------------------------------------------------------------------

    def apply_options(self, args: Any = None, *, prog: str | None = None, **options: Any) -> Self:
        """Sets what options of flux-submit(1) say, and returns the jobspec.

        Options, each by its keyword, or as an attribute of `args` (an argparse.Namespace), which goes after it:
        `env` (rules: "VAR=VALUE", "PATTERN", "-PATTERN", "^FILE"), `rlimit` (rules: "NAME", "-NAME", "NAME=VALUE"),
        `signal` ("USR1@30s"), `taskmap`, `dependency` (["afterok:ID"]), `requires` (["host:a", "-gpu"]), `time_limit`
        (seconds, or "2h"), `shell_options` and `attributes` (dicts by path), `add_file` (["NAME=PATH"]). `env` and
        `rlimit` count only if given; [] takes this process's environment, or its limits. `prog` is for plug-ins of
        commands, of which there are none here. TypeError names an unknown option, ValueError what cannot be.
        """
        from flux.job.options import apply

        apply(self, args, options)
        return self

    # -- inside -----------------------------------------------------------------------------------------------------

    @classmethod
    def _of(cls, command: Sequence[str], vertices: list[Any], count: dict[str, int]) -> Self:
        words = command if isinstance(command, str) else list(command)
        task = {"command": words, "slot": shape.LABEL, "count": count}
        return cls(vertices, [task], {"system": {"duration": 0}})

    def _set(self, **values: Any) -> None:
        if "environment" in values:
            found = values.pop("environment")
            self.environment = dict(os.environ) if found is None else found
        for name, value in values.items():
            if value is None:
                continue
            if name in OPTIONS:
                if not isinstance(value, Mapping):
                    raise ValueError(f"{name} must be a mapping")
                self.setattr_shell_option(OPTIONS[name], value)
            elif name in ATTRIBUTES:
                self.setattr(ATTRIBUTES[name], value)
            elif value is not False:
                setattr(self, name, value)

    def _redirected(self, input: Any, output: Any, error: Any, label_io: bool) -> Self:
        if input is not None:
            self.input = input
        for stream, path in (("stdout", output), ("stderr", error)):
            if path is not None and path not in KVS:
                setattr(self, stream, path)
                if label_io:
                    self.setattr_shell_option(f"output.{stream}.label", True)
        return self


OPTIONS = {"env_expand": "env-expand", "rlimits": "rlimit"}
"""Arguments that are options of the job shell."""
ATTRIBUTES = {"name": "job.name", "bank": "bank"}
"""Arguments that are attributes, as they come."""
FIRST = frozenset(
    {
        *("duration", "environment", "env_expand", "cwd", "rlimits", "name", "input", "output", "error", "label_io"),
        *("unbuffered", "queue", "bank"),
    }
)
"""Arguments of `from_command`; others are options."""


def validate_jobspec(jobspec: Any, require_version: int | None = None) -> tuple[bool, Jobspec]:
    """Checks a jobspec: a `Jobspec`, or JSON as text, against RFC 14, and RFC 25 if it is (or must be) of version 1.

    Returns (True, the jobspec as an object). ValueError, TypeError or OSError says what is wrong.
    """
    found = json.loads(encoded(jobspec))
    if not isinstance(found, dict):
        raise TypeError("jobspec must be a mapping")
    validation.check_keys(found, validation.TOP)
    kind = JobspecV1 if require_version == 1 or found["version"] == 1 else Jobspec
    return True, kind(**found)


def _divided(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What `from_command` takes, and the rest; the environment and limits of this process go with every job."""
    first = {name: value for name, value in options.items() if name in FIRST}
    then = {name: value for name, value in options.items() if name not in FIRST}
    for name, given in (("env", "environment"), ("rlimit", "rlimits")):
        if given not in first:
            then.setdefault(name, [])
    return first, then


def _whole(value: Any, text: str, least: int = 1) -> None:
    if value is not None and (not isinstance(value, int) or value < least):
        raise ValueError(text)


def _per_resource(kind: Any, count: Any) -> dict[str, Any] | None:
    if kind is None and count is None:
        return None
    if count is None:
        raise ValueError("must specify a per_resource_count with per_resource_type")
    if kind is None:
        raise ValueError("must specify a per_resource_type with per_resource_count")
    if not isinstance(kind, str):
        raise ValueError("per_resource_type must be a string")
    if kind not in ("node", "core"):
        raise ValueError(f"Invalid per_resource_type='{kind}' specified")
    if not isinstance(count, int):
        raise ValueError("per_resource_count must be an integer")
    _whole(count, "per_resource_count must be >= 1")
    return {"type": kind, "count": count}
