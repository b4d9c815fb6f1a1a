"""What the web part is told about where it runs."""

from dataclasses import dataclass
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSettings:
    """Where the pages are served and what they are called.

    `zone` is the site's. `host` is the name or address listened on, `allowed_hosts` are further
    names that browsers may use. `os_user` owns the engine's Unix socket: its file mode lets
    nobody else call, so that commands from there are audited as `os:<os_user>`.
    """

    title: str
    zone: ZoneInfo
    host: str = "127.0.0.1"
    port: int = 8050
    allowed_hosts: tuple[str, ...] = ()
    os_user: str = "owner"
