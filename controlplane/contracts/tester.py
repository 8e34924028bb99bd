"""The tester: holds a server to a contract with Schemathesis, in a process of its own."""

import asyncio
import os
import re
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from controlplane.contracts.testable import READS, readied
from domain.aggregate import DomainError
from domain.contract.document import one_line
from domain.contract_test import FAILURES, BrokenPromise, ContractTest, ContractTestVerdict
from domain.text import LABEL_CHARS

HEADERS = 20
HEADER_CHARS = 8_000
REQUEST_S = 10
FAREWELL_S = 10.0
"""How long it may take to write the report when its time is over."""
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)
_PASSED_ON = ("PATH", "LANG", "LC_ALL", "TMPDIR", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,200}):[ \t]*([\x21-\x7e](?:[\t\x20-\x7e]*))")


class SchemathesisMissingError(DomainError):
    """Contract tests need Schemathesis: pip install 'controlplane[contract-test]'."""


class HeadersInvalidError(DomainError):
    """Headers are lines as "Authorization: Bearer ...", at most 20, in ASCII."""


@dataclass(frozen=True)
class Bounds:
    """How far a test may go: calls for each operation in each phase, and seconds in all."""

    examples: int
    budget_s: int
    writes: bool
    invalid: bool


def read_headers(lines: str) -> dict[str, str]:
    """Return the headers in the lines. Raises HeadersInvalidError, which quotes nothing."""
    given = [line.strip() for line in lines.splitlines() if line.strip()]
    found = [_HEADER.fullmatch(line) for line in given if len(line) <= HEADER_CHARS]
    headers = {form[1]: form[2] for form in found if form}
    if len(headers) < len(given) or len(given) > HEADERS:
        raise HeadersInvalidError
    return headers


def tool() -> str:
    """Return what tests, and its version. Raises SchemathesisMissingError."""
    try:
        return f"Schemathesis {version('schemathesis')}"
    except PackageNotFoundError:
        raise SchemathesisMissingError from None


async def hold(
    document: bytes, upstream: str, headers: Mapping[str, str], bounds: Bounds
) -> ContractTest:
    """Return what a server at an address answered to the calls that a contract allows.

    Raises SchemathesisMissingError, NotTestableError.
    """
    tool_ = tool()
    name, prepared = await asyncio.to_thread(readied, document, writes=bounds.writes)
    began = time.monotonic()
    with TemporaryDirectory(prefix="contract-test-") as made:
        folder = Path(made)
        content = prepared.encode() if isinstance(prepared, str) else orjson.dumps(prepared)
        (folder / name).write_bytes(content)
        secrets = {f"HEADER_{number}": value for number, value in enumerate(headers.values())}
        names = [f'"{each}" = "${{HEADER_{number}}}"\n' for number, each in enumerate(headers)]
        config = "[cache]\nenabled = false\n[phases.coverage]\nunexpected-methods = []\n[headers]\n"
        (folder / "schemathesis.toml").write_text(config + "".join(names))
        in_time = await _run(folder, name, upstream, secrets, bounds)
        said = reported(folder / "report.json")
    verdict, problem = _verdict(said, None if in_time else bounds.budget_s)
    failures = _failures(said)
    operations = said.get("operations") or {}
    return ContractTest(
        verdict=verdict.value,
        problem=one_line(problem, LABEL_CHARS),
        contract_sha256=sha256(document).hexdigest(),
        upstream=upstream,
        tool=tool_,
        writes=bounds.writes,
        operations=operations.get("tested", 0),
        of_operations=operations.get("total", 0),
        requests=said.get("test_cases", {}).get("generated", 0),
        failure_count=len(failures),
        failures=failures[:FAILURES],
        duration_ms=round((time.monotonic() - began) * 1_000),
    )


def reported(report: Path) -> dict[str, Any]:
    """Return what the tool wrote; nothing if it was ended before it had written all of it."""
    try:
        said: dict[str, Any] = orjson.loads(report.read_bytes())
    except (FileNotFoundError, orjson.JSONDecodeError):
        return {}
    return said


async def _run(
    folder: Path, name: str, upstream: str, secrets: Mapping[str, str], bounds: Bounds
) -> bool:
    """Run the tool, whose output holds payloads and is not kept; tell whether it ended in time."""
    kept = {each: os.environ[each] for each in (*_PASSED_ON, *_PROXIES) if each in os.environ}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml"),
        *("run", name, "--url", upstream, *_options(name, bounds)),
        cwd=folder,
        # Without a home: no .netrc gives credentials away, and no settings of a person count.
        env={**kept, **secrets, "HOME": str(folder)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(bounds.budget_s):
            await process.wait()
    except TimeoutError:
        process.send_signal(signal.SIGINT)
        with suppress(TimeoutError):
            async with asyncio.timeout(FAREWELL_S):
                await process.wait()
        return False
    else:
        return True
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)  # with whatever it started
            await process.wait()


def _options(name: str, bounds: Bounds) -> list[str]:
    """Return how it is to test; by reading alone unless writes are asked for."""
    reads = [] if bounds.writes or name.endswith(".graphql") else READS
    return [
        *(part for method in reads for part in ("--include-method", method)),
        *("--phases", "examples,coverage,fuzzing", "--max-examples", str(bounds.examples)),
        *("--mode", "all" if bounds.invalid else "positive", "--checks", ",".join(_CHECKS)),
        *("--max-redirects", "0", "--request-timeout", str(REQUEST_S), "--workers", "1"),
        *("--generation-database", "none", "--generation-with-security-parameters", "false"),
        *("--no-shrink", "--no-color", "--report", "json", "--report-json-path", "report.json"),
    ]


def _verdict(said: dict[str, Any], overrun_s: int | None) -> tuple[ContractTestVerdict, str]:
    """Return what came of it, and why there is no verdict; what was not tried never passes."""
    operations = said.get("operations") or {}
    errors = [str(each["title"]) for each in said.get("errors", ())]
    refused = said.get("warnings", {}).get("missing_auth", [])
    if said.get("failures"):
        return ContractTestVerdict.FAILED, ""
    problem = ""
    if overrun_s is not None:
        problem = f"It took more than {overrun_s} s."
    elif not said:
        problem = "The tool ended without a report."
    elif errors:
        problem = f"The tool could not go on: {', '.join(errors)}."
    elif not operations.get("tested"):
        problem = "There was no operation to try; perhaps all of them change things."
    elif refused:
        problem = f"Credentials were refused or missing, first by {refused[0]}."
    elif not said["complete"] or said["exit_code"]:
        problem = f"The tool stopped early: {said['stop_reason']}."
    return (ContractTestVerdict.ERROR, problem) if problem else (ContractTestVerdict.PASSED, "")


def _failures(said: dict[str, Any]) -> list[BrokenPromise]:
    """Return each broken promise of each operation, once."""
    return [
        BrokenPromise(*(one_line(str(part), LABEL_CHARS) for part in (operation, code, title)))
        for group in said.get("failures", ())
        for code, title in [(group["code"], group["title"])]
        for operation in group["operations"]
    ]
