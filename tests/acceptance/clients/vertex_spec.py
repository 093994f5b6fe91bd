"""Run by Prefect's Vertex AI worker's own code: the job that it would ask for, as JSON; nothing is asked of anybody.

vertex_spec.py TEMPLATE.json VARIABLES.json
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from unittest.mock import AsyncMock
from uuid import uuid4

from google.cloud.aiplatform_v1.types import CustomJobSpec
from prefect.client.schemas.objects import FlowRun
from prefect_gcp.workers.vertex import VertexAIWorker, VertexAIWorkerJobConfiguration


def main(template: str, variables: str) -> None:
    """Render the template as the worker does, and build its request; the worker asks no server for these."""
    read = [json.loads(Path(each).read_text()) for each in (template, variables)]
    made = asyncio.run(VertexAIWorkerJobConfiguration.from_template_and_values(*read, client=AsyncMock()))
    made.prepare_for_flow_run(FlowRun(id=uuid4(), flow_id=uuid4(), name="k562-fold-0"))
    spec = VertexAIWorker("chrombpnet-gpu")._build_job_spec(made)
    print(CustomJobSpec.to_json(spec, use_integers_for_enums=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
