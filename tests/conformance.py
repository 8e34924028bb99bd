"""Runs cases that come from outside the project: `python -m tests.conformance DIR`.

A report for each set, and as the last line one JSON object of totals as fractions. A set that
DIR does not have is left out.
"""

import json
import sys
from pathlib import Path

from domain.aggregate import DomainError
from domain.contract.read import read_contract


def contracts_read(folder: Path) -> float | None:
    """Return the fraction of the OpenAPI documents of the contract cases that can be read."""
    documents = sorted((folder / "contracts" / "data").rglob("*.*"))
    if not documents:
        return None
    refused = 0
    for document in documents:
        try:
            read_contract(document.read_bytes())
        except DomainError as refusal:
            refused += 1
            sys.stdout.write(f"contracts: {document.name} is refused: {refusal}\n")
    sys.stdout.write(f"contracts: {len(documents) - refused} of {len(documents)} read\n")
    return 1 - refused / len(documents)


def main(folder: Path) -> None:
    """Run what the folder has."""
    totals = {"contracts.read": contracts_read(folder)}
    found = {name: round(value, 4) for name, value in totals.items() if value is not None}
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
