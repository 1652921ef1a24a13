# jobs/packages.sh - install Debian packages, only those that are missing. Read with `.`.
#
#   need_packages NAME...   returns 0 when all are there afterwards; otherwise says
#                           which are missing, and exits with 1
# As root, or with sudo. On other systems: install the same things their way; a
# system without dpkg is left alone, and CMake says what it does not find.
# shellcheck shell=bash disable=SC2034 # the lists are for those who read this file

# To build and to run.
build_packages=(gcc libc6-dev make cmake pkg-config openmpi-bin libopenmpi-dev
                libhdf5-openmpi-dev libcjson-dev libmpfr-dev libgmp-dev zlib1g-dev)
# The tests on top of that: CUnit, nm and readelf, h5dump and h5diff, Python as an oracle,
# what executes the notebook; SLURM for the jobs.
test_packages=(libcunit1-dev binutils hdf5-tools python3 python3-numpy python3-h5py
               python3-xarray python3-h5netcdf python3-matplotlib python3-nbconvert
               python3-ipykernel python3-fusepy fuse3 slurm-wlm munge)
# One test more where these can be had: the kernels of AArch64, cross-compiled and emulated.
cross_packages=(gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)

missing_packages()
{
    local name
    for name in "$@"; do
        if [ "$(dpkg-query -W -f='${db:Status-Status}' "$name" 2>/dev/null)" != installed ]; then
            echo "$name"
        fi
    done
}

as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

apt_install()
{
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

give_up_on_packages()
{
    echo "These packages are missing and could not be installed ($1):" >&2
    echo "  ${*:2}" >&2
    echo "Install them as root, then run this script again:" >&2
    echo "  apt-get install ${*:2}" >&2
    exit 1
}

# Installs what can be installed, and never fails.
want_packages()
{
    (need_packages "$@" >/dev/null 2>&1) || echo "Not installed, and not needed: $*"
}

need_packages()
{
    command -v dpkg-query >/dev/null || return 0
    local missing
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -eq 0 ] && return 0
    if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
        give_up_on_packages "neither root nor sudo" "${missing[@]}"
    fi
    echo "Installing ${missing[*]}"
    # The package lists may be absent or old: fetch them only when it does not work as it is.
    if ! apt_install "${missing[@]}" </dev/null >/dev/null 2>&1; then
        { as_root apt-get update -q && apt_install "${missing[@]}"; } </dev/null >&2 || true
    fi
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -eq 0 ] || give_up_on_packages "apt-get failed" "${missing[@]}"
}
