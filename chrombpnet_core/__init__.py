"""The science of ChromBPNet: chromatin accessibility from reads to variant effects, without orchestration or clouds.

These names are the Python API for notebooks and scripts: open models and genomes, predict, compute contributions and
footprints, score variants, plot. The rest is in the subpackages (``genome``, ``reads``, ``tracks``, ``training_data``,
``models``, ``training``, ``evaluation``, ``interpret``, ``motifs``, ``variants``, ``simulation``, ``plots``, ``report``,
``formats``). Heavy dependencies such as Keras are imported only when they are first used.

Examples
--------
::

    import chrombpnet_core as cbp

    model = cbp.open_model("chrombpnet_nobias.h5")
    genome = cbp.open_genome("genome.fa.gz")
    predicted = model.predict(genome, "chrI:50,000")
    observed = cbp.read_coverage("data_unstranded.bw", predicted.region)
    explained = model.contributions(genome, "chrI:50,000", head="counts")
    cbp.plot.locus(predicted, observed, explained)
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.api import (
        Contributions,
        MarginalFootprint,
        Model,
        ObservedCoverage,
        Prediction,
        VariantScores,
        locate,
        marginal_footprint,
        open_genome,
        open_model,
        plot,
        read_coverage,
        region_text,
        score_variants,
    )
    from chrombpnet_core.devices import configure
    from chrombpnet_core.errors import InputError
    from chrombpnet_core.genome import Genome, read_genes, read_regions, write_regions

__all__ = [
    "Contributions",
    "Genome",
    "InputError",
    "MarginalFootprint",
    "Model",
    "ObservedCoverage",
    "Prediction",
    "VariantScores",
    "configure",
    "locate",
    "marginal_footprint",
    "open_genome",
    "open_model",
    "plot",
    "read_coverage",
    "read_genes",
    "read_regions",
    "region_text",
    "score_variants",
    "write_regions",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
