"""A client of the ENCODE portal: searches, objects, where files lie; slow enough for its rules, and of few hosts.

Every request of all threads and processes of this machine waits for its turn; nothing is asked of a host that is not on the
list, wherever a redirect leads.
"""

from __future__ import annotations

import email.utils
import http.client
import importlib.metadata
import json
import logging
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from chrombpnet_core.errors import InputError
from tasks.encode.experiment_files import ASSAYS, FIELDS, PortalFile, Refused
from tasks.storage import Damaged, cache_folder, locked, persistently, redact, require_no_secret

__all__ = ["BUCKETS", "PORTAL", "Portal", "RateLimiter", "Search"]

log = logging.getLogger(__name__)

PORTAL = "https://www.encodeproject.org"
BUCKETS = ("https://encode-public.s3.amazonaws.com", "https://encode-public.s3.us-west-2.amazonaws.com")
"""Where the portal's public files lie."""

LONGEST_HOLD = 300.0  # seconds that a server's Retry-After is honoured
_HOPS = 5  # redirects that are followed
_AT_ONCE = 50  # accessions in one search
_REDIRECTS = (301, 302, 303, 307, 308)


class RateLimiter:
    """At most ``rate`` requests a second by all threads and processes that share the file.

    One waits at a time, and the next turn is counted from when it went on, so that two never come closer than 1 / ``rate``.
    """

    def __init__(self, rate: float, path: Path) -> None:
        self._pause, self._path = 1 / rate, path

    def wait(self) -> None:
        """Return when it is this caller's turn."""
        with locked(self._path):
            ahead = self._next() - time.monotonic()
            if ahead > 0:
                time.sleep(ahead)
            self._set(time.monotonic() + self._pause)

    def hold(self, seconds: float) -> None:
        """Let nobody go on for a while."""
        with locked(self._path):
            self._set(max(self._next(), time.monotonic() + min(seconds, LONGEST_HOLD)))

    def _next(self) -> float:
        try:
            moment = float(self._path.read_text() or 0)
        except ValueError:
            return 0.0
        return moment if moment < time.monotonic() + LONGEST_HOLD + 1 else 0.0  # of before the machine was started anew

    def _set(self, moment: float) -> None:
        self._path.write_text(repr(moment))


@dataclass(frozen=True)
class Search:
    """Which experiments are looked for.

    Attributes
    ----------
    assays
        Titles, of :data:`tasks.encode.experiment_files.ASSAYS`.
    assembly
        That some of their files have.
    released_from, released_to
        Dates such as ``2026-01-31``, both inclusive; empty where there is no bound.
    biosamples
        Names of cell lines or tissues, such as ``K562``; all where empty.
    limit
        Experiments of each assay at most; 0 for all.
    """

    assays: Sequence[str] = tuple(ASSAYS)
    assembly: str = "GRCh38"
    released_from: str = ""
    released_to: str = ""
    biosamples: Sequence[str] = ()
    limit: int = 0

    def parameters(self, assay: str) -> list[tuple[str, str]]:
        """Those of the portal's search."""
        found = [
            ("assay_title", assay),
            ("status", "released"),
            ("assembly", self.assembly),
            *(("biosample_ontology.term_name", name) for name in self.biosamples),
        ]
        if self.released_from or self.released_to:
            found.append(("advancedQuery", f"date_released:[{self.released_from or '*'} TO {self.released_to or '*'}]"))
        return found


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Redirects come back as errors: each is looked at before it is followed."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Portal:
    """The portal.

    Parameters
    ----------
    contact
        An address of the user's: the portal wants to know who asks.
    base
        Scheme, host and, where it is not the usual one, port of the portal.
    buckets
        The same of where its files lie: nothing else is ever contacted.
    rate
        Requests a second at most; the portal blocks addresses that ask more than 10 times a second.
    timeout
        Seconds that a server may be silent.
    """

    def __init__(
        self, contact: str, base: str = PORTAL, buckets: Iterable[str] = BUCKETS, rate: float = 8.0, timeout: float = 60.0
    ) -> None:
        if not contact.isprintable() or len(contact.strip()) < 3:
            raise InputError(
                f"contact {contact!r}", expected="an e-mail address or a page: the portal wants to know who asks"
            )
        if not 0 < rate <= 9:
            raise InputError(
                f"rate {rate}",
                expected="more than 0 and at most 9 requests a second: the portal blocks who asks more than 10 times",
            )
        self.base, self._timeout = base.rstrip("/"), timeout
        self._allowed = {_checked_origin(self.base, "portal"), *(_checked_origin(bucket, "bucket") for bucket in buckets)}
        self._limiter = RateLimiter(rate, cache_folder() / "encode" / (urlsplit(self.base).hostname or "portal"))
        self._opener = urllib.request.build_opener(_NoRedirect)
        self._agent = f"chrombpnet-flows/{importlib.metadata.version('chrombpnet-flows')} ({contact.strip()})"

    def experiments(self, search: Search) -> list[dict[str, Any]]:
        """All experiments that a search finds, with :data:`tasks.encode.experiment_files.FIELDS`, sorted by accession."""
        limit = str(search.limit or "all")
        found = [each for assay in search.assays for each in self._search(search.parameters(assay), limit)]
        return sorted({each["accession"]: each for each in found}.values(), key=lambda each: each["accession"])

    def named(self, accessions: Sequence[str]) -> list[dict[str, Any]]:
        """Look up experiments by accession; those that the portal does not show are left out."""
        return [
            each
            for i in range(0, len(accessions), _AT_ONCE)
            for each in self._search([("accession", name) for name in accessions[i : i + _AT_ONCE]], "all")
        ]

    def _search(self, parameters: Sequence[tuple[str, str]], limit: str) -> list[dict[str, Any]]:
        asked = [
            ("type", "Experiment"),
            *parameters,
            *(("field", name) for name in FIELDS),
            ("format", "json"),
            ("limit", limit),
        ]
        status, found = self._json(f"{self.base}/search/?{urlencode(asked)}")
        graph = found.get("@graph") if status in (200, 404) else None
        if not isinstance(graph, list) or not all(isinstance(each, dict) and "accession" in each for each in graph):
            raise InputError(
                f"{self.base}/search/: no answer of a portal's",
                expected='JSON with "@graph"',
                found=f"HTTP {status}",
                remedy="check the portal's address",
            )
        return graph

    def state_of_file(self, accession: str) -> str:
        """In words, what became of a file: its status, or what it was replaced by."""
        status, found = self._json(f"{self.base}/files/{accession}/?format=json")
        if status != 200 or "status" not in found:
            return "gone"
        other = [str(each).strip("/").split("/")[-1] for each in found.get("superseded_by", [])]
        if found.get("accession", accession) != accession:  # an old accession leads to the new file
            other = [found["accession"]]
        return f"replaced by {', '.join(other)}" if other else str(found["status"])

    def address_of(self, file: PortalFile) -> str:
        """Find where a file lies in its bucket.

        Parameters
        ----------
        file
            The file.

        Returns
        -------
        str
            The address without any signature, but with the file's MD5 and the hosts that it may be asked of.

        Raises
        ------
        Refused
            Where that host is not allowed, nothing is there, or it has another size than the portal tells.
        """
        hosts = ",".join(sorted(origin.partition("://")[2] for origin in self._allowed))
        return f"{self._location(file)}#md5={file.md5}&hosts={hosts}"

    def _location(self, file: PortalFile) -> str:
        if file.url:
            return self._permitted(file.accession, file.url)
        url = urljoin(self.base + "/", file.href)
        for _ in range(_HOPS):
            url = self._permitted(file.accession, url)  # what the portal signs is public: it is there without signature, too
            status, headers, _ = self._ask(url, "HEAD")
            if status not in _REDIRECTS:
                break
            url = urljoin(url, headers.get("Location", ""))
        else:
            raise Refused(f"{file.accession}: more than {_HOPS} redirects")
        size = headers.get("Content-Length", "")
        if status != 200:
            raise Refused(f"{file.accession} is not where the portal says: HTTP {status}")
        if size and int(size) != file.size:
            raise Refused(f"{file.accession} has {int(size):,} bytes, not {file.size:,} as the portal says")
        return url

    def _permitted(self, what: str, url: str) -> str:
        """Take the query off an address whose host may be contacted."""
        if _origin(url) not in self._allowed:
            raise Refused(f"{what} lies at {_origin(url) or 'no address'}, which is not allowed")
        return redact(url)

    def _json(self, url: str) -> tuple[int, dict[str, Any]]:
        """Status and JSON object, empty where there is none; a 404 has one, too: that is how the portal finds nothing."""
        status, body = 0, b""
        for _ in range(_HOPS):
            if _origin(url) not in self._allowed:
                raise InputError(
                    f"{redact(self.base)} leads to {_origin(url)}",
                    expected=f"one of {sorted(self._allowed)}",
                    remedy="check the portal's address",
                )
            status, headers, body = self._ask(url, "GET")
            if status not in _REDIRECTS:
                break
            url = urljoin(url, headers.get("Location", ""))
        try:
            found = json.loads(body)
        except ValueError:
            found = {}
        return status, found if isinstance(found, dict) else {}

    def _ask(self, url: str, method: str) -> tuple[int, Mapping[str, str], bytes]:
        """Status, headers and body; redirects and absence are answers, other errors are tried again where that may help."""
        request = urllib.request.Request(url, method=method, headers={"User-Agent": self._agent, "Accept": "*/*"})

        def once() -> tuple[int, Mapping[str, str], bytes]:
            self._limiter.wait()
            try:
                with self._opener.open(request, timeout=self._timeout) as answer:
                    body = answer.read()
                    if method == "GET" and answer.headers.get_content_type() == "application/json":
                        _require_whole(body)
                    return answer.status, dict(answer.headers.items()), body
            except urllib.error.HTTPError as error:
                with error:
                    if error.code not in (408, 429) and error.code < 500:
                        return error.code, dict(error.headers.items()), error.read()
                    self._limiter.hold(_seconds(error.headers.get("Retry-After", "")))
                    raise
            except urllib.error.URLError as error:
                raise ConnectionError(str(error.reason)) from None
            except http.client.HTTPException as error:
                raise Damaged(f"{type(error).__name__} {error}") from None

        return persistently(url, once)


def _origin(url: str) -> str:
    """Scheme, host and port; empty where there is no host, or a user name that may hide it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.hostname and "@" not in parts.netloc else ""


def _checked_origin(url: str, what: str) -> str:
    """Refuse what has no host, or a secret: it would be told, and with an empty origin all such addresses be allowed."""
    require_no_secret(url, what)
    if not _origin(url):
        raise InputError(f"{what} {url!r}", expected="https://host")
    return _origin(url)


def _require_whole(body: bytes) -> None:
    try:
        json.loads(body)
    except ValueError:
        raise Damaged("JSON that ends early") from None


def _seconds(told: str) -> float:
    """Read a Retry-After header: seconds, or a date."""
    if told.strip().isdecimal():
        return float(told)
    try:
        return max(0.0, email.utils.parsedate_to_datetime(told).timestamp() - time.time())
    except ValueError:
        return 0.0
