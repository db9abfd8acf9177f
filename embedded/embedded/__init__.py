"""All of Remit in one process: SQLite under `var/`, the outbox as bus, the sandbox beside it."""
