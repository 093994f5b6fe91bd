"""The flow of a data set: from reads and peaks to models, reports and what all folds say together.

Folds run one after the other, in processes, or as runs of a deployment; every step is kept in the store and found again.
What a data set is made of, and what a run would still do, is told by going through the same flow.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from flows.dataset.dry_run import Plan, plan
    from flows.dataset.failures import Failure, FoldsFailed, Job, Numbered
    from flows.dataset.fan_out import by_deployment, cancel_folds, end_with_parent, inherited_checks
    from flows.dataset.flows import bias_pipeline, dataset, fold, main_pipeline, quality_control
    from flows.dataset.preparation import ModelKinds, check_dataset, inspect_dataset, model_kinds
    from flows.dataset.run import Results, Run, call_here, submit
    from flows.dataset.step_outline import outline

__all__ = [
    "Failure",
    "FoldsFailed",
    "Job",
    "ModelKinds",
    "Numbered",
    "Plan",
    "Results",
    "Run",
    "bias_pipeline",
    "by_deployment",
    "call_here",
    "cancel_folds",
    "check_dataset",
    "dataset",
    "end_with_parent",
    "fold",
    "inherited_checks",
    "inspect_dataset",
    "main_pipeline",
    "model_kinds",
    "outline",
    "plan",
    "quality_control",
    "submit",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
