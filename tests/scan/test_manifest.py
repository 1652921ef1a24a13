"""The manifest: labels, quotes, comments, line ends, globs, standard input, options."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "support"))

import harness  # noqa: E402
import program  # noqa: E402
import results  # noqa: E402
import shapes  # noqa: E402


class Manifest(program.ScanCase):
    def setUp(self):
        super().setUp()
        self.model = shapes.llama(1, 3)
        self.model.write(self.path("base"))

    def store(self, *names):
        """The same small model in folders of these names (links, so that it is quick)."""
        for name in names:
            os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
            os.symlink(self.path("base"), self.path(name))

    def labels(self, text, wanted, **keywords):
        found, done = self.scan(text, "--overwrite", **keywords)
        self.clean(done)
        self.equal(found.models, wanted, f"labels of {text!r}")
        for label in wanted:
            results.compare(self, found, label, self.model.cells())
        return found

    def test_labels(self):
        self.labels("base\n", ["base"])
        self.labels("base", ["base"])                      # no newline at the end
        self.labels("one base\ntwo base\n", ["one", "two"])
        self.labels("base/\n", ["base"])                   # a trailing slash
        self.labels("./base\n", ["base"])
        self.labels("base/model.safetensors\n", ["model.safetensors"])
        self.labels("z base\na base\nm base\n", ["z", "a", "m"])  # manifest order

    def test_space_and_comments(self):
        self.labels("# first\n\n   \t \n  base  # the base\n\t# indented\nx\t\tbase\n# end",
                    ["base", "x"])
        self.store("name#with#hash")
        self.labels("name#with#hash\n", ["name#with#hash"])  # inside a token # is itself

    def test_line_ends(self):
        self.labels("base\r\n# comment\r\n\r\ntwo base\r\n", ["base", "two"])

    def test_quotes(self):
        self.store("with space", 'quo"te', "back\\slash", "# no comment")
        self.labels('"with space"\n', ["with space"])
        self.labels('"a label" "with space"\n"b" base\n', ["a label", "b"])
        self.labels('"quo\\"te"\n"back\\\\slash"\n', ['quo"te', "back\\slash"])
        self.labels('"# no comment"\n', ["# no comment"])

    def test_spaces_without_quotes(self):
        """Two tokens look like LABEL PATH: who has such a folder hears of quotes."""
        self.store("my model/base")
        _, done = self.scan("my model/base\n", status=2)
        self.check('something at "my model/base"; a path with spaces goes in double quotes'
                   in done.err and "line 1" in done.err, done.tell())
        self.labels('"my model/base"\n', ["base"])
        self.store("model/base")  # now it is a label and a path
        self.labels("my model/base\n", ["my"])

    def test_utf8(self):
        self.store("mod\u00e8le-\u6a21\u578b")
        self.labels("mod\u00e8le-\u6a21\u578b\n\u00e9t\u00e9 base\n",
                    ["mod\u00e8le-\u6a21\u578b", "\u00e9t\u00e9"])

    def test_globs(self):
        self.store("run/step-10", "run/step-2", "run/step-1", "run/other")
        self.labels("run/step-*\n", ["step-1", "step-10", "step-2"])  # in byte order
        self.labels("run/step-?\n", ["step-1", "step-2"])
        self.labels("run/step-[2-9]\n", ["step-2"])
        self.labels("run/step-*\nbase\nrun/o*r\n", ["step-1", "step-10", "step-2", "base",
                                                    "other"])
        found = self.labels("run/step-? family=runs\nbase\n", ["step-1", "step-2", "base"])
        self.equal(found["family"], ["runs", "runs", ""])

    def test_options(self):
        found = self.labels('base family=llama\ntwo base parent=base family="big family"\n'
                            "three base parent=elsewhere\n", ["base", "two", "three"])
        self.equal(found["family"], ["llama", "big family", ""])
        self.equal(found["parent"], ["", "base", "elsewhere"])
        self.store("a=b")
        self.labels('"./a=b"\n', ["a=b"])

    def test_options_change_no_number(self):
        plain, _ = self.scan("base\ntwo base\n", output="plain.h5")
        claimed, _ = self.scan("base family=x\ntwo base parent=base\n", output="claimed.h5")
        results.equal(self, plain, claimed, ignore=("family", "parent"))

    def test_relative_to_the_manifest(self):
        self.store("deep/er/model")
        os.makedirs(self.path("lists"))
        manifest = self.write("lists/manifest.txt", "../deep/er/model\nfull " + self.path("base")
                              + "\n")
        found, _ = self.scan(manifest, "--overwrite")
        self.equal(found.models, ["model", "full"])
        # Started elsewhere, with a relative path to the manifest.
        done = program.run(["-o", self.path("o.h5"), "lists/manifest.txt"], None, self.folder)
        self.equal(done.status, 0, done.tell())
        self.equal(results.load(self.path("o.h5")).models, ["model", "full"])

    def test_standard_input(self):
        text = "base\ntwo base family=x\n"
        for ranks in (None, 3):
            done = program.run(["-o", f"stdin-{ranks}.h5", "-"], ranks, self.folder, stdin=text)
            self.equal(done.status, 0, done.tell())
            found = results.load(self.path(f"stdin-{ranks}.h5"))
            self.equal(found.models, ["base", "two"])
            results.compare(self, found, "two", self.model.cells())

    def test_long_manifest(self):
        """Every line counts, in order, also when there are more lines than ranks or buffers."""
        labels = [f"model-{i:03d}-{'x' * (i % 50)}" for i in range(150)]
        found, _ = self.scan("".join(f"{label} base\n" for label in labels), ranks=3)
        self.equal(found.models, labels)

    def test_paths_are_stored(self):
        found, _ = self.scan("base\n")
        self.check(found["path"][0].endswith("base"), found["path"][0])


if __name__ == "__main__":
    harness.main()
