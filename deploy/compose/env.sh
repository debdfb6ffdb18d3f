#!/bin/sh
# Makes .env from .env.example with a random value for each change-me. An .env that is there is left alone.
# FOLDER/.env for another place: env.sh FOLDER
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
target=${1:-$here}/.env
[ -e "$target" ] && exit 0

umask 077
while IFS= read -r line; do
    case $line in
        \#*) printf '%s\n' "$line" ;;
        *=change-me) printf '%s=%s\n' "${line%%=*}" "$(od -An -N24 -tx1 /dev/urandom | tr -d ' \n')" ;;
        *) printf '%s\n' "$line" ;;
    esac
done <"$here/.env.example" >"$target.part"
mv "$target.part" "$target"
printf 'made %s\n' "$target" >&2
