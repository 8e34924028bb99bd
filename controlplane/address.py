"""Where the service listens."""

import socket

DEAD_PEER_S = 30


class CannotListenError(Exception):
    """The address cannot be listened on; the message says why."""

    def __init__(self, host: str, port: int, why: str) -> None:
        super().__init__(
            f"Cannot listen on {host}:{port}: {why}. CONTROLPLANE_PORT=0 finds a port."
        )


def bind(host: str, port: int) -> socket.socket:
    """Return a socket that has the address and refuses connections yet.

    Raises CannotListenError.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Accepted connections inherit these: the kernel gives up on clients that are gone, and
        # on those that do not take what they asked for.
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in (
            ("TCP_KEEPIDLE", DEAD_PEER_S),
            ("TCP_KEEPINTVL", DEAD_PEER_S // 3),
            ("TCP_KEEPCNT", 3),
            ("TCP_USER_TIMEOUT", DEAD_PEER_S * 1_000),
        ):
            if hasattr(socket, name):
                bound.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        bound.bind((host, port))
    except OSError as error:
        bound.close()
        raise CannotListenError(host, port, error.strerror or str(error)) from None
    return bound


def url_of(bound: socket.socket) -> str:
    """Return the address under which clients on this machine reach a socket."""
    host, port = bound.getsockname()[:2]
    if host in {"0.0.0.0", "::"}:  # noqa: S104  # recognised, not listened to
        host = "127.0.0.1" if host == "0.0.0.0" else "::1"  # noqa: S104
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
