from __future__ import annotations

from contextlib import contextmanager
from typing import Iterator

from ...errors import HeadraceError


class S3Exception(Exception):
    """What S3 refused or failed to do. `__cause__` is the engine's error, with its code and details."""


#: What the connector says where something is not there, by the call that found out.
NO_KEY = "Service error: The key does not exist"
NO_OBJECT = "Service error: The object was not found"
NO_BUCKET = "Service error: The bucket does not exist"


@contextmanager
def s3_errors(absent: str = NO_KEY) -> Iterator[None]:
    """Errors of the engine as `S3Exception`; `absent` is the message where there is no such object."""
    try:
        yield
    except HeadraceError as error:
        raise S3Exception(_message(error, absent)) from error


def _message(error: HeadraceError, absent: str) -> str:
    if error.code == "E_NOT_FOUND":
        return NO_BUCKET if "NoSuchBucket" in error.message else absent
    return f"Client error: {error.message}"
