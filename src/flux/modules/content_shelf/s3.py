"""content-s3: a backing store that is a bucket of an object store."""

from flux.modules.content_shelf.bucket import bucket
from flux.modules.content_shelf.service import ShelfStore
from flux.service.ports import Shelf


class ContentS3(ShelfStore):
    """Keeps blobs as objects named by their blobrefs, where the table [content-s3] says."""

    name = "content-s3"

    async def open_shelf(self) -> Shelf:
        where = bucket(self.host.port("config").current.table("content-s3"))
        opened: Shelf = await self.host.port("s3")(where)
        return opened
