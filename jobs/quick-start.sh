#!/bin/bash
# jobs/quick-start.sh - build llmfp-scan, and scan the five small trained checkpoints
# that come with it on up to four ranks. Prints which models belong together.
# Leaves build/release and build/quick-start.h5; may be run again, from any folder.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=jobs/packages.sh
. "$root/jobs/packages.sh"
need_packages "${build_packages[@]}"
cd "$root"

log=build/quick-start.log
mkdir -p build
echo "Building into build/release (log: $log)"
if ! { cmake --preset release -DLLMFP_TESTS=OFF && cmake --build --preset release -j "$(nproc)"; } \
    >"$log" 2>&1; then
    tail -n 30 "$log" >&2
    echo "The build failed: see $log" >&2
    exit 1
fi

# Open MPI refuses root without being told twice; containers often have no other user.
if [ "$(id -u)" -eq 0 ]; then
    export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
fi
scan=(mpirun --oversubscribe -n 4 build/release/src/app/llmfp-scan --overwrite
      -o build/quick-start.h5 tests/data/tiny-lineage/manifest.txt)
echo "${scan[*]}"
echo
exec "${scan[@]}"
