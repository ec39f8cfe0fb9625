"""Which names mean this very computer."""

import ipaddress


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
