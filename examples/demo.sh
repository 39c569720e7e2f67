#!/bin/sh
# ./dev demo: a session of eight brokers, a parallel job in it, and what each command is for.
set -u

tell() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || tell() { printf '\n%s\n' "$*"; }

try() {
    printf '$ %s\n' "$*"
    "$@" || { printf 'demo: `%s` failed\n' "$*" >&2; exit 1; }
}

inside() {
    tell "The session is up. How many brokers are there, and how long have they been running?"
    try flux getattr size
    try flux uptime
    tell "Brokers pass messages along a tree. This asks the last one, rank 7, to answer."
    try flux ping --count 3 --interval 0.1 7
    tell "They share a key-value store."
    try flux kvs put demo.greeting=hello
    try flux kvs get demo.greeting
    tell "A parallel program: eight tasks, one on each broker. -l says which task wrote a line."
    try flux run -n 8 -l hostname
    if python -c 'import mpi4py' 2>/dev/null; then
        tell "And one that uses MPI: its processes find each other through Flux."
        try flux run -n 4 python examples/mpi_hello.py
    fi
    tell "That was the last command, so the session ends, and leaves nothing behind."
}

if [ "${1:-}" = --inside ]; then
    inside
    exit
fi
tell "Flux runs programs on many machines as one. Here a session of eight brokers plays eight machines."
printf '$ flux start --size 8 ...\n'
flux start --size 8 sh "$0" --inside || exit
cat <<'TEXT'

Try next:
  . .venv/bin/activate      so that `flux` is at hand
  flux start --size 4       a shell in a session of your own; `exit` ends it
  flux help                 all commands
  flux run --help           each of them explains itself, with examples
TEXT
