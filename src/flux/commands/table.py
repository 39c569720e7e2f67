"""The commands by category, each with its one line. Importing this imports no command."""

CATEGORIES = {
    "Sessions": {
        "start": "start a session, here or on the nodes of a launcher",
        "broker": "run one broker of a session",
        "shutdown": "end the session",
        "keygen": "make the certificate that a configured session needs",
        "uptime": "show how long the session has been running, and how large it is",
    },
    "Jobs": {
        "submit": "submit a job, or many",
        "bulksubmit": "submit a job for each of many inputs",
        "jobs": "list jobs",
        "job": "look into jobs, signal and change them",
        "watch": "show the output of jobs until they are over",
        "pgrep": "find jobs by name",
        "pkill": "cancel jobs by name",
        "update": "change what a job asks for",
        "cancel": "cancel jobs",
        "queue": "show, stop and start queues; wait until all is done",
        "resource": "show what there is for jobs, and take nodes out of service",
    },
    "Programs": {
        "run": "run a parallel program and wait for it",
        "exec": "run a command on brokers, for administration",
        "ps": "show what brokers run for `flux exec`",
    },
    "Data and events": {
        "kvs": "read and write the key-value store",
        "stream": "write and read streams in the key-value store",
        "event": "publish and receive events",
        "content": "store and load blobs of any data",
        "dump": "write the key-value store to an archive",
        "restore": "read such an archive",
        "fsck": "check the key-value store in the backing store, and repair it",
        "gc": "remove from the backing store what is not used any more",
        "barrier": "wait until a number of processes have come this far",
    },
    "Brokers": {
        "overlay": "show how the brokers hang together, and change it",
        "up": "show which brokers are there",
        "down": "show which brokers are missing",
        "topo": "draw the tree as it is",
        "comms": "show and change one broker's place in the tree",
        "snoop": "look on at the messages of a broker",
        "ping": "measure the time that a service takes to answer",
        "getattr": "show a broker attribute",
        "setattr": "change a broker attribute",
        "lsattr": "list the broker attributes",
        "module": "list, load and remove broker modules",
        "modprobe": "load and remove modules with what they require",
        "modctl": "show which modules belong on which ranks",
        "config": "show and change the configuration",
        "dmesg": "show the log of a broker",
        "logger": "write a line to the log",
    },
    "The command itself": {
        "help": "explain a command",
        "version": "show versions",
        "env": "show the environment of commands, or run something in it",
        "python": "run the Python that Flux runs in",
    },
}

COMMANDS = {name: summary for commands in CATEGORIES.values() for name, summary in commands.items()}


def module_name(name: str) -> str:
    """The Python module that has a command."""
    return f"flux.commands.{name.replace('-', '_')}"
