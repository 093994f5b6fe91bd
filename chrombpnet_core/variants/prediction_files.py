"""Predictions and contributions of both alleles as HDF5, laid out as variant-scorer's."""

from __future__ import annotations

import os
from collections.abc import Iterable

import h5py
import numpy as np

from chrombpnet_core._types import Codes, Floats
from chrombpnet_core.formats import GrowingTable, TableColumn, open_hdf5_to_write
from chrombpnet_core.variants.scores import AllelePredictions

__all__ = ["AllelePredictionsFile", "VariantContributionsFile"]


class AllelePredictionsFile:
    """Both alleles' predictions as HDF5, laid out as variant-scorer's, in the order in which they are appended.

    ``observed/allele1_pred_counts``, ``observed/allele1_pred_profiles`` (logits, mean of both strands), the same of
    allele 2, and ``variant_ids``.

    Parameters
    ----------
    path
        Where it goes.
    width
        Output length in bp.
    """

    def __init__(self, path: str | os.PathLike[str], width: int) -> None:
        filters = {"compression": "gzip", "compression_opts": 1, "shuffle": True}
        columns = {"variant_ids": TableColumn(h5py.string_dtype(), chunk=1024)}
        for allele in ("allele1", "allele2"):
            columns[f"observed/{allele}_pred_counts"] = TableColumn(np.float32, filters=filters)
            columns[f"observed/{allele}_pred_profiles"] = TableColumn(np.float32, (width,), 64, filters)
        self._table = GrowingTable(path, columns)

    def append(self, names: Iterable[str], alleles: AllelePredictions) -> None:
        """Add variants."""
        self._table.append(
            {
                "variant_ids": np.asarray(list(names), dtype=object),
                "observed/allele1_pred_counts": alleles.counts1,
                "observed/allele2_pred_counts": alleles.counts2,
                "observed/allele1_pred_profiles": alleles.logits1,
                "observed/allele2_pred_profiles": alleles.logits2,
            }
        )

    def close(self) -> None:
        """Write what is left and close the file."""
        self._table.close()


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

    def __init__(self, path: str | os.PathLike[str], length: int) -> None:
        from chrombpnet_core.interpret import ContributionsFile  # with it comes Keras

        self._path, self._file = path, ContributionsFile(path, length)
        self._names: list[str] = []
        self._alleles: list[int] = []

    def append(self, names: Iterable[str], codes: Codes, scores: Floats) -> None:
        """Add variants: base codes uint8 ``(2, n, L)``, hypothetical contributions ``(2, n, L, 4)``; first alleles first."""
        names = list(names)
        for allele in (0, 1):
            self._file.append(codes[allele], scores[allele])
            self._names += names
            self._alleles += [allele] * len(names)

    def close(self) -> None:
        """Write what is left and close the file."""
        self._file.close()
        with open_hdf5_to_write(self._path, "a") as written:
            written.create_dataset("variant_ids", data=np.array(self._names, dtype=object), dtype=h5py.string_dtype())
            written.create_dataset("alleles", data=np.array(self._alleles, dtype=np.int8))
