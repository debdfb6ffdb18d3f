#!/bin/sh
# Makes every image that the compose files name, but Grafana's and the real ksqlDB's, without an image registry: out of Debian's
# packages and the jars of `pagepulse setup`. Root is needed, and a Docker Engine (DOCKER_HOST, else the system's).
#
#   deploy/compose/images/build.sh
#
# The machine's own configuration of apt, Maven and pip (mirrors, certificates) is what fetches; none of it is left in an image.
# Repeatable: an image whose files have not changed is not made again.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
repository=$(CDPATH='' cd -- "$here/../../.." && pwd)
prefix=pagepulse-local

say() { printf '%s\n' "$*" >&2; }
fail() { say "images: $*"; exit 1; }

[ "$(id -u)" -eq 0 ] || fail "mmdebstrap makes the base images as root: run this with sudo"
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no Docker Engine answers${DOCKER_HOST:+ at $DOCKER_HOST}; apt-get install docker.io brings one"
if ! command -v mmdebstrap >/dev/null; then
    say "images: installing mmdebstrap"
    apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends mmdebstrap >&2
fi

# The jars come from the poms of the local stack, through the same command.
"$repository/deploy/local/bootstrap.sh"
"$repository/.venv/bin/pagepulse" setup >&2
jars() { "$repository/.venv/bin/python" -c 'import sys; from deploy.local import cache; print(cache.jars(sys.argv[1]))' "$1"; }

release=bookworm
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The same input gives the same label, and an image that has it is left alone.
current() { [ "$(docker image inspect --format '{{index .Config.Labels "pagepulse.made-of"}}' "$1" 2>/dev/null)" = "$2" ]; }

digest() { sha256sum | cut -c 1-12; }
recipe=$(awk '/^base\(\) \{/, /^\}/' "$0" | digest)

# base NAME PACKAGE,...: a small Debian with these packages, without manuals, and without the lists and sources of apt.
base() {
    image=$prefix/$1 packages=$2 tar=$work/${1%:*}.tar
    label="$release $packages $recipe"
    if current "$image" "$label"; then return; fi
    say "images: $image of Debian's $packages"
    # The archive that this machine's apt is configured to use; Debian's own by default.
    set --
    for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
        if grep -qs '^[^#]' "$file"; then set -- "$@" "$file"; fi
    done
    # shellcheck disable=SC2016 # mmdebstrap's shell fills in $1
    mmdebstrap --quiet --mode=root --variant=essential --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --include="passwd,usr-is-merged,$packages" \
        --customize-hook='rm -rf "$1"/etc/apt/sources.list* "$1"/etc/apt/auth.conf* "$1"/var/cache/debconf "$1"/var/log/*' \
        "$release" "$tar" "$@" >"$tar.log" 2>&1 || { tail -n 20 "$tar.log" >&2; fail "$image cannot be made"; }
    docker import --change "LABEL pagepulse.made-of=\"$label\"" --change 'CMD ["bash"]' "$tar" "$image" >/dev/null
    rm "$tar"
}

# At the same time: each waits for the network and the disk more than it computes. libstdc++ is in every image of Python's that is
# not Alpine's, and numpy needs it.
base python:3.11 python3,python3-venv,python-is-python3,ca-certificates,libstdc++6 & pids=$!
base java:17 openjdk-17-jre-headless & pids="$pids $!"
base mariadb-server:10.11 mariadb-server-core,mariadb-client-core & pids="$pids $!"
base prometheus-server:2.42 prometheus,busybox & pids="$pids $!"
for pid in $pids; do wait "$pid"; done

# For the build of PagePulse's own images, which compose does: what compose.local-images.yaml hands in as secrets.
mkdir -p "$here/.machine"
cp /etc/ssl/certs/ca-certificates.crt "$here/.machine/"
for file in /etc/pip.conf /etc/uv/uv.toml; do
    target=$here/.machine/$(basename "$file")
    if [ -e "$file" ]; then cp "$file" "$target"; else : >"$target"; fi
done

# server IMAGE TARGET: of a base, the jars (whose folders are named for the poms that they were fetched by) and the files here.
made_of=$(
    for name in kafka connect pinot; do basename "$(jars $name)"; done
    docker image inspect --format '{{.Id}}' $prefix/java:17 $prefix/mariadb-server:10.11 $prefix/prometheus-server:2.42
)
context=$work/context
stage() {
    say "images: the servers"
    mkdir -p "$context/jars"
    for name in kafka connect pinot; do cp -a --reflink=auto "$(jars $name)" "$context/jars/$name"; done
    for name in kafka pinot; do
        cp "$repository/deploy/local/templates/$name-log4j2.xml.j2" "$context/jars/$name-log4j2.xml"
    done
    cp -a "$here"/* "$context"
}
server() {
    label=$({ printf '%s' "$made_of"; cat "$here/Dockerfile" "$repository"/deploy/local/templates/*log4j2*; find "$here/$2" -type f -exec cat {} + 2>/dev/null; } | digest)
    if current "$prefix/$1" "$label"; then return; fi
    [ -d "$context" ] || stage
    docker build --quiet --target "$2" --label "pagepulse.made-of=$label" --tag "$prefix/$1" "$context" >/dev/null
}
server kafka:4.1.1 kafka
server connect:4.1.1 connect
server zookeeper:3.6 zookeeper
server pinot:0.11.0 pinot
server mariadb:10.11 mariadb
server prometheus:2.42 prometheus
