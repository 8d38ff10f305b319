#!/bin/sh
# Build the virtual environment once and say what is missing. Usage: scripts/setup.sh [FOLDER]
# PYTHON names the interpreter; ENTENDRE_EXTRAS the extras to install.
set -eu

VENV="${1:-.venv}"
EXTRAS="${ENTENDRE_EXTRAS:-speech,voices,mqtt,wyoming,xiaozhi,esphome,media,postgres,fleet,dev}"
STAMP="$VENV/.entendre-setup"

say() { printf '%s\n' "$*" >&2; }
fail() { say ""; for line in "$@"; do say "  $line"; done; say ""; exit 1; }

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for candidate in "${PYTHON:-}" python3.14 python3.13 python3.12 python3.11 python3 python; do
        if [ -n "$candidate" ] && fits "$candidate"; then command -v "$candidate"; return; fi
    done
    fail "Python 3.11 or newer is needed and was not found." \
        "Debian, Ubuntu:  sudo apt install python3 python3-venv" \
        "Fedora:          sudo dnf install python3" \
        "macOS:           brew install python" \
        "or name one:     make setup PYTHON=/path/to/python3.12"
}

fingerprint() {
    "$VENV/bin/python" -c '
import hashlib, pathlib, sys
text = pathlib.Path("pyproject.toml").read_bytes() + sys.argv[1].encode() + sys.version.encode() + str(pathlib.Path.cwd()).encode()
print(hashlib.sha256(text).hexdigest())' "$EXTRAS"
}

# A usable environment can run pip, its own or that of the interpreter which made it.
INSTALL=""
find_installer() {
    if "$VENV/bin/python" -m pip --version >/dev/null 2>&1; then
        INSTALL="$VENV/bin/python -m pip --disable-pip-version-check install"
    elif command -v uv >/dev/null 2>&1; then
        INSTALL="uv pip install --python $VENV/bin/python"
    elif "$1" -m pip --version >/dev/null 2>&1; then
        INSTALL="$1 -m pip --disable-pip-version-check --python $VENV/bin/python install"
    else
        return 1
    fi
}

make_environment() {
    python="$1"
    say "Building $VENV with $("$python" --version 2>&1) ($python)"
    rm -rf "$VENV"
    if "$python" -m venv "$VENV" >/dev/null 2>&1; then return; fi
    rm -rf "$VENV" # a failed attempt leaves half an environment behind
    if "$python" -m virtualenv "$VENV" >/dev/null 2>&1; then return; fi
    rm -rf "$VENV"
    if "$python" -m venv --without-pip "$VENV" >/dev/null 2>&1 && find_installer "$python"; then return; fi
    rm -rf "$VENV"
    if command -v uv >/dev/null 2>&1 && uv venv --python "$python" "$VENV"; then return; fi
    rm -rf "$VENV"
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    fail "This Python can't build a virtual environment: its venv module or pip is missing." \
        "Debian and Ubuntu ship it separately:" \
        "    sudo apt install python$version-venv        (or python3-venv)" \
        "Without root, uv does it too: https://docs.astral.sh/uv/" \
        "Then run the same make command again."
}

if [ -x "$VENV/bin/python" ] && [ -f "$STAMP" ] && [ "$(cat "$STAMP")" = "$(fingerprint)" ]; then exit 0; fi

PYTHON_FOUND=$(find_python)
if ! { [ -x "$VENV/bin/python" ] && fits "$VENV/bin/python" && find_installer "$PYTHON_FOUND"; }; then
    make_environment "$PYTHON_FOUND"
    find_installer "$PYTHON_FOUND" || fail "pip is missing: sudo apt install python3-pip"
fi
say "Installing Entendre and its extras ($EXTRAS) into $VENV; the first time fetches about 300 MB."
if ! $INSTALL -e ".[$EXTRAS]"; then
    fail "The packages could not be installed; the lines above say why." \
        "Without a network this works only once they have been installed before."
fi
fingerprint >"$STAMP"
say "$VENV is ready."
