"""Cutting a connection instead of answering, for faults."""

from __future__ import annotations

import socket
import struct

from flask import request


def cut_connection() -> None:
    """Cut the connection of this request; only waitress tells which one it is."""
    connected = request.environ.get("waitress.client_disconnected")
    channel = getattr(connected, "__self__", None)
    if channel is not None:
        # With nothing to linger for, closing sends a reset.
        channel.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        channel.socket.shutdown(socket.SHUT_RDWR)
