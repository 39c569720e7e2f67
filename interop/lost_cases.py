"""What is tried where a broker is lost: in a session of seven, a tree of twos, of which rank 6 is sent away."""

from interop.scene import Scene
from interop.words import Reworded

FOLLOW = "f=$(mktemp); $RPC -s 2 2 overlay.health '{}' >$f & until [ -s $f ]; do :; done;"

CASES = (
    "flux overlay status",
    "flux overlay parentof 5",
    "$RPC 0 overlay.topology '{\"rank\": 0}'",
    "$RPC 0 overlay.topology '{\"rank\": 2}'",
    Reworded("$RPC 0 overlay.topology '{\"rank\": 5}'"),
    f'{FOLLOW} flux overlay disconnect 6 2>/dev/null; wait $!; sed \'s/"error": "[^"]*", //\' $f; rm $f',
    "flux overlay status --timeout 0 --wait degraded --summary",
    "flux overlay status",
    "flux overlay status --down",
    "flux overlay status --no-ghost",
    "flux overlay status -r 2",
    "flux overlay errors",
    "flux overlay parentof 6",
    "$RPC 0 overlay.topology '{\"rank\": 0}'",
    "$RPC 2 overlay.topology '{\"rank\": 2}'",
    '$RPC 0 groups.get \'{"name": "broker.online"}\'',
    Reworded("flux overlay disconnect 6"),
    Reworded("flux ping -c 1 6"),
    Reworded("flux exec -r 6 true"),
    Reworded("flux exec -r 5-6 true"),
    "flux exec -l -r 0-5 echo there | sort",
)

SCENE = Scene(CASES, 7, ("-Stbon.topo=kary:2",), hurt=True)
