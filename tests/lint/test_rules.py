"""The rules of the house that a compiler does not check: test_rules.py LIBRARY_OR_OBJECT...

Which module includes which, what the core may call, and that nothing is kept in mutable globals.
Each rule is also tried on a small offender, so that a rule that finds nothing is known to look.
"""
import glob
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402

# Lowest first; a module may include headers of its own row and of the rows above it.
LEVELS = [["base"], ["numeric", "encoding"], ["format"], ["model"], ["quantised"], ["plan"], ["record"],
          ["parallel"], ["scan"], ["results"],
          ["app", "inspect", "export"]]
LEVEL = {module: level for level, row in enumerate(LEVELS) for module in row}
CORE = ["base", "numeric", "encoding", "format", "model", "quantised", "plan", "record"]
# Where each public header (include/llmfp) belongs.
PUBLIC = {"error": "base", "buffer": "base", "moments": "numeric", "statistics": "numeric",
          "curve": "numeric", "divisor": "numeric", "encoding": "encoding", "catalog": "format", "checkpoint": "format",
          "configuration": "model", "roles": "model", "manifest": "model", "plan": "plan", "quantised": "quantised",
          "own_rules": "model", "slices": "model",
          "coverage": "plan", "split": "plan",
          "record": "record", "journal": "record", "partial": "record",
          "communicator": "parallel", "shares": "parallel", "io": "base", "isa": "encoding",
          "batch": "scan", "scan": "scan", "results": "results", "verify": "results"}
FORBIDDEN_CALLS = ["printf", "vprintf", "fprintf", "vfprintf", "puts", "fputs", "putchar",
                   "perror", "exit", "_exit", "abort", "atoi", "atol", "atof", "strcpy", "strcat",
                   "sprintf", "vsprintf", "gets", "strtok", "system", "popen"]
# Only signal handlers need variables that live outside every function.
MAY_HAVE_GLOBALS = ("stop_signal.c.", "bus_guard.c.")
INCLUDE = re.compile(r'^\s*#\s*include\s*["<]([^">]+)[">]', re.MULTILINE)
NOT_CODE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.DOTALL)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def sources(*patterns):
    found = sorted(path for pattern in patterns
                   for path in glob.glob(os.path.join(harness.ROOT, pattern), recursive=True))
    assert found, f"no file matches {patterns}"
    return found


def owner(header, module):
    """The module that a header belongs to; None for headers of the system."""
    if header.startswith("llmfp/"):
        return PUBLIC.get(header[len("llmfp/"):-len(".h")], "unknown")
    if os.path.exists(os.path.join(harness.ROOT, "src", module, header)):
        return module
    found = glob.glob(os.path.join(harness.ROOT, "src", "*", os.path.basename(header)))
    return os.path.basename(os.path.dirname(found[0])) if found else None


def wrong_includes(text, module):
    """Included headers of modules that stand above `module`, or of no known module."""
    wrong = []
    for header in INCLUDE.findall(text):
        other = owner(header, module)
        if other is not None and other != module and LEVEL.get(other, 99) > LEVEL[module]:
            wrong.append(header)
        if module in CORE and re.match(r"(mpi|hdf5|H5\w*)\.h$", header):
            wrong.append(header)
    return wrong


def forbidden_calls(text):
    code = NOT_CODE.sub(" ", text)
    return [name for name in FORBIDDEN_CALLS if re.search(rf"(?<![\w.>]){name}\s*\(", code)]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def undefined(path):
    return [line.split()[-1] for line in run("nm", "-u", path).splitlines()
            if re.match(r"\s+[UwW] ", line)]


def mutable(listing):
    """Objects in writable sections, of `objdump -t`. Tables of constants that hold addresses
    stand in .data.rel.ro, which is read-only once the program has started."""
    found, member = [], ""
    for line in listing.splitlines():
        match = re.match(r"(\S+):\s+file format", line)
        if match:
            member = match.group(1)
        fields = line.split()
        section = next((f for f in fields if f.startswith((".data", ".bss", ".tdata", ".tbss"))
                        or f == "*COM*"), None)
        if section and not section.startswith(".data.rel.ro") and fields[-1] != section \
                and not os.path.basename(member).startswith(MAY_HAVE_GLOBALS):
            found.append(f"{member}: {fields[-1]} in {section}")
    return found


class Rules(harness.Case):
    def binaries(self, start=""):
        found = [path for path in BINARIES if os.path.basename(path).startswith(start)]
        self.check(found, f"no file {start}* was given")
        return found

    def test_every_module_and_header_has_a_place(self):
        modules = {os.path.basename(os.path.dirname(path)) for path in sources("src/*/*.c")}
        self.equal(modules, set(LEVEL), "folders of src")
        headers = {os.path.basename(path)[:-2] for path in sources("include/llmfp/*.h")}
        self.equal(headers, set(PUBLIC), "headers of include/llmfp")

    def test_includes_point_one_way(self):
        for path in sources("src/*/*.[ch]"):
            module = os.path.basename(os.path.dirname(path))
            self.equal(wrong_includes(read(path), module), [], f"includes of {path}")
        for path in sources("include/llmfp/*.h"):
            module = PUBLIC[os.path.basename(path)[:-2]]
            self.equal(wrong_includes(read(path), module), [], f"includes of {path}")
        self.equal(wrong_includes('#include "llmfp/plan.h"\n#include <stdio.h>\n', "format"),
                   ["llmfp/plan.h"], "an offender")
        self.equal(wrong_includes('#include <mpi.h>\n#include "file.h"\n', "model"), ["mpi.h"])
        self.equal(wrong_includes('#  include "role_names.h"\n', "base"), ["role_names.h"])
        self.equal(wrong_includes('#include "role_names.h"\n', "scan"), [])

    def test_core_is_free_of_mpi_and_hdf5(self):
        for name in ("libllmfp.a", "libllmfp_front.a"):
            names = [symbol for path in self.binaries(name) for symbol in undefined(path)]
            self.check("memcpy" in names or "strcmp" in names, f"nm finds nothing in {name}")
            self.equal([s for s in names if re.match(r"(P?MPI_|ompi_|H5)", s)], [], name)
        names = [s for path in self.binaries("libllmfp_parallel.a") for s in undefined(path)]
        self.check(any(s.startswith("MPI_") for s in names), "MPI is not found where it is")
        self.equal([s for s in names if s.startswith("H5")], [], "HDF5 in libllmfp_parallel.a")

    def test_libraries_neither_print_nor_exit(self):
        for path in sources("src/*/*.[ch]"):
            if os.path.basename(os.path.dirname(path)) not in LEVELS[-1]:  # the programs
                self.equal(forbidden_calls(read(path)), [], f"calls in {path}")
        self.equal(forbidden_calls("exit (1); strcpy(a, b); /* puts(x) */ f(\"abort()\");"),
                   ["exit", "strcpy"], "an offender")
        self.equal(forbidden_calls("snprintf(a, 1, b); llmfp_exit(1); at.exit(2);"), [])
        for name in ("libllmfp.a", "libllmfp_parallel.a", "libllmfp_results.a"):
            for path in self.binaries(name):
                self.equal(set(undefined(path)) & set(FORBIDDEN_CALLS), set(), name)

    def test_no_mutable_globals(self):
        for path in self.binaries():
            self.equal(mutable(run("objdump", "-t", path)), [], path)
        source = self.write("offender.c", "int shared; static int kept = 2; const int fixed = 3;\n"
                            "const int *const table[] = {&fixed};\n"
                            "int *f(void) { static int calls; calls++; kept++; return &calls; }\n")
        run("cc", "-fPIC", "-c", source, "-o", self.path("offender.o"))
        found = sorted(line.split()[1].split(".")[0]
                       for line in mutable(run("objdump", "-t", self.path("offender.o"))))
        self.equal(found, ["calls", "kept", "shared"], "an offender")

    def test_no_path_of_one_machine(self):
        pattern = re.compile(r"(?<![\w.$}\-])/(?:home|root|work|tmp/wt|Users|mnt|scratch)/\w")
        for path in sources("src/**/*", "include/**/*.h", "jobs/*", "tests/**/*.[ch]",
                            "tests/**/*.py", "tests/**/*.sh", "tests/**/*.txt", "*.txt", "*.json",
                            "*.md", "results-schema/*", ".ci/*"):
            if os.path.isfile(path) and not path.endswith(".pyc") and path != __file__:
                self.equal(pattern.findall(read(path)), [], f"paths in {path}")
        self.check(pattern.search("see /home" + "/me"), "an offender is not found")

    def test_sources_are_short(self):
        """A file has one purpose; tables of data may be longer."""
        for path in sources("src/*/*.[ch]"):
            if not os.path.basename(path).startswith(("families", "layouts")):
                lines = read(path).count("\n")
                self.check(lines <= 550, f"{path} has {lines} lines")


BINARIES = [argument for argument in sys.argv[1:] if argument.endswith((".a", ".o"))]
sys.argv[1:] = [argument for argument in sys.argv[1:] if argument not in BINARIES]

if __name__ == "__main__":
    harness.main()
