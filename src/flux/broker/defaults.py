"""What the attributes are unless -S says otherwise."""

CHANGEABLE = {
    "tbon.topo": "kary:32",
    "tbon.prefertcp": "0",
    "heartbeat.period": "2s",
    "broker.rc2_none": "0",
    "broker.quorum": "",
}
