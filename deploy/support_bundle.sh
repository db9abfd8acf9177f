#!/bin/sh
# The support bundle of the stack that is here, running or not. What only Docker can say is written down first, into a
# folder that nobody else can read and that is gone afterwards; `remit support-bundle` takes what may be shown from it.
#   support_bundle.sh REMIT     REMIT: the command of `make run`'s own environment
set -eu
stack=$(sh deploy/which_stack.sh)
if [ "$stack" = run ]; then
  exec "$1" support-bundle
fi
umask 077
given=$(mktemp -d)
trap 'rm -rf "$given"' EXIT
mkdir "$given/logs"
docker compose config --format json > "$given/config.json"
docker compose ps -a --format json > "$given/containers.json"
for service in $(docker compose ps -a --format '{{.Service}}' | sort -u); do
  if [ "$service" != sandbox ]; then
    docker compose logs --no-color --no-log-prefix --tail 500 "$service" > "$given/logs/$service.log" 2>&1
  fi
done
docker compose run --rm --no-deps -T -v "$given:/given:ro" backup remit support-bundle --given /given
