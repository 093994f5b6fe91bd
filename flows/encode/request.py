"""What the ENCODE flow is asked."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from flows.spec import Count
from tasks.encode import BUCKETS, PORTAL, Rules, Search

__all__ = ["EncodeRequest"]


def _date(value: Any) -> Any:
    """YAML makes a date of what looks like one."""
    try:
        return value and (value if isinstance(value, date) else date.fromisoformat(value)).isoformat()
    except (TypeError, ValueError):
        raise ValueError("give a date such as 2026-01-31") from None


Date = Annotated[str, BeforeValidator(_date)]


class EncodeRequest(BaseModel):
    """What the flow is asked: experiments, rules, settings of the data sets, where they run."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    contact: str = Field(description="an e-mail address or page: the portal wants to know who asks")
    template: dict[str, Any] = Field(description="a data set without what the portal decides: genome, folds, blacklist, …")
    output: str = Field(description="folder or address: the catalogue, and below it a folder for each experiment")
    store: str = Field(description="where steps keep their outputs")
    assays: list[Literal["ATAC-seq", "DNase-seq"]] = Field(default=["ATAC-seq", "DNase-seq"])
    assembly: str = "GRCh38"
    released_from: Date = ""
    released_to: Date = ""
    biosamples: list[str] = Field(default=[], description="such as K562; all where empty")
    limit: Count = Field(default=0, description="experiments of each assay that are looked at; 0: all")
    perturbed: Literal["exclude", "include", "only"] = "exclude"
    refused_audits: list[Literal["ERROR", "NOT_COMPLIANT", "WARNING"]] = Field(default=["ERROR"])
    allowed_audits: list[str] = Field(default=[], description="categories that are allowed at any level")
    start: Count = Field(default=10, description="data sets that are started at most")
    deployment: str | None = Field(default=None, description="of the flow dataset; each runs in this process where absent")
    fold_deployment: str | None = Field(default=None, description="of the flow fold, given on to dataset")
    retry_failed: bool = False
    price: float | None = Field(default=None, ge=0, description="of an hour of a GPU")
    portal: str = PORTAL
    buckets: list[str] = Field(default=list(BUCKETS), description="scheme and host of each, where the files lie")
    rate: float = Field(default=8.0, gt=0, le=9, description="requests a second")
    timeout: float = Field(default=60.0, gt=0)

    @property
    def search(self) -> Search:
        """What is looked for."""
        return Search(self.assays, self.assembly, self.released_from, self.released_to, self.biosamples, self.limit)

    @property
    def rules(self) -> Rules:
        """What is asked of an experiment."""
        return Rules(self.assembly, self.perturbed, self.refused_audits, self.allowed_audits)
