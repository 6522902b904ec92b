#!/bin/sh
# Makes what docker-compose.yml needs and nobody should choose: passwords (.env), and certificates for
# Elasticsearch (secrets/). Run once, in any folder: it writes beside docker-compose.yml, or into the folder that
# is named. Nothing that is there is overwritten.
set -eu
umask 077

command -v openssl >/dev/null || { echo "make-secrets.sh needs openssl: install it." >&2; exit 1; }
folder=${1:-$(dirname -- "$0")/../..}
cd -- "$folder"
for path in .env secrets; do
  if [ -e "$path" ]; then
    echo "$path is there already: it belongs to servers that know it. To begin anew, remove .env, secrets and the volumes." >&2
    exit 1
  fi
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# An authority for this one certificate. Its key is forgotten: nobody can sign another one.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -days 3650 -subj "/CN=relaywatch authority" \
  -addext "basicConstraints=critical,CA:TRUE,pathlen:0" -addext "keyUsage=critical,keyCertSign,cRLSign" \
  -keyout "$work/ca.key" -out "$work/ca.crt" 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha256 -subj "/CN=elasticsearch" \
  -keyout "$work/elasticsearch.key" -out "$work/elasticsearch.csr" 2>/dev/null
cat >"$work/extensions" <<END
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth,clientAuth
subjectAltName=DNS:elasticsearch,DNS:localhost,IP:127.0.0.1
END
openssl x509 -req -sha256 -days 3650 -in "$work/elasticsearch.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" \
  -set_serial "0x$(openssl rand -hex 16)" -extfile "$work/extensions" -out "$work/elasticsearch.crt" 2>/dev/null

password() { openssl rand -hex 24; }
cat >"$work/env" <<END
# Passwords of this installation, made by infra/container/make-secrets.sh. Keep them.
RELAYWATCH_KAFKA_PASSWORD=$(password)
RELAYWATCH_REDIS_PASSWORD=$(password)
# The user of the workers, and the superuser, who is for setup and for people.
RELAYWATCH_ELASTICSEARCH_PASSWORD=$(password)
ELASTIC_PASSWORD=$(password)
KIBANA_PASSWORD=$(password)
KIBANA_ENCRYPTION_KEY=$(password)
KAFKA_CLUSTER_ID=$(openssl rand -base64 16 | tr '+/' 'AB' | tr -d '=')
END

# Containers read the files as users of their own: the folder keeps everybody else out.
mkdir secrets
for name in ca.crt elasticsearch.crt elasticsearch.key; do
  cat "$work/$name" >"secrets/$name"
  chmod 444 "secrets/$name"
done
cat "$work/env" >.env
echo "Written: .env and secrets/. Next: docker compose up -d --build" >&2
