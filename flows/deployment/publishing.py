"""The flow that keeps what is shown of many data sets up to date: the page over them, and bundles that are missing."""

from __future__ import annotations

import json
import logging
from typing import Any

from prefect import flow

from chrombpnet_core.errors import InputError
from chrombpnet_core.report import FOLDS_JSON
from flows.dataset import dataset, plan
from flows.spec import make_spec
from tasks.reports import BUNDLE_MANIFEST, make_index
from tasks.runs import RUN
from tasks.storage import Store, default_store, redact

__all__ = ["publish"]

log = logging.getLogger(__name__)


@flow(name="publish", validate_parameters=False)
def publish(root: str, store: str | None = None, bundles: str | None = None) -> str | None:
    """Write the page over all data sets below an address, and the bundles that are missing.

    Parameters
    ----------
    root
        Address below which the results of data sets lie.
    store
        Where steps keep their outputs, for runs whose record does not tell it.
    bundles
        Address below which each finished data set gets a bundle in a folder of its name; None: no bundles are made. Nothing
        is trained for one: a data set whose steps are no longer in the store is left out, with a warning.

    Returns
    -------
    str or None
        The page's address; None where no data set is finished yet.
    """
    place = Store(root)
    names = place.sizes()
    finished = sorted(name.removesuffix(FOLDS_JSON).rstrip("/") for name in names if name.split("/")[-1] == FOLDS_JSON)
    if not finished:
        log.warning("%s: no data set is finished yet", redact(root))
        return None
    if bundles:
        for folder in finished:
            record = place.read_json(*filter(None, folder.split("/")), RUN)
            if record and record.get("complete"):
                _bundle(record, store, bundles)
    return make_index(root)


def _bundle(record: dict[str, Any], store: str | None, bundles: str) -> None:
    """Bundle one data set that is done, where that has not been yet."""
    asked = record["spec"]
    if Store(bundles).read_json(asked["id"], BUNDLE_MANIFEST) is not None:
        return
    where: str = record.get("store") or store or default_store()
    try:
        spec = make_spec(json.loads(json.dumps(asked)) | {"publish": bundles}, RUN)
        steps = [item for part in plan(spec, where).parts.values() for item in part.items()]
        if not all(in_store for name, in_store in steps if not name.endswith("report")):
            log.warning("%s: no bundle, as some of its steps are no longer in the store", redact(spec.output))
            return
    except InputError as error:  # such as an input that was deleted since
        log.warning("%s: no bundle: %s", redact(asked["output"]), error)
        return
    dataset(spec, where)
