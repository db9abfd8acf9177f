"""Places between two writes at which a process can be made to die, so that tests meet each of them for certain.

`CRASH_FILE` names a file holding one of these names; the first process to come by takes the file away and dies as by
`kill -9`. While the sandbox is on, and only there.

committed          a change and its events are committed; nobody was told
relaying           events were read from the outbox; the bus has none of them
published          the bus has confirmed events; the outbox does not know
handled            events were handled and committed; the bus has no ack
called             a job's call was answered (a mail was taken, say); the job does not know
gateway_answered   a gateway has charged; nothing is recorded here
migrating          one of several migrations was made
"""

import os
import signal
from pathlib import Path

_file: Path | None = None


def use(file: Path | None) -> None:
    """Die where `file` says; called once at start."""
    global _file  # noqa: PLW0603 - one for the process, as it is the process that dies
    _file = file


def here(point: str) -> None:
    """Die if this is the place."""
    if _file is None:
        return
    try:
        if _file.read_text() != point:
            return
        _file.unlink()
    except OSError:  # it is not there, or no more files may be opened, which is another test's matter
        return
    os.kill(os.getpid(), signal.SIGKILL)
