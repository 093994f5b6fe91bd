"""Predictions and contributions of both alleles as HDF5, laid out as variant-scorer's."""

from __future__ import annotations

import os
from collections.abc import Iterable

import h5py
import numpy as np

from chrombpnet_core.variants.scores import AllelePredictions

__all__ = []


class AllelePredictionsFile:
    """Predictions as HDF5, as variant-scorer's, in the order of the table.

    ``observed/allele1_pred_counts``, ``observed/allele1_pred_profiles`` (logits, mean of both strands), the same of
    allele 2, and ``variant_ids``.

    Parameters
    ----------
    path
        Where it goes.
    width
        Output length in bp.
    """

    def __init__(self, path: str | os.PathLike, width: int) -> None:
        self._file = h5py.File(path, "w")
        self._sets = {
            "variant_ids": self._file.create_dataset(
                "variant_ids", (0,), h5py.string_dtype(), maxshape=(None,), chunks=(1024,)
            )
        }
        for allele in ("allele1", "allele2"):
            for name, shape in ((f"{allele}_pred_counts", ()), (f"{allele}_pred_profiles", (width,))):
                self._sets[name] = self._file.create_dataset(
                    f"observed/{name}",
                    (0, *shape),
                    np.float32,
                    maxshape=(None, *shape),
                    chunks=(64, *shape) if shape else (4096,),
                    compression="gzip",
                    compression_opts=1,
                    shuffle=True,
                )

    def append(self, names: Iterable[str], alleles: AllelePredictions) -> None:
        """Add variants."""
        values = {
            "variant_ids": np.asarray(list(names), dtype=object),
            "allele1_pred_counts": alleles.counts1,
            "allele2_pred_counts": alleles.counts2,
            "allele1_pred_profiles": alleles.logits1,
            "allele2_pred_profiles": alleles.logits2,
        }
        for name, value in values.items():
            at = len(self._sets[name])
            self._sets[name].resize(at + len(value), axis=0)
            self._sets[name][at:] = value

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()


class VariantContributionsFile:
    """Contributions of both alleles as HDF5, as variant-scorer's: ``raw/seq``, ``shap/seq``, ``projected_shap/seq``.

    ``alleles`` (0: the first, 1: the second) and ``variant_ids`` tell what a row is.

    Parameters
    ----------
    path
        Where it goes.
    length
        Input length in bp.
    """

    def __init__(self, path: str | os.PathLike, length: int) -> None:
        from chrombpnet_core.interpret import ContributionsFile  # with it comes Keras

        self._path, self._file = path, ContributionsFile(path, length)
        self._names: list[str] = []
        self._alleles: list[int] = []

    def append(self, names: Iterable[str], codes: np.ndarray, scores: np.ndarray) -> None:
        """Add variants: base codes uint8 ``(2, n, L)``, hypothetical contributions ``(2, n, L, 4)``; first alleles first."""
        names = list(names)
        for allele in (0, 1):
            self._file.append(codes[allele], scores[allele])
            self._names += names
            self._alleles += [allele] * len(names)

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()
        with h5py.File(self._path, "a") as written:
            written.create_dataset("variant_ids", data=np.array(self._names, dtype=object), dtype=h5py.string_dtype())
            written.create_dataset("alleles", data=np.array(self._alleles, dtype=np.int8))
