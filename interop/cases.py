"""What is tried: what a user types, in a session of four. To add a case is to add a line.

Each finds what those before it have left, and what it says is compared: exit code, output, errors.
"""

from interop.words import Reworded, shows

CASES = (
    # getattr, setattr, lsattr
    "flux getattr size",
    "flux getattr rank",
    "flux getattr version",
    "flux getattr instance-level",
    "flux getattr tbon.level",
    "flux getattr tbon.maxlevel",
    "flux getattr tbon.descendants",
    "flux getattr nosuch",
    "flux getattr local-uri | grep -c ^local://",
    "flux getattr rundir | grep -c ^/",
    "flux setattr test.a 1; flux getattr test.a",
    "flux setattr log-stderr-level 3; flux getattr log-stderr-level",
    Reworded("flux setattr size 5"),
    Reworded("flux setattr rank 1"),
    shows("lsattr", "size", "rank", "local-uri", "rundir", "version", "tbon.topo", "hostlist", "broker.pid"),
    shows("lsattr -v", "local://", "0.88.0"),
    # ping
    "flux ping --count 2 --interval 0.01 0",
    "flux ping --count 1 3",
    "flux ping --count 1 any",
    "flux ping --count 1 upstream",
    "flux ping --count 1 kvs",
    "flux ping --count 1 '3!kvs'",
    "flux ping --count 1 --rank 2 broker",
    "flux ping --count 1 --rank 1 kvs",
    "flux ping --count 1 --pad 1000 1",
    "flux ping --count 2 --interval 0.01 --batch 1",
    "flux ping --count 1 --userid 0",
    "flux ping --count 1 4",
    "flux ping --count 1 nosuch",
    "flux ping --count 1 '1!nosuch'",
    # event
    "flux event pub interop.nothing",
    "flux event pub interop.something '{\"a\": [1, 2.5, null, true]}'",
    "flux event pub --synchronous interop.done",
    "flux event pub --raw interop.raw bytes",
    "flux event pub --private interop.own",
    "flux event pub interop.bad '{'",
    "flux event sub -c 1 hark & while kill -0 $! 2>/dev/null; do flux event pub hark.me '{\"x\":1}'; done; wait $!",
    "flux event sub -c 1 bare & while kill -0 $! 2>/dev/null; do flux event pub bare; done; wait $!",
    "flux event sub -c 1 raw & while kill -0 $! 2>/dev/null; do flux event pub -r raw.x abc; done; wait $!",
    # module
    shows("module list", "kvs", "content", "heartbeat", "groups", "content-backing"),
    "flux module list | head -n 1",
    "flux module stats kvs >/dev/null",
    "flux module stats --parse=nosuch.key kvs",
    "flux module stats nosuch",
    Reworded("flux module load nosuch"),
    Reworded("flux module remove nosuch"),
    "flux module debug kvs",
    "flux module debug --set 4 kvs; flux module debug kvs; flux module debug --clear kvs",
    # dmesg, logger
    "flux logger interop hello; flux dmesg | grep -o 'logger.*interop hello'",
    "flux logger --severity err --appname mine grave; flux dmesg | grep -o 'mine.*grave'",
    "flux logger --severity nosuch x",
    "flux dmesg --human | grep -o 'logger.*hello'",
    "flux dmesg --read-clear | grep -o 'mine.*grave'; flux dmesg | grep grave",
    "flux logger again; flux dmesg --clear; flux dmesg | grep again",
    # nothing to talk to
    "FLUX_URI=local:///nonexistent/socket flux getattr size",
    "FLUX_URI=nonsense flux getattr size",
)
