#!/bin/bash
# test_package.sh BUILD CPACK VERSION LAUNCHER - make the Debian package, and look at what it
# holds and asks for; use the programs from it. LAUNCHER is the package of mpirun.
set -euo pipefail
build=$1 cpack=$2 version=$3 launcher=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

fail()
{
    echo "$1" >&2
    exit 1
}

"$cpack" --config "$build/CPackConfig.cmake" -G DEB -B "$folder/made" >"$folder/cpack.log" 2>&1 ||
    { cat "$folder/cpack.log" >&2; fail "cpack fails"; }
packages=("$folder"/made/*.deb)
[ ${#packages[@]} -eq 1 ] || fail "not one package: ${packages[*]}"
package=${packages[0]}
[[ $(basename "$package") == llmfp_"$version"-1_*.deb ]] || fail "its name is $(basename "$package")"

depends=$(dpkg-deb -f "$package" Depends)
for wanted in "$launcher" libc6 libcjson1 libgmp10 libmpfr6 libhdf5- zlib1g python3:any python3-h5py \
    python3-numpy; do
    [[ ", $depends" == *", $wanted"* ]] || fail "it does not depend on $wanted: $depends"
done
for script in postinst prerm; do
    dpkg-deb --ctrl-tarfile "$package" | tar -xO "./$script" | sh -n || fail "$script is no shell script"
done

root=$folder/root
dpkg-deb -x "$package" "$root"
for name in llmfp-scan llmfp-inspect llmfp-export llmfp-report; do
    [ -x "$root/usr/bin/$name" ] || fail "it holds no $name"
    gzip -t "$root/usr/share/man/man1/$name.1.gz" || fail "no manual page of $name"
    grep -q "complete .* $name\$" "$root/usr/share/bash-completion/completions/$name" ||
        fail "no completion of $name"
    said=$(OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 "$root/usr/bin/$name" --version)
    [[ $said == "$name $version"* ]] || fail "$name says $said"
done
for file in doc/llmfp/copyright doc/llmfp/changelog.Debian.gz doc/llmfp/README.md llmfp/jobs/analysis.ipynb llmfp/jobs/scan.sbatch \
    llmfp/results-schema/schema.json llmfp/results-schema/SCHEMA.md llmfp/report/llmfp_report/page.css; do
    [ -s "$root/usr/share/$file" ] || fail "it holds no share/$file"
done
for program in scan inspect export; do
    ! readelf -d "$root/usr/bin/llmfp-$program" | grep -E 'R(UN)?PATH' || fail "a library path is built in"
done
unwanted=$(find "$root" -name '*.a' -o -name '*.h' -o -name '*.pyc' -o -perm /022 ! -type l)
[ -z "$unwanted" ] || fail "what should not be there, or may be written by all: $unwanted"

if command -v lintian >/dev/null; then
    errors=$(lintian --allow-root --fail-on none "$package" | grep '^E:') || true
    [ -z "$errors" ] || fail "$errors"
fi
echo "all as it should be"
