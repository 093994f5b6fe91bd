"""Motifs in contributions: TF-MoDISco's patterns, the known motifs that they are like, and where they contribute.

Known motifs come from JASPAR, which is installed with the package, or from a MEME file; the enzymes' own are always added.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.motifs.contribution_windows import contributions_shape, read_contribution_windows
    from chrombpnet_core.motifs.database import (
        DEFAULT_DATABASE,
        JASPAR_PREFIX,
        KnownMotif,
        enzyme_patterns,
        is_jaspar,
        jaspar_motifs,
        jaspar_release,
        read_database,
        read_meme,
    )
    from chrombpnet_core.motifs.discovered import (
        DiscoveredMotif,
        match_patterns,
        read_discovered_motifs,
        tabulate_motifs,
        write_discovered_motifs,
    )
    from chrombpnet_core.motifs.hits import (
        HIT_COLUMNS,
        HitTemplate,
        find_motif_hits,
        read_hit_templates,
        scan_regions,
        write_motif_hits,
    )
    from chrombpnet_core.motifs.matching import (
        MAX_MATCH_Q,
        MIN_MATCH_SIMILARITY,
        MotifMatch,
        match_motifs,
        motif_similarity,
    )
    from chrombpnet_core.motifs.modisco import MIN_MODISCO_WINDOW, find_patterns
    from chrombpnet_core.motifs.patterns import (
        PATTERN_GROUPS,
        informative_positions,
        pattern_names,
        read_pattern_data,
        site_distances,
    )

__all__ = [
    "DEFAULT_DATABASE",
    "HIT_COLUMNS",
    "JASPAR_PREFIX",
    "MAX_MATCH_Q",
    "MIN_MATCH_SIMILARITY",
    "MIN_MODISCO_WINDOW",
    "PATTERN_GROUPS",
    "DiscoveredMotif",
    "HitTemplate",
    "KnownMotif",
    "MotifMatch",
    "contributions_shape",
    "enzyme_patterns",
    "find_motif_hits",
    "find_patterns",
    "informative_positions",
    "is_jaspar",
    "jaspar_motifs",
    "jaspar_release",
    "match_motifs",
    "match_patterns",
    "motif_similarity",
    "pattern_names",
    "read_contribution_windows",
    "read_database",
    "read_discovered_motifs",
    "read_hit_templates",
    "read_meme",
    "read_pattern_data",
    "scan_regions",
    "site_distances",
    "tabulate_motifs",
    "write_discovered_motifs",
    "write_motif_hits",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
