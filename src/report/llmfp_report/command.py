"""The command line: options, messages, exit statuses, and putting the page in place."""
import argparse
import os
import shlex
import sys
import tempfile

from . import VERSION, page, text
from .results import Results, ResultsError

DESCRIPTION = """Make one self-contained web page (HTML with inline SVG) of a results file of llmfp-scan:
curves, correlation maps, most similar pairs, models and provenance."""
STATUSES = """exit status: 0 the page is written; 1 RESULTS is no results file, or the page cannot be written;
2 the command line is wrong"""


def options(arguments):
    parser = argparse.ArgumentParser("llmfp-report", description=DESCRIPTION, epilog=STATUSES, allow_abbrev=False)
    parser.add_argument("results", metavar="RESULTS", help="the HDF5 file that llmfp-scan wrote")
    parser.add_argument("-o", "--output", metavar="FILE",
                        help="the page; default RESULTS with .html for .h5; - is standard output; replaced if it exists")
    parser.add_argument("--version", action="version", version=f"llmfp-report {VERSION}")
    return parser.parse_args(arguments)


def put_in_place(path, content):
    """Write beside `path` and rename, so that a page is there whole or not at all."""
    if os.path.exists(path) and not os.path.isfile(path):
        if os.path.isdir(path):
            raise IsADirectoryError(21, "it is a folder")
        with open(path, "wb") as file:
            file.write(content)
        return
    target = os.path.realpath(path)
    handle, temporary = tempfile.mkstemp(prefix=".llmfp-report-", dir=os.path.dirname(target))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            mask = os.umask(0)
            os.umask(mask)
            os.fchmod(file.fileno(), 0o666 & ~mask)
        os.replace(temporary, target)
    except BaseException:
        os.unlink(temporary)
        raise


def fail(message):
    print(f"llmfp-report: {text.visible(str(message), 1000)}", file=sys.stderr)
    return 1


def main(arguments):
    chosen = options(arguments)
    output = chosen.output
    if output is None:
        stem, suffix = os.path.splitext(chosen.results)
        output = (stem if suffix in (".h5", ".hdf5") else chosen.results) + ".html"
    if output != "-" and os.path.exists(output) and os.path.exists(chosen.results) \
            and os.path.samefile(output, chosen.results):
        return fail(f"{output} is the results file itself: choose another file with -o.")
    command = shlex.join(["llmfp-report", *arguments])
    try:
        content = page.render(Results(chosen.results), command).encode("utf-8", "replace")
        if output == "-":
            sys.stdout.buffer.write(content)
            sys.stdout.buffer.flush()
        else:
            put_in_place(output, content)
    except ResultsError as error:
        return fail(error)
    except MemoryError:
        return fail(f"{chosen.results} needs more memory than there is.")
    except OSError as error:
        return fail(f"{output} cannot be written: {error.strerror or error}.")
    return 0
