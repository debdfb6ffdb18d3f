#!/bin/sh
# Builds, starts and waits; then seeds, provisions and generates. Repeatable: what runs continues, what is as desired is not changed, and
# existing users are not changed.
# IMAGES=local: with images that are made here (docs/no-registry.md).
# PAGEPULSE_USERS and PAGEPULSE_RATE (events per second) size the demo.
set -eu

cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)"
env=${COMPOSE_ENV_FILES:-.env}
./env.sh "$(dirname "$env")"

if grep -q '^COMPOSE_FILE=.*local-images' "$env"; then images/build.sh; fi
./compose.sh up --build --detach --wait

seeder=${SEEDER_URL:-http://127.0.0.1:8002}/seeder
provisioner=${PROVISIONER_URL:-http://127.0.0.1:8003}/provisioner
generator=${GENERATOR_URL:-http://127.0.0.1:8001}/generator

# The token stays out of the list of processes: curl reads its header from a file that only we can read.
header=$(mktemp) answer=$(mktemp)
trap 'rm -f "$header" "$answer"' EXIT
sed -n 's/^PAGEPULSE_API_TOKEN=/Authorization: Bearer /p' "$env" >"$header"

# call METHOD URL [BODY]: the answer is in the file. 409 says that it runs already. A run or job that failed is in a 200.
call() {
    status=$(curl --silent --show-error --max-time 300 --output "$answer" --write-out '%{http_code}' --request "$1" \
        --header @"$header" --header 'Content-Type: application/json' ${3:+--data "$3"} "$2")
    printf '%s %s %s\n' "$status" "$1" "$2" >&2
    case $status in 2??|409) ;; *) cat "$answer" >&2; exit 1 ;; esac
    if grep -q '"state":"failed"' "$answer"; then cat "$answer" >&2; exit 1; fi
}

call GET "$seeder/status"
if grep -q '"users":0,' "$answer"; then
    call POST "$seeder/seed?wait=true" "{\"count\": ${PAGEPULSE_USERS:-1000}, \"seed\": 42, \"null_fraction\": 0.05}"
fi
call POST "$provisioner/apply?wait=true"
call POST "$generator/start" "{\"rate\": ${PAGEPULSE_RATE:-200}}"
printf 'Dashboard: http://127.0.0.1:8501\n'
