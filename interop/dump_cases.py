"""What is tried of blobs and archives. `$OTHER` is the command of whose session it is: one writes, the other reads."""

from interop.scene import Scene
from interop.words import Reworded

KINDS = ("tar", "tgz", "tar.gz", "tar.bz2", "tar.xz", "zip")
GET = "flux kvs get {0}.t.a {0}.t.b {0}.t.e; flux kvs get --raw {0}.t.large | cksum; flux kvs readlink {0}.t.link"


def across(kind: str, writer: str, reader: str) -> str:
    """A case: an archive that one writes and the other reads."""
    key = f"from{kind.replace('.', '')}{len(writer)}"
    archive = f"d=$(mktemp -d); {writer} dump -q $d/a.{kind} && {reader} restore -q --key {key} $d/a.{kind} 2>/dev/null"
    return f"{archive}; {GET.format(key)}; flux kvs unlink -R {key}; rm -r $d"


CASES = (
    # content
    "flux content store </dev/null",
    "printf hello | flux content store",
    "printf hello | flux content store -b",
    "printf aaaabbbbc | flux content store --chunksize 4",
    "printf aaaabbbbc | flux content store --bypass-cache --chunksize=4",
    "flux content load sha1-aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
    "flux content load -b sha1-aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
    "head -c 300000 /dev/zero | flux content store | flux content load | cksum",
    "head -c 300000 /dev/zero | flux content store --chunksize 1000 | flux content load | cksum",
    Reworded("flux content load sha1-aaf4c61ddcc5e8a2dabede0f3b482cd9aea94340"),
    Reworded("flux content load nonsense"),
    "flux content flush",
    "flux content dropcache",
    "flux kvs put interop.x=1; flux kvs sync; flux content checkpoint list -n | head -n 1 | grep -c sha1-",
    "flux content checkpoint list -n | head -n 1 | awk '{print $4}' | grep -cx $(flux kvs getroot -b)",
    "flux content checkpoint list | head -n 1",
    'flux content checkpoint list -j | head -n 1 | grep -o \'^{"version":1,"rootref":"sha1-\'',
    "flux content checkpoint update sha1-aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d",
    # dump, restore
    "flux kvs put t.a=1 t.b=two t.e= 'd.o.t=[1]'; head -c 9000 /dev/zero | flux kvs put --raw t.large=-",
    "flux kvs link t.a t.link; flux kvs link --target-namespace=other t.b t.far; flux kvs mkdir t.empty",
    "flux dump -q - | tar tf - | grep -e ^t/ -e ^d/ | sort",
    "flux dump -q - | tar xOf - t/b t/a",
    "flux dump -q - | tar tvf - | grep -e ' t/' | awk '{print $1, $3, $6, $7, $8}' | sort",
    "d=$(mktemp -d); flux dump -v $d/a.tar 2>&1 | grep ^t/ | sort; rm -r $d",
    "flux dump -q --no-cache - | tar tf - | grep -c ^t/",
    "flux dump -q --maxreqs 32 --ignore-failed-read - | tar tf - | grep -c ^t/",
    "flux kvs sync; flux dump -q --checkpoint - | tar tf - | grep -c ^t/",
    "flux dump -q - | flux restore -q --key r.again - 2>/dev/null; " + GET.format("r.again"),
    "flux dump -q - | flux restore -q --no-cache --maxreqs 3 --key r.past - 2>/dev/null; " + GET.format("r.past"),
    "flux dump -q - | flux restore -q --size-limit 1k --key r.part - 2>/dev/null; flux kvs ls r.part.t",
    "flux kvs readlink r.again.t.far; flux kvs ls r.again.t; flux kvs unlink -R r",
    *(across(kind, "flux", "$OTHER") for kind in KINDS),
    *(across(kind, "$OTHER", "flux") for kind in KINDS),
    Reworded("flux dump /nosuch/a.tar"),
    Reworded("d=$(mktemp -d); flux dump -q $d/a.nosuch; ls $d; rm -r $d"),
    Reworded("flux restore --key x /nosuch/a.tar"),
    Reworded("flux restore --checkpoint /dev/null"),
)

SCENE = Scene(CASES, 2)
