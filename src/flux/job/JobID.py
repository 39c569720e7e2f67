"""Job ids under the names that flux-core's Python package has (RFC 19)."""

from errno import EINVAL

from flux.base.jobid import JobID, parse

__all__ = ["JobID", "id_encode", "id_parse"]


def id_parse(jobid_str: str) -> int:
    """Reads a job id in any of its texts: decimal, hex, dothex, kvs, F58 (`ƒ...` or `f...`).

    Returns the integer. OSError(EINVAL) if it is none (flux_job_id_parse(3)).
    """
    try:
        return parse(jobid_str)
    except ValueError as error:
        raise OSError(EINVAL, str(error)) from None


def id_encode(jobid: int, encoding: str = "f58") -> str:
    """Writes a job id as "dec", "hex", "dothex", "kvs", "f58" or "f58plain" (flux_job_id_encode(3)).

    OSError(EPROTO) for any other encoding.
    """
    try:
        return JobID(jobid).encode(encoding)
    except ValueError as error:
        from errno import EPROTO

        raise OSError(EPROTO, str(error)) from None
