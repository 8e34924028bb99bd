"""Rows that do not fit the published schema are not handed out: what is not there grants nothing.

A fold that went wrong must not put anything into a gateway that nobody described. Every process
leaves out the same rows, because it depends on nothing but the row.
"""

from importlib.resources import files

import jsonschema_rs
import orjson
import structlog
from prometheus_client import Counter

from domain.routing import GROUP, KINDS

log = structlog.get_logger()
UNFIT = Counter(
    "controlplane_gateway_config_unfit_rows_total",
    "Rows that were not handed out because they do not fit the published schema.",
    ["kind"],
)
_SCHEMA = orjson.loads(files("controlplane.gateway").joinpath("config.schema.json").read_bytes())
_VALIDATORS = {
    kind: jsonschema_rs.validator_for(
        {"$schema": _SCHEMA["$schema"], "$defs": _SCHEMA["$defs"], "$ref": f"#/$defs/{kind}"}
    )
    for kind in KINDS
}


def fits(kind: str, id_: str, body: str) -> bool:
    """Tell whether a row may be handed out, and raise the alarm if not; about 3 us."""
    if kind == GROUP:  # of it only what we take apart ourselves is handed out
        return True
    row = orjson.loads(body)
    if _VALIDATORS[kind].is_valid(row) and row["id"] == id_:
        return True
    broken = next(iter(_VALIDATORS[kind].iter_errors(row)), None)
    rule = "id" if broken is None else "/".join(map(str, broken.schema_path))
    UNFIT.labels(kind).inc()
    log.error("config.row_unfit", kind=kind, id=id_, rule=rule)  # not its values
    return False
