#!/bin/sh
# Builds, starts and waits; then seeds, provisions and generates. Repeatable: what runs goes on, what is right is left alone.
# PAGEPULSE_USERS and PAGEPULSE_RATE (events per second) size the demo.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here"
./env.sh

docker compose up --build --detach --wait

token=$(sed -n 's/^PAGEPULSE_API_TOKEN=//p' .env)
# The token stays out of the list of processes: curl reads its header from a file that only we can read.
header=$(mktemp) answer=$(mktemp)
trap 'rm -f "$header" "$answer"' EXIT
printf 'Authorization: Bearer %s\n' "$token" >"$header"

# 409 says that it runs already.
post() {
    status=$(curl --silent --show-error --max-time 300 --output "$answer" --write-out '%{http_code}' \
        --header @"$header" --header 'Content-Type: application/json' --data "$2" "$1")
    printf '%s %s\n' "$status" "$1" >&2
    case $status in 2??|409) ;; *) cat "$answer" >&2; exit 1 ;; esac
}

post "${SEEDER_URL:-http://127.0.0.1:8002}/seeder/seed?wait=true" \
    "{\"count\": ${PAGEPULSE_USERS:-1000}, \"seed\": 42, \"null_fraction\": 0.05}"
post "${PROVISIONER_URL:-http://127.0.0.1:8003}/provisioner/apply?wait=true" '{}'
post "${GENERATOR_URL:-http://127.0.0.1:8001}/generator/start" "{\"rate\": ${PAGEPULSE_RATE:-200}}"
printf 'Dashboard: http://127.0.0.1:8501\n'
