"""Simulated experiments of known truth: a small genome, its open loci, the enzyme's bias, and reads drawn from both.

The demo and many tests run on them; :func:`check_models` holds trained models against what was planted.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from chrombpnet_core.simulation.experiment import Simulation, simulate
    from chrombpnet_core.simulation.ground_truth import GroundTruth, read_ground_truth
    from chrombpnet_core.simulation.insertion_rates import cut_scores, log_preference
    from chrombpnet_core.simulation.model_checks import ModelCheck, check_models, motif_effect, profile_agreement
    from chrombpnet_core.simulation.output_files import READ_FORMATS
    from chrombpnet_core.simulation.settings import DEMO, PLANTED_MOTIFS, TINY, PlantedMotif, SimulationSettings

__all__ = [
    "DEMO",
    "PLANTED_MOTIFS",
    "READ_FORMATS",
    "TINY",
    "GroundTruth",
    "ModelCheck",
    "PlantedMotif",
    "Simulation",
    "SimulationSettings",
    "check_models",
    "cut_scores",
    "log_preference",
    "motif_effect",
    "profile_agreement",
    "read_ground_truth",
    "simulate",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
