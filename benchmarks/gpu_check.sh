#!/usr/bin/env bash
# Prove the code of a graphics card, in less than 8 minutes: what doctor says, the tests that need a card, and what
# `python -m xcebra_nwb.benchmark.card` measures. Everything goes into one folder; table.md is for docs/benchmarks.md.
#
#   benchmarks/gpu_check.sh [OUT]            on a machine with a card
#   benchmarks/gpu_check.sh OUT cpu --quick  shows that the script runs
#
# The package and its extras dev (and bench, for CEBRA) must be installed for $PYTHON (python3). It ends with 1 if a part
# failed, and goes on with the others.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=${PYTHON:-python3} out=${1:-results/card} device=${2:-cuda} code=0
mkdir -p "$out"

failed() {
    echo "gpu_check: $1 failed, or took too long" >&2
    code=1
}
timeout 60 "$python" -m xcebra_nwb doctor --offline --device "$device" | tee "$out/doctor.txt" || failed doctor
# A test that is skipped has not run: on a card, none may be.
timeout 90 "$python" -m pytest -m gpu -rs -p no:cacheprovider tests/xcebra tests/training | tee "$out/tests.txt" || failed tests
if [ "$device" != cpu ] && grep -q "no CUDA card" "$out/tests.txt"; then failed "a test, which found no card,"; fi
timeout 430 "$python" -m xcebra_nwb.benchmark.card -o "$out" --device "$device" "${@:3}" || failed measuring
exit "$code"
