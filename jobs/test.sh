#!/bin/bash
# jobs/test.sh [PRESET [CTEST_OPTION]...] - build with warnings as errors, and run all tests.
# PRESET is one of CMakePresets.json (default: ci). May be run again, from any folder.
#   jobs/test.sh                    everything
#   jobs/test.sh ci-clang -L unit   the unit tests, built with clang
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=jobs/packages.sh
. "$root/jobs/packages.sh"
need_packages "${build_packages[@]}" "${test_packages[@]}"
want_packages "${cross_packages[@]}"
cd "$root"

preset=${1:-ci}
[ $# -eq 0 ] || shift
cmake --preset "$preset" -DLLMFP_TESTS=ON
cmake --build --preset "$preset" -j "$(nproc)"
exec ctest --preset "$preset" --no-tests=error -j "$(nproc)" "$@"
