"""The flow that a data set file in a bucket starts: read it from its address, then as any other data set."""

from __future__ import annotations

from collections.abc import Sequence

from prefect import flow

from chrombpnet_core.errors import InputError
from chrombpnet_core.formats import read_yaml
from flows.dataset import cancel_folds, dataset
from flows.deployment.allowed_addresses import allowed_address
from flows.environment import stoppable
from flows.spec import DatasetSpec, make_spec, map_addresses
from tasks.storage import redact, stage

__all__ = ["drop", "read_dropped"]


@flow(name="drop", flow_run_name="{uri}", validate_parameters=False, on_cancellation=[cancel_folds])
@stoppable
def drop(uri: str, store: str, fold_deployment: str | None = None, allowed: Sequence[str] = ()) -> list[str]:
    """Run the data set whose file, YAML or JSON, was put into a bucket.

    Parameters
    ----------
    uri
        Address of the file.
    store
        Where steps keep their outputs.
    fold_deployment
        Deployment that folds are runs of; in this process where None.
    allowed
        Addresses below which the file itself, and all that it names, must lie.

    Returns
    -------
    list of str
        Addresses of its reports.

    Raises
    ------
    InputError
        Where the file is none that may be run so; see :func:`read_dropped`.
    """
    return dataset.fn(read_dropped(allowed_address(uri, allowed, store), allowed, store), store, fold_deployment)


def read_dropped(uri: str, allowed: Sequence[str], store: str) -> DatasetSpec:
    """Read a data set file that somebody put into a bucket.

    Parameters
    ----------
    uri
        Address of the file.
    allowed
        Addresses below which all that it names must lie.
    store
        Where steps keep their outputs, which it may not name.

    Returns
    -------
    DatasetSpec
        The data set.

    Raises
    ------
    InputError
        Where it is no data set, names something that is not allowed, such as any path of this machine, or names code to
        run: a right to write to a bucket is no right to that.
    """
    path, _ = stage(uri, "data set")
    content = read_yaml(path, "data set", redact(uri))
    if not isinstance(content, dict):
        raise InputError(f"{redact(uri)}: not a data set", expected="keys such as assay, reads, genome, peaks, output")
    spec = make_spec(content, redact(uri))
    if spec.model.architecture:
        raise InputError(f"{redact(uri)}: model.architecture names code to run", remedy="run it with 'chrombpnet run'")
    checked = map_addresses(spec.model_dump(mode="json"), lambda address: allowed_address(address, allowed, store))
    return make_spec(checked, redact(uri))
