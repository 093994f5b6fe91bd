"""The ``chrombpnet`` command line: one file a group of commands, the flags and what they do side by side.

It turns arguments into a DatasetSpec, a request or a step's parameters, starts the flow or the step, and prints where the
results are. What the core calls by the names of its arguments is shown here by the flags that set them.
"""

from typing import TYPE_CHECKING

from chrombpnet_core._doors import lazy_door

if TYPE_CHECKING:
    from flows.cli.demo import DEMO_SETTINGS
    from flows.cli.main import build_parser

__all__ = ["DEMO_SETTINGS", "build_parser"]
__getattr__, __dir__ = lazy_door(__name__, __file__)
