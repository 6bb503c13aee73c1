#!/bin/sh
# Make the environment that the speed benchmarks compare with: release 1.0.1 of
# imitation on the same dependencies as ours.
#
#     benchmarks/speed/setup_release.sh DIRECTORY
#     python benchmarks/speed/run_all.py --release-python DIRECTORY/bin/python
#
# The release asks for versions that no longer work together, so it is installed
# without its dependencies; huggingface-sb3 is left out, because it does not work
# with current huggingface_hub and what we measure does not import it.
set -eu
if [ $# -ne 1 ]; then
    echo "usage: $0 DIRECTORY" >&2
    exit 2
fi
root=$(cd "$(dirname "$0")/../.." && pwd)
"${PYTHON:-python3}" -m venv "$1"
pip() { "$venv/bin/python" -m pip --disable-pip-version-check "$@"; }
venv=$1
pip install -c "$root/constraints.txt" \
    torch stable-baselines3 'gymnasium[classic-control]' numpy scipy scikit-learn \
    sacred 'setuptools<82' seals datasets jsonpickle tensorboard matplotlib optuna \
    rich tqdm
pip install --no-deps imitation==1.0.1
"$venv/bin/python" -W ignore -c \
    'import imitation.algorithms.dagger, imitation.data.serialize; print("ready")'
