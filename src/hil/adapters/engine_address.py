"""Where a running engine is: its Unix socket, or what `$HIL_URL` and `$HIL_TOKEN` say."""

import os
import socket
from pathlib import Path

import httpx

from hil.domain.errors import InvalidInput

URL_VARIABLE = "HIL_URL"
TOKEN_VARIABLE = "HIL_TOKEN"  # noqa: S105 - the name of the variable, not a token
PORT_MAX = 65_535


def why_no_connection(path: Path, *, within_s: float) -> str | None:
    """Why the socket takes no connection, up to what to do about it; None when it takes one."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as trial:
        trial.settimeout(within_s)
        try:
            trial.connect(os.fspath(path))
        except (FileNotFoundError, NotADirectoryError):
            return f"no engine runs on {path.parent}: start one with `hil run`"
        except ConnectionRefusedError:
            return (
                f"no engine runs on {path.parent} (its socket is left from one that was killed):"
                " start one with `hil run`"
            )
        except PermissionError:
            return f"{path} belongs to another user: run this as that user"
        except TimeoutError:
            return f"the engine on {path.parent} takes no connections: see its log"
        except OSError as error:
            return f"{path} cannot be used ({error.strerror or error}): choose another --data-dir"
    return None


def checked_url(text: str) -> httpx.URL:
    """The address of an engine's page; raises `InvalidInput`."""
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL as error:
        raise InvalidInput(f"{URL_VARIABLE} is no address ({error})") from None
    if url.userinfo:
        raise InvalidInput(f"{URL_VARIABLE} has a password in it; put a token in {TOKEN_VARIABLE}")
    is_odd = url.query or url.fragment or (url.port or 0) > PORT_MAX
    if url.scheme not in {"http", "https"} or not url.host or is_odd:
        raise InvalidInput(f"{URL_VARIABLE} is no address such as http://bench.example:8050")
    return url


def authorization(token: str) -> dict[str, str]:
    """The header that a token goes out in, none without one; raises `InvalidInput`."""
    if not token:
        return {}
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise InvalidInput(f"{TOKEN_VARIABLE} is no token: it has a character that none has")
    return {"Authorization": f"Bearer {token}"}
