"""The words of the operating system for what went wrong."""

import os
import socket


def reason_of(error: Exception) -> str:
    """Why it failed, in the system's words; asyncio's own name the address once more."""
    if isinstance(error, OSError) and not isinstance(error, socket.gaierror) and error.errno:
        return os.strerror(error.errno)
    return getattr(error, "strerror", None) or str(error)
