"""A wire that can be cut, and be slow, lossy or silent: TCP passed on to a port of this machine, until it is not."""

import contextlib
import random
import socket
import struct
import threading
import time
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlsplit

CHUNK = 65_536
LOOKS_AGAIN_SECONDS = 0.05


@dataclass(frozen=True)
class Fault:
    """What a wire does to what passes.

    `resets`: the share of chunks at which the connection is reset instead. `is_silent`: nothing passes any more, nor is
    anything closed, as when a cable is pulled. `bytes_per_second`: 0 = as fast as it goes. `latency_seconds` is added
    each way.
    """

    latency_seconds: float = 0.0
    resets: float = 0.0
    bytes_per_second: int = 0
    is_silent: bool = False


WHOLE = Fault()


class Wire:
    """Passes what comes to `port` on to `target`, both on loopback. While it is cut nobody answers there. `fault` may
    be set at any moment, and is for every connection through it; `seed` chooses what is reset."""

    def __init__(self, target: int, seed: int = 0) -> None:
        self.fault = WHOLE
        self.reset_count = 0
        self._chance = random.Random(seed)
        self._target = target
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.port = 0
        self._listener: socket.socket | None = None
        self.mend()

    @classmethod
    def to(cls, url: str, seed: int = 0) -> Self:
        """A wire to what listens at a URL of this machine; `instead_of` is how it is used."""
        port = urlsplit(url).port
        assert port is not None, url
        return cls(port, seed)

    def instead_of(self, url: str) -> str:
        """The same URL, through the wire."""
        return url.replace(f":{self._target}", f":{self.port}", 1)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        listener.listen(64)
        self.port = listener.getsockname()[1]
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def cut(self) -> None:
        """Close the port, and every connection through it."""
        listener, self._listener = self._listener, None
        with self._lock:
            held, self._open = self._open, set()
        for each in [*held, *([listener] if listener else [])]:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(("127.0.0.1", self._target), 5)
                far.settimeout(None)
            except OSError:
                return
            with self._lock:
                self._open |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, sink), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self.fault.bytes_per_second or CHUNK):
                self._suffer(len(data), source, sink)
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _suffer(self, size: int, *ends: socket.socket) -> None:
        """Do to a chunk what the fault says; raises OSError when its connection is over."""
        while self.fault.is_silent:
            time.sleep(LOOKS_AGAIN_SECONDS)
        fault = self.fault
        time.sleep(fault.latency_seconds + (size / fault.bytes_per_second if fault.bytes_per_second else 0))
        with self._lock:
            is_over = fault.resets > 0 and self._chance.random() < fault.resets
        if is_over:
            self.reset_count += 1
            for end in ends:  # closed at once and without goodbye: the other end is told of a reset
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RD)  # wakes who reads it, who would hold it open else
                end.close()
            raise ConnectionResetError
