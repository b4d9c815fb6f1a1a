"""The door: which hosts and origins may ask, who they are, and the headers of every answer."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hil.web.problem import problem_response
from hil.web.settings import WebSettings

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What a browser says of a request that a page of ours, or the person, has made.
OWN_FETCH_SITES = frozenset({"same-origin", "none"})

# The scope's key under which the routes find who is asking.
CALLER = "hil.caller"


class Guard:
    """ASGI middleware around every route.

    The Host check stops a foreign name that was made to point at this machine (DNS rebinding),
    the Origin check a foreign page that posts to us. A Unix socket has neither: its file mode is
    its check.
    """

    def __init__(self, app: ASGIApp, *, settings: WebSettings, headers: Mapping[str, str]) -> None:
        self._app = app
        self._names = LOOPBACK_NAMES | {
            _bare(name) for name in (settings.host, *settings.allowed_hosts)
        }
        self._os_user = settings.os_user
        self._headers = [(key.lower().encode(), value.encode()) for key, value in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        is_local_socket = _is_unix_socket(scope)
        refusal = None if is_local_socket else self._refusal(scope)
        if refusal is not None:
            status, detail = refusal
            await problem_response(status, detail)(scope, receive, send_with_headers)
            return
        scope[CALLER] = f"os:{self._os_user}" if is_local_socket else "local"
        await self._app(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> tuple[int, str] | None:
        hosts = _header(scope, b"host")
        if len(hosts) != 1:
            return 400, "The request needs exactly one Host header."
        name = _host_name(hosts[0])
        if name is None or name not in self._names:
            return 421, (
                f"This server does not answer to the host {hosts[0]!r}. "
                "Add the name to web.allowed_hosts in config.yaml if it is yours."
            )
        return None if scope["method"] in SAFE_METHODS else _foreign_page(scope, hosts[0])


def _foreign_page(scope: Scope, host: str) -> tuple[int, str] | None:
    for origin in _header(scope, b"origin"):
        if not _same_place(origin, host):
            return 403, (
                f"A page of {origin!r} may not send commands to {host!r}. "
                "Open this server's own page instead."
            )
    if any(site not in OWN_FETCH_SITES for site in _header(scope, b"sec-fetch-site")):
        return 403, "Another site's page may not send commands here. Open this server's own page."
    return None


def _is_unix_socket(scope: Scope) -> bool:
    server = scope.get("server")
    return server is not None and server[1] is None


def _header(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _bare(name: str) -> str:
    return name.strip("[]").rstrip(".").lower()


def _host_name(host: str) -> str | None:
    """The name without port, brackets and case; None when it is no host at all."""
    try:
        parts = urlsplit(f"//{host}")
        plain = parts.username is None and parts.password is None and parts.netloc == host
        if not plain or (parts.port is None and host.endswith(":")):
            return None
        return _bare(parts.hostname) if parts.hostname else None
    except ValueError:
        return None


def _same_place(origin: str, host: str) -> bool:
    """Whether the origin's host and port are those asked for; a port left out is the scheme's."""
    default = {"http": 80, "https": 443}
    try:
        theirs, ours = urlsplit(origin), urlsplit(f"//{host}")
        if theirs.scheme not in default or theirs.hostname is None:
            return False
        port = default[theirs.scheme]
        return (theirs.hostname, theirs.port or port) == (ours.hostname, ours.port or port)
    except ValueError:
        return False
