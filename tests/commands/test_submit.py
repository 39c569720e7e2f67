"""`flux submit`: the jobspecs that it makes are flux-core's; what it refuses is one line."""

import json
from pathlib import Path
from typing import Any

import pytest

from flux.base.jobspec import Jobspec
from tests.session import flux

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "submit-dry-run.json").read_text())


def dry_run(*words: str) -> tuple[int, Any, str]:
    """Our answer; limits are this machine's, and are left out."""
    code, out, err = flux("submit", "--dry-run", "--env=-*", "--cwd=/", *words)
    if code:
        return code, None, err
    made = json.loads(out)
    made["attributes"]["system"]["shell"]["options"].pop("rlimit")
    return code, made, err


@pytest.mark.parametrize("vector", VECTORS, ids=[" ".join(vector["args"]) for vector in VECTORS])
def test_a_dry_run_is_flux_cores(vector: dict[str, Any]) -> None:
    code, made, err = dry_run(*vector["args"])
    assert code == vector["exit"]
    if code:
        assert err == vector["stderr"].replace("ERROR: ", "")
        return
    expected = vector["jobspec"]
    expected["attributes"]["system"]["shell"]["options"].pop("rlimit")
    for one in (made, expected):
        for dependency in one["attributes"]["system"].get("dependencies", ()):
            if dependency["scheme"] == "begin-time":
                dependency["value"] = "some time"
    assert made == expected
    Jobspec.parse(made)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["-n", "x", "true"], "--ntasks: invalid int value 'x'"),
        (
            ["--cores=2", "-n2", "true"],
            "Per-resource options can't be used with per-task options. (See --help for details)",
        ),
        (
            ["--tasks-per-node=1", "--tasks-per-core=1", "true"],
            "Do not specify both the number of tasks per node and per core",
        ),
        (["--gpus-per-node=1", "true"], "--gpus-per-node requires --nodes"),
        (["-N2", "--cores=3", "true"], "number of cores must be evenly divisible by node count"),
        (["-x", "true"], "exclusive can only be set with a node count"),
        (["-t", "soon", "true"], "invalid Flux standard duration: soon"),
        (["--urgency=32", "true"], "urgency: must be an integer in range [0,31], or hold, default, expedite"),
        (["--flags=foo", "true"], "--flags: Unknown flag foo"),
        (["--dependency=foo", "true"], '"foo" is not a dependency: SCHEME:VALUE, like afterok:JOBID'),
        (["--requires=(a", "true"], "missing ')'"),
        (["--requires=x:y", "true"], "unknown operator 'x' (known: host, hostlist, hosts, properties, rank, ranks)"),
        (["--signal=FOO", "true"], "--signal: 'FOO': there is no signal FOO"),
        (["--rlimit=foo", "true"], "--rlimit: Invalid limit foo"),
        (["--mem=lots", "true"], "--mem: 'lots' is not a size (like 500M or 2G)"),
        (["--cc=1-", "true"], "--cc: error parsing range '1-'"),
        (["--cc=1", "--bcc=1", "true"], "specify only one of --cc or --bcc"),
        (
            ["--begin-time=noon", "true"],
            "--begin-time: 'noon' is neither +DURATION nor a date and time (2030-01-31 13:00)",
        ),
        (["--add-file=/no/such", "true"], "--add-file: /no/such: No such file or directory"),
        ([], "job command and arguments are missing"),
    ],
)
def test_what_makes_no_sense_is_one_line(words: list[str], text: str) -> None:
    assert flux("submit", "--dry-run", *words) == (1, "", f"flux-submit: {text}\n")


def test_copies_have_their_numbers() -> None:
    code, out, err = flux("submit", "--dry-run", "--cc=3-4", "--env=-*", "--output=out.{cc}", "echo", "{cc}")
    assert (code, err) == (0, "")
    made = [json.loads(line) for line in out.splitlines()]
    assert [spec["tasks"][0]["command"] for spec in made] == [["echo", "3"], ["echo", "4"]]
    systems = [spec["attributes"]["system"] for spec in made]
    assert [system["environment"] for system in systems] == [{"FLUX_JOB_CC": "3"}, {"FLUX_JOB_CC": "4"}]
    assert systems[0]["shell"]["options"]["output"]["stdout"]["path"] == "out.3"


def test_memory_is_asked_for_in_megabytes() -> None:
    _, made, _ = dry_run("--mem=1.5G", "-n2", "true")
    assert made["resources"][0]["with"][1] == {"type": "memory", "count": 1536, "unit": "MiB"}
    assert Jobspec.parse(made).resources.slot.memory == 1536
