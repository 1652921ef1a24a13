"""Reads a results file (schema 1.x) and refuses, in one sentence, what is none."""
import hashlib
import os

import h5py
import numpy as np

QKVO = ("attn.q", "attn.k", "attn.v", "attn.o")
TEXTS = ("architecture", "path", "format", "status", "message", "family", "parent",
         "source_digest")
NUMBERS = ("n_layers", "parameters", "bytes", "unmapped_bytes")


class ResultsError(Exception):
    """Why a file cannot be reported on: one sentence for the user."""


def strings(dataset):
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
            for value in dataset[:]]


def attribute(file, name):
    value = file.attrs.get(name, "")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


class Results:
    """What a report needs of an open file; arrays over roles are read one role at a time."""

    def __init__(self, path):
        self.path = path
        if os.path.isdir(path):
            raise ResultsError(f"{path} is a folder: give the HDF5 file that llmfp-scan wrote.")
        try:
            with open(path, "rb"):
                pass
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            raise ResultsError(f"{path} cannot be read: {reason}.") from None
        if not h5py.is_hdf5(path):
            raise ResultsError(f"{path} is not an HDF5 file: give the file that llmfp-scan wrote.")
        try:
            self.file = h5py.File(path, "r")
            self.load()
        except ResultsError:
            raise
        except (OSError, KeyError, ValueError, TypeError, RuntimeError, AttributeError) as error:
            raise ResultsError(f"{path} is damaged or no complete results file: {error}.") from None
        self.file_bytes = os.path.getsize(path)
        self.digest = sha256(path)

    def load(self):
        if attribute(self.file, "schema") != "llmfp-results":
            raise ResultsError(f"{self.path} is an HDF5 file but not of llmfp-scan: its attribute "
                               "\"schema\" is not \"llmfp-results\".")
        self.schema_version = attribute(self.file, "schema_version")
        if self.schema_version.split(".")[0] != "1":
            raise ResultsError(f"{self.path} has results schema {self.schema_version}, and this "
                               "program reads 1.x: use the llmfp-report of the same release.")
        self.generator = attribute(self.file, "generator")
        self.created = attribute(self.file, "created")
        self.models, self.roles = strings(self.file["model"]), strings(self.file["role"])
        self.n_layers_axis = len(self.file["layer"])
        n = len(self.models)
        self.texts = {name: strings(self.column(name, n)) for name in TEXTS}
        self.numbers = {name: self.column(name, n)[:] for name in NUMBERS}
        cells = (n, len(self.roles), self.n_layers_axis)
        for name in ("count", "signature"):
            self.shaped(name, cells)
        self.shaped("correlation", (len(self.roles), n, n))
        self.qkvo = self.shaped("correlation_qkvo", (n, n))[:].astype(float)

    def column(self, name, n):
        return self.shaped(name, (n,))

    def shaped(self, name, shape):
        dataset = self.file[name]
        if dataset.shape != shape:
            raise ResultsError(f"{self.path} is damaged: {name} has shape {dataset.shape}, and the "
                               f"axes say {shape}.")
        return dataset

    def curves(self, role):
        """[(model index, normalised values)] of the models that have this role, and the number
        of models whose curve has no normalised form (constant, or with a value not finite)."""
        at = self.roles.index(role)
        count, signature = self.read("count", np.s_[:, at, :]), self.read("signature", np.s_[:, at, :])
        found, undefined = [], 0
        for model in np.flatnonzero((count > 0).any(axis=1)):
            values = signature[model, count[model] > 0]
            if np.isfinite(values).all():
                found.append((int(model), values))
            else:
                undefined += 1
        return found, undefined

    def correlation(self, role):
        return self.read("correlation", np.s_[self.roles.index(role)]).astype(float)

    def models_per_role(self):
        return [int((self.read("count", np.s_[:, at, :]) > 0).any(axis=1).sum())
                for at in range(len(self.roles))]

    def read(self, name, selection):
        try:
            return self.file[name][selection]
        except (OSError, RuntimeError) as error:
            raise ResultsError(f"{self.path} is damaged: {name} cannot be read: {error}.") from None
