"""Which places to run the rules of policy leave, and why; the rules themselves are data."""

from planner.governance.gates import (
    FLAGS,
    NOT_LEGAL_ADVICE,
    Gate,
    allowed,
    asked_flags,
    egress_bytes,
    gate_matrix,
    gates,
    log_months,
    serving_place,
)

__all__ = [
    "FLAGS",
    "NOT_LEGAL_ADVICE",
    "Gate",
    "allowed",
    "asked_flags",
    "egress_bytes",
    "gate_matrix",
    "gates",
    "log_months",
    "serving_place",
]
