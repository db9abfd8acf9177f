#!/bin/sh
# Take the variables that the first start made for this container, then become the command.
set -eu
if [ -r /secrets/env ]; then
  set -a
  . /secrets/env
  set +a
fi
exec "$@"
