#!/bin/bash
# test_install.sh BUILD CMAKE CC VERSION - install a build under a new prefix, and use it:
# the program, the manual, find_package(llmfp) and pkg-config.
set -euo pipefail
build=$1 cmake=$2 cc=$3 version=$4
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix

fail()
{
    echo "$1" >&2
    exit 1
}

"$cmake" --install "$build" --prefix "$prefix" >"$folder/install.log" || fail "cmake --install fails"

for file in bin/llmfp-scan share/man/man1/llmfp-scan.1 \
    share/bash-completion/completions/llmfp-scan bin/llmfp-report share/man/man1/llmfp-report.1 \
    share/bash-completion/completions/llmfp-report share/llmfp/report/llmfp_report/page.css \
    bin/llmfp-inspect share/man/man1/llmfp-inspect.1 \
    share/bash-completion/completions/llmfp-inspect bin/llmfp-export \
    share/man/man1/llmfp-export.1 share/bash-completion/completions/llmfp-export include/llmfp/moments.h; do
    [ -s "$prefix/$file" ] || fail "not installed: $file"
done
OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$prefix/bin/llmfp-scan" --version |
    grep -qx "llmfp-scan $version" || fail "the installed program does not say $version"
[ "$("$prefix/bin/llmfp-inspect" --version)" = "llmfp-inspect $version" ] ||
    fail "the installed llmfp-inspect does not say $version"
[ "$("$prefix/bin/llmfp-export" --version)" = "llmfp-export $version" ] ||
    fail "the installed llmfp-export does not say $version"
[ "$("$prefix/bin/llmfp-report" --version)" = "llmfp-report $version" ] ||
    fail "the installed llmfp-report does not say $version"

# Every installed header, each by itself: all must do without MPI and HDF5.
for header in "$prefix"/include/llmfp/*.h; do
    line="#include <llmfp/$(basename "$header")>"
    echo "$line" >>"$folder/all_headers.h"
    echo "$line" >"$folder/one_header.c"
    "$cc" -std=c11 -Wall -Wextra -Werror -I "$prefix/include" -c "$folder/one_header.c" \
        -o "$folder/one_header.o" || fail "$(basename "$header") does not stand by itself"
done
[ "$(wc -l <"$folder/all_headers.h")" -ge 10 ] || fail "headers are missing"

"$cmake" -S "$here/consumer" -B "$folder/consumer" -DCMAKE_C_COMPILER="$cc" \
    -DCMAKE_PREFIX_PATH="$prefix" -DCMAKE_C_FLAGS="-I$folder" >"$folder/cmake.log" ||
    fail "find_package(llmfp) fails"
"$cmake" --build "$folder/consumer" >"$folder/build.log" ||
    fail "a project with find_package(llmfp) does not build"
[ "$("$folder/consumer/consumer")" = works ] || fail "the consumer does not work (find_package)"

pc=$(find "$prefix" -name llmfp.pc)
PKG_CONFIG_PATH=$(dirname "$pc")
export PKG_CONFIG_PATH
[ "$(pkg-config --modversion llmfp)" = "$version" ] || fail "llmfp.pc does not say $version"
read -r -a flags < <(pkg-config --cflags --static --libs llmfp)
"$cc" -std=c11 -I "$folder" "$here/consumer/consumer.c" -o "$folder/by_pkg_config" "${flags[@]}" ||
    fail "a compilation with pkg-config's flags fails"
[ "$("$folder/by_pkg_config")" = works ] || fail "the consumer does not work (pkg-config)"

# DESTDIR, as packagers use it, must not get into what is installed.
DESTDIR=$folder/stage "$cmake" --install "$build" --prefix /usr >"$folder/stage.log" ||
    fail "cmake --install with DESTDIR fails"
grep -qx 'prefix=/usr' "$(find "$folder/stage/usr" -name llmfp.pc)" || fail "llmfp.pc has a wrong prefix"
! grep -rq -e "$folder" -e "$build" --include='*.cmake' --include='*.pc' "$folder/stage" ||
    fail "a folder of the build got into what is installed"
echo "all as it should be"
