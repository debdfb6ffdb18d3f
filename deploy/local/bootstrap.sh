#!/bin/sh
# Makes .venv from the hash-pinned requirements.lock. Repeatable: a second run sees that nothing changed and ends at once.
# PYTHON=/path/to/python3 chooses the interpreter (3.11 or newer).
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/../.." && pwd)
venv=$root/.venv
lock=$root/requirements.lock
stamp=$venv/pagepulse.stamp

say() { printf '%s\n' "$*" >&2; }
fail() { say "bootstrap: $*"; exit 1; }

wanted=$(cat "$lock" "$root/pyproject.toml" "$0" | sha256sum)
wanted="$wanted $root"
if [ -x "$venv/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ]; then
    exit 0
fi

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"
    elif command -v sudo >/dev/null; then sudo "$@"
    else fail "this needs root or sudo: $*"
    fi
}

recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-} python3 python3.14 python3.13 python3.12 python3.11; do
    if command -v "$candidate" >/dev/null && recent "$candidate"; then python=$candidate; break; fi
done
[ -n "$python" ] || fail "Python 3.11 or newer is needed; PYTHON=/path/to/python3 names one"

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    command -v apt-get >/dev/null || fail "$python has no module 'venv'; install it (Debian: python3-venv)"
    say "bootstrap: installing python3-venv"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends python3-venv >&2
fi

if ! [ -x "$venv/bin/python" ] || ! recent "$venv/bin/python"; then
    say "bootstrap: making .venv with $("$python" --version)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
# An environment that uv has made holds no pip.
"$venv/bin/python" -m pip --version >/dev/null 2>&1 || "$venv/bin/python" -m ensurepip -q >&2
rm -f "$stamp"

# uv is in the lock too: its block of lines, with its hashes, is all that pip has to install.
own=$(mktemp)
trap 'rm -f "$own"' EXIT
awk '/^[^ ]/ { mine = /^uv==/ } mine' "$lock" >"$own"
# Behind a company's proxy only the system's certificates will do; uv brings its own otherwise.
export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
say "bootstrap: installing Python packages from requirements.lock"
if [ -s "$own" ] && "$venv/bin/python" -m pip install -q --disable-pip-version-check --require-hashes --no-deps -r "$own" >&2 &&
    "$venv/bin/uv" pip install --python "$venv/bin/python" --require-hashes -r "$lock" >&2; then
    :
else
    # pip may know a mirror (pip.conf) that uv does not.
    say "bootstrap: uv did not manage, trying pip (slower)"
    "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes -r "$lock" >&2
fi
"$venv/bin/python" -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation --no-index -e "$root" >&2

printf '%s' "$wanted" >"$stamp"
say "bootstrap: .venv is ready"
