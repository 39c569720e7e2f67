"""A resource set in a file."""

import json
from errno import EINVAL

from flux.base.rset import ResourceSet


def read(path: str) -> ResourceSet:
    """Reads R as JSON. OSError names the file."""
    try:
        with open(path, encoding="utf-8") as file:
            return ResourceSet.parse(json.load(file))
    except OSError as error:
        if error.filename:
            raise OSError(error.errno, f"{path}: {error.strerror}") from None
        raise OSError(EINVAL, f"{path}: {error}") from None
    except ValueError as error:
        raise OSError(EINVAL, f"{path}: {error}") from None
