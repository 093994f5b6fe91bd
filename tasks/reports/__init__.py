"""Reports and what is published: of one run, over the folds, and the bundle of models as the ENCODE portal lays it out."""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from tasks.reports.bundle import BUNDLE_MANIFEST, publish_bundle
    from tasks.reports.bundle_content import write_tar
    from tasks.reports.examples import example_contributions
    from tasks.reports.folds import FOLDS_REPORT, INDEX, folds_report_request, make_index, publish_folds
    from tasks.reports.layout import layout_of, placed_files
    from tasks.reports.publishing import place_with_links, publish_quality_metric, publish_run
    from tasks.reports.run import REPORT, motif_entries, report_request

__all__ = [
    "BUNDLE_MANIFEST",
    "FOLDS_REPORT",
    "INDEX",
    "REPORT",
    "example_contributions",
    "folds_report_request",
    "layout_of",
    "make_index",
    "motif_entries",
    "place_with_links",
    "placed_files",
    "publish_bundle",
    "publish_folds",
    "publish_quality_metric",
    "publish_run",
    "report_request",
    "write_tar",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
