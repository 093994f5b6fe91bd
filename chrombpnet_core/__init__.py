"""The science of ChromBPNet: chromatin accessibility from reads to variant effects, without orchestration or clouds.

This is the front door, for notebooks and programs. Models, genomes and results come from here; what lies behind them is
in the rooms (``genome``, ``reads``, ``tracks``, ``training_data``, ``models``, ``training``, ``evaluation``, ``interpret``,
``motifs``, ``variants``, ``simulation``, ``plots``, ``report``, ``formats``). Nothing heavy is imported before it is used.

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
    from chrombpnet_core.genome import Genome, read_regions, write_regions

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
    "read_regions",
    "region_text",
    "score_variants",
    "write_regions",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
