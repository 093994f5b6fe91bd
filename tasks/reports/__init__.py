"""Reports and what is published: of one run, over the folds, and the bundle of models as the ENCODE portal lays it out."""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.reports.bundle import BUNDLE_MANIFEST, publish_bundle, write_tar
    from tasks.reports.folds import INDEX, make_index, publish_folds, report_folds
    from tasks.reports.publishing import publish_quality_metric, publish_run
    from tasks.reports.run import example_contributions, motif_entries, report_run

__all__ = [
    "BUNDLE_MANIFEST",
    "INDEX",
    "example_contributions",
    "make_index",
    "motif_entries",
    "publish_bundle",
    "publish_folds",
    "publish_quality_metric",
    "publish_run",
    "report_folds",
    "report_run",
    "write_tar",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
