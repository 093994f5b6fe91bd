"""What people read of a run: verdicts, pictures and pages (HTML, PDF), browser sessions, the models' README.

Everything here is made of plain numbers and arrays, gathered in :class:`ReportContent`, :class:`FoldsContent`,
:class:`ModelCard` and their like; reading them from a run's results is for the caller.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.report.bias_factor import FactorCandidate, FactorChoice, choose_factor, read_candidate
    from chrombpnet_core.report.browser_page import (
        IGV_JS,
        BrowserPage,
        BrowserPlace,
        packed_igv_js,
        render_browser_page,
    )
    from chrombpnet_core.report.browser_sessions import (
        BrowserGenome,
        BrowserTrack,
        browser_tracks,
        igv_json,
        igv_xml,
        known_assembly,
        ucsc_hub,
        washu_hub,
    )
    from chrombpnet_core.report.catalogue import render_catalogue
    from chrombpnet_core.report.content import (
        ExampleRegion,
        MotifEntry,
        NonpeakSummary,
        ReportContent,
        SelectionSummary,
        ShiftEvidence,
        StepRecord,
        motif_name,
    )
    from chrombpnet_core.report.data_set_index import render_index
    from chrombpnet_core.report.folds import (
        FOLD_METRICS,
        FOLDS_FORMAT,
        FOLDS_HTML,
        FOLDS_JSON,
        FoldsContent,
        FoldSummary,
    )
    from chrombpnet_core.report.folds_page import write_folds_report
    from chrombpnet_core.report.footprints_page import render_footprints
    from chrombpnet_core.report.gc_match import gc_match_of_regions
    from chrombpnet_core.report.links import link_files
    from chrombpnet_core.report.model_card import ModelCard, render_model_card
    from chrombpnet_core.report.motif_search import MODISCO_FILE, MOTIF_ROWS_FILE, search_motifs
    from chrombpnet_core.report.multiqc import MULTIQC_FILE
    from chrombpnet_core.report.pictures import insertion_logo
    from chrombpnet_core.report.run_report import (
        REPORT_HTML,
        REPORT_JSON,
        REPORT_PDF,
        write_motif_pdfs,
        write_pictures,
        write_report,
    )
    from chrombpnet_core.report.variants_page import TopVariants, write_variants_page

__all__ = [
    "FOLDS_FORMAT",
    "FOLDS_HTML",
    "FOLDS_JSON",
    "FOLD_METRICS",
    "IGV_JS",
    "MODISCO_FILE",
    "MOTIF_ROWS_FILE",
    "MULTIQC_FILE",
    "REPORT_HTML",
    "REPORT_JSON",
    "REPORT_PDF",
    "BrowserGenome",
    "BrowserPage",
    "BrowserPlace",
    "BrowserTrack",
    "ExampleRegion",
    "FactorCandidate",
    "FactorChoice",
    "FoldSummary",
    "FoldsContent",
    "ModelCard",
    "MotifEntry",
    "NonpeakSummary",
    "ReportContent",
    "SelectionSummary",
    "ShiftEvidence",
    "StepRecord",
    "TopVariants",
    "browser_tracks",
    "choose_factor",
    "gc_match_of_regions",
    "igv_json",
    "igv_xml",
    "insertion_logo",
    "known_assembly",
    "link_files",
    "motif_name",
    "packed_igv_js",
    "read_candidate",
    "render_browser_page",
    "render_catalogue",
    "render_footprints",
    "render_index",
    "render_model_card",
    "search_motifs",
    "ucsc_hub",
    "washu_hub",
    "write_folds_report",
    "write_motif_pdfs",
    "write_pictures",
    "write_report",
    "write_variants_page",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
