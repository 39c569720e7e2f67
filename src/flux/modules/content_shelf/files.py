"""content-files: a backing store that is a directory, with a file for each blob."""

from flux.modules.content_shelf.service import ShelfStore
from flux.service.ports import Shelf


class ContentFiles(ShelfStore):
    """Keeps blobs as files in <statedir>/content.files, named by their blobrefs."""

    name = "content-files"

    async def open_shelf(self) -> Shelf:
        opened: Shelf = await self.host.port("files")(f"{self.host.attributes.get('statedir')}/content.files")
        return opened
