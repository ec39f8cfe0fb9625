"""Settings of the server: address, limits, access control."""

import dataclasses
import ipaddress
import math

#: Environment variable that holds the API key.
API_KEY_VARIABLE = "KERAS_INPAINT_API_KEY"


@dataclasses.dataclass(frozen=True)
class Settings:
    """Everything about a server but its models.

    Attributes:
        host: String, address to listen on.
        port: Int; 0 takes a free one.
        workers: Int, photos completed at a time.
        queue: Int, further requests that may wait.
        timeout: Float, longest time in seconds that a request may wait and be worked on.
        body_timeout: Float, longest time in seconds that its headers, and then its body, may take
            to arrive.
        grace: Float, how long in seconds a stopping server waits for what is in work.
        max_body: Int, largest request body in bytes.
        max_pixels: Int, most pixels of a photo or mask.
        max_hole: Int, most pixels of a photo's holes.
        origins: Tuple of strings, web origins beside the server's own whose pages may ask.
        hosts: Tuple of strings, names in the `Host` header that are answered beside loopback's
            where the server listens on loopback; elsewhere all are.
        api_key: String that requests must carry, or None.
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
            least = 0 if field.name == "queue" else 1e-9
            if not math.isfinite(value) or value < least:
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
        """Return whether a request for this host name, without a port, is answered.

        A server on loopback that answered to any name could be read by a web page through a name
        that its owner points at 127.0.0.1 (DNS rebinding).
        """
        return not self.on_loopback or is_loopback(host) or host.lower() in self.hosts


def is_loopback(name: str) -> bool:
    """Return whether a host name or address is reached from this computer only.

    Args:
        name: A name or an address, without a port; an IPv6 address perhaps in brackets.
    """
    name = name.strip().lower().removeprefix("[").removesuffix("]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
