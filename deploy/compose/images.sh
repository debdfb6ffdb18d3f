#!/bin/sh
# Builds the five images and runs each until its health check is content, without a Docker Engine: with Debian's buildah, podman,
# runc and mmdebstrap (apt-get install them; root is needed). No registry is asked for a base image: it is Debian with its Python.
#
#   deploy/compose/images.sh [SERVICE...]
#
# Everything is in a folder that goes with the script. What podman is told here is what compose.yaml says: a read-only root file
# system, no capability, no new privileges, a writable /tmp.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repository=$here/../..
work=$(mktemp -d)
store="--root $work/storage --runroot $work/run --storage-driver overlay"
tidy() {
    podman $store --log-level fatal rm --all --force --time 5
    buildah $store rm --all
    rm -rf "$work"
}
trap 'tidy >/dev/null 2>&1' EXIT

say() { printf '%s\n' "$*" >&2; }

base=localhost/python-on-debian
mmdebstrap --quiet --mode=root --variant=minbase \
    --include=python3,python3-pip,python3-venv,python-is-python3,ca-certificates \
    "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/base.tar" /etc/apt/sources.list.d/*.sources
container=$(buildah $store from scratch)
buildah $store add -q "$container" "$work/base.tar" /
# The machine's certificates and package index, as a company's proxy or mirror needs them.
buildah $store copy -q "$container" /etc/ssl/certs /etc/ssl/certs
if [ -e /etc/pip.conf ]; then buildah $store copy -q "$container" /etc/pip.conf /etc/pip.conf; fi
buildah $store commit -q --rm "$container" "$base" >/dev/null

# buildah 1.28 does not know --start-interval, which came with Docker Engine 25.
sed 's/ --start-interval=1s//' "$here/Dockerfile" >"$work/Dockerfile"

port=28100
for service in ${*:-generator seeder provisioner ksql dashboard}; do
    port=$((port + 1)) path=/healthz
    if [ "$service" = dashboard ]; then path=/_stcore/health; fi
    begun=$(date +%s)
    buildah $store build --quiet --layers --format docker --isolation chroot --network host \
        --file "$work/Dockerfile" --ignorefile "$here/Dockerfile.dockerignore" \
        --build-arg PYTHON="$base" --build-arg SERVICE="$service" --build-arg HEALTH_PATH="$path" \
        --tag "pagepulse-$service" "$repository" >/dev/null
    built=$(date +%s)
    podman $store --runtime "$(command -v runc)" --cgroup-manager cgroupfs run --detach --pull never --name "$service" \
        --no-healthcheck --network host --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
        --ulimit nofile=1024:1024 --ulimit nproc=1024:1024 \
        --env PAGEPULSE_HOST=127.0.0.1 --env PAGEPULSE_PORT="$port" "localhost/pagepulse-$service" >/dev/null
    tries=60
    until podman $store --runtime "$(command -v runc)" exec "$service" python healthcheck.py 2>/dev/null; do
        tries=$((tries - 1))
        if [ "$tries" = 0 ]; then podman $store logs "$service" >&2; say "$service: not healthy"; exit 1; fi
        sleep 0.5
    done
    user=$(podman $store --runtime "$(command -v runc)" exec "$service" id -u)
    size=$(podman $store image inspect --format '{{.Size}}' "localhost/pagepulse-$service")
    say "$service: built in $((built - begun)) s, $((size / 1000000)) MB, healthy $(($(date +%s) - built)) s after its start, as user $user"
    podman $store --runtime "$(command -v runc)" --log-level fatal rm --force --time 10 "$service" >/dev/null
done
