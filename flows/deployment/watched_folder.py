"""The flow that a data set file in a bucket starts: read it from its address, then as any other data set."""

from __future__ import annotations

from prefect import flow

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import read_yaml
from flows.dataset import cancel_folds, dataset
from flows.environment import stoppable
from flows.spec import DatasetSpec, absolute_spec, make_spec
from tasks.storage import redact, stage

__all__ = ["drop", "read_dropped"]


@flow(name="drop", flow_run_name="{uri}", validate_parameters=False, on_cancellation=[cancel_folds])
@stoppable
def drop(uri: str, store: str, fold_deployment: str | None = None) -> list[str]:
    """Run the data set whose file, YAML or JSON, was put into a bucket.

    Parameters
    ----------
    uri
        Address of the file.
    store
        Where steps keep their outputs.
    fold_deployment
        Deployment that folds are runs of; in this process where None.

    Returns
    -------
    list of str
        Addresses of its reports.

    Raises
    ------
    InputError
        Where the file is none that may be run so; see :func:`read_dropped`.
    """
    return dataset.fn(read_dropped(uri), store, fold_deployment)


def read_dropped(uri: str) -> DatasetSpec:
    """Read a data set file that somebody put into a bucket.

    Parameters
    ----------
    uri
        Address of the file.

    Returns
    -------
    DatasetSpec
        The data set.

    Raises
    ------
    InputError
        Where it is no data set, where a path in it is relative, which means nothing on the machine that reads it, or where
        it names code to run: a right to write to a bucket is no right to that.
    """
    path, _ = stage(uri, "data set")
    content = read_yaml(path, "data set", redact(uri))
    if not isinstance(content, dict):
        raise InputError(f"{redact(uri)}: not a data set", expected="keys such as assay, reads, genome, peaks, output")
    spec = make_spec(content, redact(uri))
    if spec.model.architecture:
        raise InputError(f"{redact(uri)}: model.architecture names code to run", remedy="run it with 'chrombpnet run'")
    if absolute_spec(spec) != spec:
        raise InputError(f"{redact(uri)}: a path in it is relative", expected="addresses such as gs://bucket/peaks.bed")
    return spec
