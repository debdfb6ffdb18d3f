#!/bin/sh
# Makes .env from .env.example with a random value for each change-me. An .env that is there is left alone.
# FOLDER/.env for another place: env.sh FOLDER
# IMAGES=local: for images that are made here (docs/no-registry.md), which implies the profile `embedded`.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=${1:-$here}/.env
images=${IMAGES:-registry}
case $images in registry|local) ;; *) printf 'IMAGES is local or registry, not %s\n' "$images" >&2; exit 1 ;; esac
if [ -e "$target" ]; then
    if [ -n "${IMAGES:-}" ]; then
        made_for=registry
        if grep -q '^COMPOSE_FILE=.*local-images' "$target"; then made_for=local; fi
        if [ "$made_for" != "$images" ]; then
            printf '%s is for IMAGES=%s: end that deployment (make compose-down), then move the file elsewhere\n' "$target" "$made_for" >&2
            exit 1
        fi
    fi
    exit 0
fi

umask 077
while IFS= read -r line; do
    case $images:$line in
        *:\#*) ;;
        local:COMPOSE_FILE=*) line=COMPOSE_FILE=compose.yaml:compose.local-images.yaml ;;
        local:COMPOSE_PROFILES=*) line=COMPOSE_PROFILES=embedded ;;
        local:PAGEPULSE_DISTINCT_TOLERANCE=*) line=PAGEPULSE_DISTINCT_TOLERANCE=0 ;;
        local:PAGEPULSE_MAX_EVENT_TIME_AHEAD=*) line=PAGEPULSE_MAX_EVENT_TIME_AHEAD=PT1H ;;
        *=change-me) line=${line%%=*}=$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n') ;;
    esac
    printf '%s\n' "$line"
done <"$here/.env.example" >"$target.part"
mv "$target.part" "$target"
printf 'made %s\n' "$target" >&2
