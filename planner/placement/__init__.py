"""Carve GPUs into slices, place workloads on hosts, keep a reserve, and share the week."""

from planner.placement.bookings import KINDS, Booking, FleetCalendar
from planner.placement.calendar import fleet_calendar
from planner.placement.carving import (
    ISOLATIONS,
    Taken,
    allowed,
    free_slots,
    free_start,
    isolation_refusal,
    stranded_bytes,
    stranded_compute,
    stranded_slots,
)
from planner.placement.exact import exact_placement
from planner.placement.fragmentation import (
    TypicalTasks,
    fragmented_gpu_milli,
    stranded_gpu_milli,
    typical_tasks,
)
from planner.placement.geometry import carvings_of, geometry
from planner.placement.large_fleet import PACKING_POLICIES, FleetRun, pack_fleet
from planner.placement.mixes import FleetNodes, FleetTasks, draw_arrivals, share_mix
from planner.placement.order import OrderResult, power_on_orders
from planner.placement.patterns import layouts
from planner.placement.placing import place
from planner.placement.planning import plan_placement
from planner.placement.policies import POLICIES
from planner.placement.power_on import ASSIGNMENT_POLICIES, gpu_states, power_on
from planner.placement.records import (
    CARVINGS,
    Ask,
    Fleet,
    Geometry,
    Host,
    Piece,
    Placement,
    Seat,
)
from planner.placement.refusal import Refusal, first_refusal, require_placed
from planner.placement.reserve import HostLoss, ReservedPlacement, with_reserve

__all__ = [
    "ASSIGNMENT_POLICIES",
    "CARVINGS",
    "ISOLATIONS",
    "KINDS",
    "PACKING_POLICIES",
    "POLICIES",
    "Ask",
    "Booking",
    "Fleet",
    "FleetCalendar",
    "FleetNodes",
    "FleetRun",
    "FleetTasks",
    "Geometry",
    "Host",
    "HostLoss",
    "OrderResult",
    "Piece",
    "Placement",
    "Refusal",
    "ReservedPlacement",
    "Seat",
    "Taken",
    "TypicalTasks",
    "allowed",
    "carvings_of",
    "draw_arrivals",
    "exact_placement",
    "fleet_calendar",
    "first_refusal",
    "fragmented_gpu_milli",
    "free_slots",
    "free_start",
    "geometry",
    "gpu_states",
    "isolation_refusal",
    "layouts",
    "pack_fleet",
    "place",
    "plan_placement",
    "power_on",
    "power_on_orders",
    "require_placed",
    "share_mix",
    "stranded_bytes",
    "stranded_compute",
    "stranded_gpu_milli",
    "stranded_slots",
    "typical_tasks",
    "with_reserve",
]
