#!/bin/sh
# Hand the proxy its certificate and key: the operator's in /tls, or a self-signed pair made there once, for trying.
# What is there is never overwritten. TLS_HOST: the name, or address, that people use.
set -eu
umask 077
given=/tls handed=/handed owner=10001

if [ ! -e "$given/fullchain.pem" ] && [ ! -e "$given/privkey.pem" ]; then
  case "$TLS_HOST" in
    *:*) kind=IP ;;
    *[!0-9.]*) kind=DNS ;;
    *) kind=IP ;;
  esac
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 397 -subj "/CN=$TLS_HOST" \
    -addext "subjectAltName=$kind:$TLS_HOST" -keyout "$given/privkey.pem" -out "$given/fullchain.pem" 2>/dev/null
  chmod 644 "$given/fullchain.pem"
  echo "remit: made a self-signed certificate for $TLS_HOST, for trying; put yours in its place (fullchain.pem, privkey.pem)"
fi
for name in fullchain.pem privkey.pem; do
  [ -s "$given/$name" ] || { echo "remit: $name is missing in TLS_DIR; put both there, or remove both" >&2; exit 1; }
done
of_certificate="$(openssl x509 -in "$given/fullchain.pem" -noout -pubkey)"
of_key="$(openssl pkey -in "$given/privkey.pem" -pubout)"
[ "$of_certificate" = "$of_key" ] || { echo "remit: privkey.pem is not the key of fullchain.pem" >&2; exit 1; }
for name in fullchain.pem privkey.pem; do
  cp "$given/$name" "$handed/$name.part"
  chown "$owner" "$handed/$name.part"
  mv "$handed/$name.part" "$handed/$name"
done
chown "$owner" "$handed"
echo "remit: the proxy's certificate is good until $(openssl x509 -in "$given/fullchain.pem" -noout -enddate | cut -d= -f2)"
