"""What every Remit service stands on: events, bus, outbox, inbox, jobs, database, web, auth, money."""
