#!/bin/sh
# Fill in the one thing that differs from place to place, and serve.
set -eu
case "$PORTAL_PUBLIC_URL" in
  https://*) ;;
  *) echo "remit: with TLS in front PORTAL_PUBLIC_URL must begin with https://; it is $PORTAL_PUBLIC_URL" >&2; exit 1 ;;
esac
sed "s|@PORTAL_PUBLIC_URL@|${PORTAL_PUBLIC_URL%/}|" /etc/remit/nginx.conf >/tmp/nginx.conf
exec nginx -c /tmp/nginx.conf
