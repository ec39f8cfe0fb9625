"""Settings of the server: address, limits, access control."""

import dataclasses
import ipaddress
import math

#: Environment variable that holds the API key.
API_KEY_VARIABLE = "KERAS_INPAINT_API_KEY"


@dataclasses.dataclass(frozen=True)
class Settings:
    """The settings of a server, except its models.

    Attributes:
        host: String, address to listen on.
        port: Int, port to listen on; 0 chooses a free one.
        workers: Int, the number of photos completed at a time.
        queue: Int, the number of further requests that may wait.
        timeout: Float, the longest time of a request in seconds, including waiting.
        body_timeout: Float, the longest time in seconds to receive its headers, and then its
            body.
        grace: Float, the time in seconds that a stopping server waits for running requests.
        max_body: Int, the largest request body in bytes.
        max_pixels: Int, the largest number of pixels of a photo or mask.
        max_hole: Int, the largest number of hole pixels.
        origins: Tuple of strings, web origins, besides the server's own, whose pages may send
            requests.
        hosts: Tuple of strings, names allowed in the `Host` header besides those of loopback if
            the server listens on loopback; otherwise all names are allowed.
        api_key: String, the key that requests must contain, or None.
    """

    host: str = "127.0.0.1"
    port: int = 8501
    workers: int = 2
    queue: int = 32
    timeout: float = 120.0
    body_timeout: float = 30.0
    grace: float = 10.0
    max_body: int = 32 * 2**20
    max_pixels: int = 40_000_000
    max_hole: int = 4_000_000
    origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    api_key: str | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.type not in (int, float) or field.name == "port":
                continue
            minimum = 0 if field.name == "queue" else 1e-9
            if not math.isfinite(value) or value < minimum:
                bound = "0 or more" if field.name == "queue" else "above 0"
                raise ValueError(f"{field.name} must be {bound}, got {value}")
        if not 0 <= self.port <= 65535:
            raise ValueError(f"port must be 0 to 65535, got {self.port}")
        if self.api_key is not None and (not self.api_key.strip() or not self.api_key.isascii()):
            raise ValueError(f"{API_KEY_VARIABLE} must be ASCII text, and not blank")

    @property
    def on_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return is_loopback(self.host)

    def answers_to(self, host: str) -> bool:
        """Return whether requests for this host name, without a port, are allowed.

        If a server on loopback allowed any name, a web page could access it by a name that its
        owner resolves to 127.0.0.1 (DNS rebinding).
        """
        return not self.on_loopback or is_loopback(host) or host.lower() in self.hosts


def is_loopback(name: str) -> bool:
    """Return whether a host name or address is reachable only from this computer.

    Args:
        name: A name or an address, without a port; an IPv6 address may be in brackets.
    """
    name = name.strip().lower().removeprefix("[").removesuffix("]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
