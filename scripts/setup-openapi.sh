#!/bin/bash
# Gets schemathesis (from PyPI, a version that is known to run) into TARGET/openapi-tools, if it is missing:
# `setup-openapi.sh [TARGET]`.
set -euo pipefail
cd "$(dirname "$0")/.."
version=4.32.5
tools="${1:-target}/openapi-tools"
if ! "$tools/venv/bin/st" --version 2>/dev/null | grep -qF " $version"; then
    echo "setup-openapi: installing schemathesis $version"
    mkdir -p "$tools"
    python3 -m venv "$tools/venv"
    "$tools/venv/bin/pip" install -q --disable-pip-version-check "schemathesis==$version" >/dev/null
fi
