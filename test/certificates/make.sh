#!/bin/sh
# Makes the certificates of the tests again: two CAs, two server pairs, a client, and a client of the other CA. No key of a CA is kept.
set -eu
cd "$(dirname "$0")"
days=36500
ca() { # name
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days $days -subj "/CN=$1" -keyout "$1.key" -out "$1.crt"
}
leaf() { # name ca subjectAltName
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" -addext "subjectAltName=$3" -keyout "$1.key" -out "$1.csr"
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days $days -copy_extensions copy -out "$1.crt"
  rm "$1.csr"
}
ca ca
ca other-ca
leaf server ca "DNS:localhost,DNS:registry.test,IP:127.0.0.1"
leaf renewed ca "DNS:localhost,IP:127.0.0.1"
leaf client ca "URI:spiffe://cluster.local/ns/default/sa/web,DNS:web.default"
leaf stranger other-ca "URI:spiffe://cluster.local/ns/default/sa/web"
rm -f ./*.srl ca.key other-ca.key
