#!/bin/sh
# Run once by docker-compose.yml, with the certificates of Elasticsearch in $CA_FILE: the password of Kibana's
# own user, and the user of the workers with the rights that they need and no others. Running it again changes
# nothing.
set -eu
umask 077

call() {
  # The password comes over stdin: arguments can be read by others.
  printf 'user = "elastic:%s"\n' "$ELASTIC_PASSWORD" | curl --silent --show-error --fail-with-body --config - \
    --cacert "$CA_FILE" --retry 10 --retry-connrefused --max-time 30 --request "$1" \
    --header "Content-Type: application/json" --data-binary "@$body" "$ELASTICSEARCH_NODE$2" >&2
  echo >&2
}

body=$(mktemp)
trap 'rm -f "$body"' EXIT

printf '{"password":"%s"}' "$KIBANA_PASSWORD" >"$body"
call POST /_security/user/kibana_system/_password

cat >"$body" <<END
{
  "cluster": ["monitor"],
  "indices": [
    {
      "names": ["logs-relaywatch.*"],
      "privileges": ["auto_configure", "create_doc", "read", "maintenance", "view_index_metadata"]
    },
    { "names": ["relaywatch-*"], "privileges": ["index", "read", "maintenance", "view_index_metadata"] }
  ]
}
END
call PUT /_security/role/relaywatch_worker

printf '{"password":"%s","roles":["relaywatch_worker"]}' "$RELAYWATCH_ELASTICSEARCH_PASSWORD" >"$body"
call PUT /_security/user/relaywatch
