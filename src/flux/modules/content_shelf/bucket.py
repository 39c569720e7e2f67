"""The table [content-s3] of a configuration. Pure."""

from flux.base.config.table import Table
from flux.service.ports import Bucket


def bucket(table: Table) -> Bucket:
    """What it says. EINVAL that names what is wrong."""
    made = Bucket(
        table.text("bucket"),
        table.text("prefix"),
        table.text("uri"),
        table.text("region"),
        table.text("credential-file"),
        table.flag("virtual-host-style"),
        table.number("threads", 16, 1, 256),
    )
    table.end()
    if not made.name:
        table.refuse("bucket", "content-s3 needs the name of a bucket")
    return made
