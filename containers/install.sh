#!/bin/sh
# Install the tool into /opt/xcebra-nwb, with the versions of requirements.lock. Dockerfile and Apptainer.def call it.
# usage: install.sh SOURCE [TORCH_INDEX]
#   TORCH_INDEX  where torch comes from: https://download.pytorch.org/whl/cpu by default, which knows no card and is
#                small; https://download.pytorch.org/whl/cu128 for cards; "" for the index of pip
set -eu
source=$1
index=${2-https://download.pytorch.org/whl/cpu}
python3 -m venv /opt/xcebra-nwb
pip() { /opt/xcebra-nwb/bin/python -m pip "$@" --no-cache-dir --disable-pip-version-check; }
torch=$(grep '^torch==' "$source/requirements.lock")
if [ -n "$index" ]; then
    pip install --index-url "$index" "$torch"
fi
# A build of torch has its own version, such as 2.13.0+cpu, which the lock does not name.
grep -v '^torch==' "$source/requirements.lock" >/tmp/constraints.txt
pip install --constraint /tmp/constraints.txt "$torch" "$source[all,cluster]"
rm /tmp/constraints.txt
/opt/xcebra-nwb/bin/xcebra-nwb --version
