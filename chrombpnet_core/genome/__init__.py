"""Sequence and chromosomes: FASTA files, base codes, chromosome names, regions, genes, folds, shuffles, enzyme matrices.

The FASTA decides what chromosomes are called and how long they are; every other input is held against it. Coordinates are
0-based and half-open throughout.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.genome.base_frequencies import information_content
    from chrombpnet_core.genome.chromosome_names import (
        AUTO_ALIASES,
        NameMismatch,
        Naming,
        is_mitochondrial,
        name_mismatches,
        read_aliases,
        same_chromosome,
    )
    from chrombpnet_core.genome.chromosome_sizes import read_chrom_sizes
    from chrombpnet_core.genome.enzyme import (
        ASSAYS,
        MATRIX_WIDTH,
        EnzymeMatrices,
        enzyme_matrices,
        read_enzyme_matrices,
        require_assay,
    )
    from chrombpnet_core.genome.fasta import Genome, index_folder, open_genome
    from chrombpnet_core.genome.folds import SPLITS, Fold, make_fold, make_folds, read_fold, read_fold_chromosomes
    from chrombpnet_core.genome.genes import Transcript, genes_at, read_genes
    from chrombpnet_core.genome.organisms import is_organelle, likely_taxon
    from chrombpnet_core.genome.region_files import read_bed3, read_regions
    from chrombpnet_core.genome.regions import (
        REGION_COLUMNS,
        centres,
        clip_to_chromosomes,
        on_chromosomes,
        overlapping,
        regions_at,
        windows_fit,
        without_blacklisted,
        write_regions,
    )
    from chrombpnet_core.genome.sequence import OTHER_BASE, codes_of, one_hot, reverse_complement
    from chrombpnet_core.genome.shuffles import dinucleotide_shuffles
    from chrombpnet_core.genome.start_sites import find_start_sites
    from chrombpnet_core.genome.summits import RowFaults, summits_of, whole_numbers

__all__ = [
    "ASSAYS",
    "AUTO_ALIASES",
    "MATRIX_WIDTH",
    "OTHER_BASE",
    "REGION_COLUMNS",
    "SPLITS",
    "EnzymeMatrices",
    "Fold",
    "Genome",
    "NameMismatch",
    "Naming",
    "RowFaults",
    "Transcript",
    "centres",
    "clip_to_chromosomes",
    "codes_of",
    "dinucleotide_shuffles",
    "enzyme_matrices",
    "find_start_sites",
    "genes_at",
    "index_folder",
    "information_content",
    "is_mitochondrial",
    "is_organelle",
    "likely_taxon",
    "make_fold",
    "make_folds",
    "name_mismatches",
    "on_chromosomes",
    "one_hot",
    "open_genome",
    "overlapping",
    "read_aliases",
    "read_bed3",
    "read_chrom_sizes",
    "read_enzyme_matrices",
    "read_fold",
    "read_fold_chromosomes",
    "read_genes",
    "read_regions",
    "regions_at",
    "require_assay",
    "reverse_complement",
    "same_chromosome",
    "summits_of",
    "whole_numbers",
    "windows_fit",
    "without_blacklisted",
    "write_regions",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
