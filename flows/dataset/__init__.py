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
    from flows.dataset.flows import dataset, fold, pipeline
    from flows.dataset.pipelines import Pipeline
    from flows.dataset.preparation import check_dataset, inspect_dataset
    from flows.dataset.run import Results, Run, call_here, submit
    from flows.dataset.step_outline import outline

__all__ = [
    "Failure",
    "FoldsFailed",
    "Job",
    "Numbered",
    "Pipeline",
    "Plan",
    "Results",
    "Run",
    "by_deployment",
    "call_here",
    "cancel_folds",
    "check_dataset",
    "dataset",
    "end_with_parent",
    "fold",
    "inherited_checks",
    "inspect_dataset",
    "outline",
    "pipeline",
    "plan",
    "submit",
]
__getattr__, __dir__ = lazy_door(__name__, __file__)
