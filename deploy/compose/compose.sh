#!/bin/sh
# Docker Compose in this folder: compose.sh ps. The plug-in of the docker command, else the one that is in the lock (Debian's Docker
# has no plug-in).
set -eu

cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)"
# Engines before 23 build with their old builder unless asked; the Dockerfile needs the newer one.
export DOCKER_BUILDKIT=1 COMPOSE_BAKE=false
if docker compose version >/dev/null 2>&1; then exec docker compose "$@"; fi
for own in ../../.venv/lib/python3*/site-packages/compose/docker-compose; do
    if [ -x "$own" ]; then exec "$own" "$@"; fi
done
printf 'there is no Docker Compose: install the plug-in (docker-compose-plugin), or run make setup, which brings one\n' >&2
exit 1
