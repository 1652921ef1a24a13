#!/bin/bash
# clean_debian.sh PACKAGE.deb - install the package in a new, minimal Debian 12 below a temporary
# folder, scan the trained models there, and remove the package. As root; needs debootstrap and
# a Debian mirror (LLMFP_MIRROR).
set -euo pipefail
package=$(realpath "$1")
data=$(cd "$(dirname "${BASH_SOURCE[0]}")/../data" && pwd)
mirror=${LLMFP_MIRROR:-http://deb.debian.org/debian}
root=$(mktemp -d)
chmod 755 "$root" # apt and the user in there are not root
clean_up()
{
    mountpoint -q "$root/proc" && umount "$root/proc"
    rm -rf --one-file-system "$root"
    rm -f "$root.log"
}
trap clean_up EXIT

inside()
{
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive \
        chroot "$root" "$@"
}

debootstrap --variant=minbase bookworm "$root" "$mirror" >"$root.log" 2>&1 ||
    { tail "$root.log" >&2; exit 1; }
mount -t proc proc "$root/proc"
mkdir -p "$root/dev/shm"
cp "$package" "$root/tmp/llmfp.deb"
cp -r "$data" "$root/tmp/data"
inside apt-get update -q >/dev/null
inside apt-get install -y -q --no-install-recommends /tmp/llmfp.deb >"$root.log" 2>&1 ||
    { tail "$root.log" >&2; exit 1; }
inside useradd --create-home user
inside su user -c 'set -e; cd
    mpirun --oversubscribe -n 3 llmfp-scan -o r.h5 /tmp/data/tiny-lineage/manifest.txt
    llmfp-scan --verify r.h5
    llmfp-inspect /tmp/data/tiny-lineage/base0 | head -n 3
    llmfp-export r.h5 -o r.csv
    llmfp-report r.h5
    python3 /usr/share/llmfp/results-schema/validate.py r.h5
    test -s r.csv && test -s r.html'
inside apt-get purge -y -q llmfp >/dev/null
[ -z "$(find "$root/usr" -path '*llmfp*')" ] || { echo "files are left behind" >&2; exit 1; }
echo "works on a clean Debian 12"
