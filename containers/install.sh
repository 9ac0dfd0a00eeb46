#!/bin/sh
# Install the tool into /usr/local/xcebra-nwb, with the versions of requirements.lock. Dockerfile and Apptainer.def call it.
# usage: install.sh SOURCE [TORCH_INDEX]
#   TORCH_INDEX  where torch comes from: https://download.pytorch.org/whl/cpu by default, which knows no card and is
#                small; https://download.pytorch.org/whl/cu128 for cards; "" for the index of pip
set -eu
source=$1
index=${2-https://download.pytorch.org/whl/cpu}
python3 -m venv /usr/local/xcebra-nwb
pip() { /usr/local/xcebra-nwb/bin/python -m pip "$@" --no-cache-dir --disable-pip-version-check; }
torch=$(grep '^torch==' "$source/requirements.lock")
if [ -n "$index" ]; then
    PIP_INDEX_URL=$index pip install "$torch"
fi
# A build of torch has its own version, such as 2.13.0+cpu, which the lock does not name.
grep -v '^torch==' "$source/requirements.lock" >"$source/constraints.txt"
pip install --constraint "$source/constraints.txt" "$torch" "$source[all,cluster]"
/usr/local/xcebra-nwb/bin/xcebra-nwb --version
