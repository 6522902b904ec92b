#!/bin/sh
# Makes a Python environment with ElastAlert2 beside this script, from the package registry that pip is set up for.
# ElastAlert2's own rule classes are what the comparison runs; its clients for tickets and chats are not needed.
set -eu
here=$(dirname "$0")
python=${PYTHON:-python3}
"$python" -m venv "$here/.venv"
"$here/.venv/bin/pip" install --quiet --requirement "$here/requirements.txt"
"$here/.venv/bin/pip" install --quiet --no-deps elastalert2==2.19.0
"$here/.venv/bin/python" -c 'import elastalert.ruletypes; print("ElastAlert2 is ready")'
