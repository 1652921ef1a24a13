#!/bin/bash
# run.sh NAME|all [SECONDS] - fuzz one target, or all one after the other, at low priority on
# one core. New inputs go to build/fuzz/found/NAME, those that fail to build/fuzz/failures.
# When a run has found something worth keeping: run.sh --merge NAME takes the smallest set of
# inputs with the same coverage into the committed corpus.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
programs=build/fuzz/tests/fuzz
export UBSAN_OPTIONS=print_stacktrace=1 ASAN_OPTIONS=allocator_may_return_null=1

merge()
{
    "$programs/fuzz_$1" -merge=1 -max_len=4096 "tests/fuzz/corpus/$1" "build/fuzz/found/$1"
}

fuzz()
{
    local name=$1 seconds=$2
    mkdir -p "build/fuzz/found/$name" build/fuzz/failures
    local dictionary=()
    [ -f "tests/fuzz/$name.dict" ] && dictionary=("-dict=tests/fuzz/$name.dict")
    echo "== $name, $seconds s"
    nice -n 19 "$programs/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 \
        -print_final_stats=1 -verbosity=0 -max_len=16384 "${dictionary[@]}" \
        -artifact_prefix="build/fuzz/failures/$name-" \
        "build/fuzz/found/$name" "tests/fuzz/corpus/$name"
}

case ${1:-} in
--merge)
    merge "${2:?NAME}"
    ;;
all)
    for program in "$programs"/fuzz_*; do
        [ -x "$program" ] && [ -f "$program" ] && fuzz "${program##*/fuzz_}" "${2:-600}"
    done
    ;;
?*)
    fuzz "$1" "${2:-600}"
    ;;
*)
    sed -n '2,5s/^# //p' "${BASH_SOURCE[0]}"
    exit 2
    ;;
esac
