#!/bin/sh
# Which stack `make` is about, in one word: `compose` where that was ever started here and is not removed, else `run`.
# It goes by what exists, not by what runs: an old var/ must never be taken for the money of a stack that is stopped.
#   which_stack.sh [SERVICE]     SERVICE: where it is Compose's, this must be running
set -eu
stop() {
  echo "remit: $1. For what \`make run\` kept, use .venv/bin/remit itself (docs/operations.md)" >&2
  exit 1
}
if ! found=$(docker compose ps -aq 2> /dev/null); then # also where there is none, or not on the PATH of cron
  if [ -e .env ] || grep -qs '"kind": "postgresql"' "${BACKUP_DIR:-backups}"/*/manifest.json; then
    stop "Compose was used here, and Docker does not answer: $(docker compose ps -aq 2>&1 | tail -n 1). Mend that first"
  fi
  echo run
  exit
fi
if [ -z "$found" ]; then # `make down` leaves the data only
  project=$(docker compose config | sed -n 's/^name: //p')
  label=com.docker.compose
  found=$(docker volume ls -q --filter "label=$label.project=$project" --filter "label=$label.volume=postgres-data")
fi
if [ -z "$found" ]; then
  echo run
elif [ -z "${1-}" ] || [ -n "$(docker compose ps -q "$1")" ]; then
  echo compose
else
  stop "the Compose stack is here, but $1 does not run. Start it as you always do, such as docker compose up --wait"
fi
