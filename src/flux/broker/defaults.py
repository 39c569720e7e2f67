"""What the attributes are unless -S says otherwise, and the versions that we tell."""

from flux import __version__

INTERFACE_VERSION = "0.88.0"
"""The flux-core interface level that we serve."""

OWN_VERSION = __version__

CHANGEABLE = {
    "tbon.topo": "kary:32",
    "tbon.prefertcp": "0",
    "heartbeat.period": "2s",
    "broker.rc2_none": "0",
    "broker.quorum": "",
}
