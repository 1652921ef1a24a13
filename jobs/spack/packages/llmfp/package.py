# Spack recipe of llmfp-scan, its companions and the C library. From a clone of the project:
#   spack repo add jobs/spack
#   spack dev-build llmfp@main          # builds the clone that you stand in
# or with the environment beside it (spack.yaml): spack -e jobs/spack install
import os

from spack.package import *


class Llmfp(CMakePackage):
    """Exact weight statistics of language models, in parallel: llmfp-scan reads many
    checkpoints with many MPI ranks, and writes standard deviations, signatures and
    correlations into one HDF5 file."""

    license("Apache-2.0")

    version("main")

    variant("report", default=True, description="What llmfp-report needs: Python with h5py and numpy")

    depends_on("c", type="build")
    depends_on("cmake@3.25:", type="build")
    depends_on("pkgconfig", type="build")
    depends_on("mpi@3:")
    depends_on("hdf5@1.10:+mpi+hl")
    depends_on("cjson")
    depends_on("gmp")
    depends_on("mpfr@4:")
    depends_on("zlib-api")
    depends_on("python@3.9:", when="+report", type="run")
    depends_on("py-h5py", when="+report", type="run")
    depends_on("py-numpy", when="+report", type="run")

    def cmake_args(self):
        return [
            self.define("LLMFP_TESTS", False),
            # That of this MPI, and not one that happens to be in PATH.
            self.define("MPI_C_COMPILER", self.spec["mpi"].mpicc),
            self.define("HDF5_ROOT", self.spec["hdf5"].prefix),
        ]

    @run_after("install")
    @on_package_attributes(run_tests=True)
    def check_install(self):
        for name in ("llmfp-inspect", "llmfp-export"):
            Executable(os.path.join(self.prefix.bin, name))("--version")
