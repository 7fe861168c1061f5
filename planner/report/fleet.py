"""What a plan says of the fleet, in sentences that both teams can read aloud."""

from __future__ import annotations

import math

from planner.catalogue import Catalogue
from planner.charts.fleet_looks import listed
from planner.plan import Plan
from planner.plan.fleet_records import SIZES
from planner.plan.price_list import currency_of
from planner.report.headline import Headline
from planner.units import format_gib, format_number, plural

TOOLS = {
    "slice": ("a shovel, and not even a whole one: a slice of a GPU", "slice"),
    "gpu": ("a shovel: one GPU", "GPU"),
    "host": ("a spade: several GPUs, up to a host", "host"),
    "cluster": ("a backhoe: more than a host", "cluster"),
}
"""What each size is in pictures, smallest first."""
MUCH_STRANDED = 0.05
"""A share of stranded memory that is worth a look [fraction]."""


def fleet_headlines(plan: Plan, catalogue: Catalogue) -> tuple[Headline, ...]:
    """Whether all fits, on how much, and what is left over.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    tuple of Headline

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_headlines(evaluate(Scenario(), c), c)[0].value
    'All fits'
    """
    return (
        _verdict(plan),
        _hosts(plan),
        _gpus(plan),
        _stranded(plan),
        _booked(plan),
        _idle(plan),
        _licensed(plan),
        _power(plan),
    )


def fleet_sentences(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """The fleet in each team's own words.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    dict
        ``data science`` and ``infrastructure``.

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> fleet_sentences(evaluate(Scenario(), c), c)["data science"]
    'this scenario needs a shovel: one GPU. No job misses its deadline.'
    """
    return {"data science": _tools_words(plan), "infrastructure": _hosts_words(plan)}


def verdict_sentence(plan: Plan) -> str:
    """Whether all fits and where; else the first that does not, the limit, and what would help.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    str

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> verdict_sentence(evaluate(Scenario(), load_catalogue()))
    'The workload fits on 1 of 2 hosts; one is in reserve.'
    """
    found, said = plan.portfolio, plan.fleet
    if found.refusal:
        return found.refusal if found.refusal.endswith(".") else f"{found.refusal}."
    if not found.workloads:
        return "There is no workload to place; add one to the table."
    count = len(found.workloads)
    who = "The workload fits" if count == 1 else f"All {count} workloads fit"
    reserve = _number(int(said.hosts_reserved))
    hosts = plural(int(said.hosts), "host")
    words = f"{who} on {said.hosts_used:.0f} of {hosts}; {reserve} in reserve."
    fails = _not_surviving(plan)
    if fails:
        words += f" Not everything comes back after the loss of {fails}."
    return words


def _verdict(plan: Plan) -> Headline:
    found = plan.portfolio
    fails = bool(_not_surviving(plan))
    tone = "bad" if found.refusal else "warn" if fails or _missed(plan) else "good"
    return Headline(
        "fleet.verdict",
        "On this fleet",
        _short_verdict(plan),
        "",
        verdict_sentence(plan),
        tone,
        plan.basis("fleet.verdict"),
    )


def _short_verdict(plan: Plan) -> str:
    found, said = plan.portfolio, plan.fleet
    unsized = sum(one.tool is None for one in found.workloads)
    if not found.workloads:
        return "Empty"
    if unsized:
        return f"{unsized} of {len(found.workloads)} cannot be sized"
    lost = int(said.pieces - said.pieces_placed)
    if lost:
        return f"{lost:,} of {plural(int(said.pieces), 'piece')} left out"
    return "Fits, but not after a loss" if _not_surviving(plan) else "All fits"


def _hosts(plan: Plan) -> Headline:
    said, found = plan.fleet, plan.portfolio
    kept = [found.fleet.hosts[host].id for host in sorted(found.reserved)]
    asked = plan.scenario.portfolio.n_plus_one
    fails = _not_surviving(plan)
    if not asked:
        safe = "The loss of a host is not provided for."
    elif fails:
        safe = f"Not everything comes back after the loss of {fails}."
    else:
        safe = "What serves comes back after the loss of any one."
    reserve = f"{listed(kept, 2)} in reserve" if kept else "No host in reserve"
    return Headline(
        "fleet.hosts_used",
        "Hosts in use",
        f"{said.hosts_used:.0f} of {said.hosts:,.0f}",
        "",
        f"{reserve}, {said.hosts_free:.0f} not needed. {safe}",
        "bad" if asked and fails else "warn" if not asked else "good",
        plan.basis("fleet.hosts_used"),
    )


def _gpus(plan: Plan) -> Headline:
    said = plan.fleet
    return Headline(
        "fleet.gpus_used",
        "GPUs in use",
        f"{said.gpus_used:,.0f} of {said.gpus:,.0f}",
        "",
        f"The work of {plural(int(said.workloads), 'workload')} is worth "
        f"{format_number(said.gpu_equivalents)} GPUs; {format_gib(said.free_bytes)} can still be "
        "taken.",
        "plain",
        plan.basis("fleet.gpus_used"),
    )


def _stranded(plan: Plan) -> Headline:
    said = plan.fleet
    used = plural(int(said.gpus_used), "GPU")
    if said.stranded_bytes:
        text = f"{said.stranded_fraction:.1%} of the memory of {used} in use: no slice fits there."
    elif said.gpus_used:
        text = f"All that is left on {used} in use can still be taken."
    else:
        text = "No GPU is in use."
    return Headline(
        "fleet.stranded_bytes",
        "Stranded memory",
        format_gib(said.stranded_bytes).removesuffix(" GiB"),
        "GiB",
        text,
        "warn" if said.stranded_fraction > MUCH_STRANDED else "good",
        plan.basis("fleet.stranded_bytes"),
    )


def _booked(plan: Plan) -> Headline:
    said = plan.fleet
    weeks = plural(plan.scenario.portfolio.weeks, "week")
    late = _missed(plan)
    missed = f"Late or short: {listed(late, 3)}." if late else "By this count no job is late."
    return Headline(
        "fleet.busy_fraction",
        "Booked hours",
        f"{100 * said.busy_fraction:.0f}",
        "%",
        f"Of all GPU-hours of {weeks}; booked need not be busy, and all GPUs count alike. {missed}",
        "bad" if late else "plain",
        plan.basis("fleet.busy_fraction"),
    )


def _idle(plan: Plan) -> Headline:
    said, currency = plan.fleet, currency_of(plan.scenario)
    path, title = "fleet.idle_usd_per_year", "What idle GPUs cost a year"
    hours = f"{format_number(said.idle_gpu_hours_per_week)} GPU-hours a week are booked by nobody"
    if not math.isfinite(said.idle_usd_per_year):
        text = f"{hours}; of one of these GPUs or hosts no price is known."
        return Headline(path, title, "–", "", text, "plain", plan.basis(path))
    return Headline(
        path,
        title,
        currency.show(said.idle_usd_per_year),
        "",
        f"{hours}, the reserve's among them: their share of the purchase, without energy.",
        "plain",
        plan.basis(path),
    )


def _licensed(plan: Plan) -> Headline:
    said, allowed = plan.fleet, plan.scenario.portfolio.licensed_gpus
    limit = f"Licensed are {allowed:,}." if allowed is not None else "No limit of licences is set."
    return Headline(
        "fleet.licensed_gpus",
        "GPUs that are carved",
        f"{said.licensed_gpus:,.0f}",
        f"of {said.gpus_used:,.0f} in use",
        f"Each carved GPU may need a licence; whole GPUs need none here. {limit}",
        "plain",
        plan.basis("fleet.licensed_gpus"),
    )


def _power(plan: Plan) -> Headline:
    said, asked = plan.fleet, plan.scenario.portfolio
    racks = (
        f"Racks may draw {format_number(asked.rack_kw)} kW each."
        if asked.rack_kw
        else "No limit of a rack is set."
    )
    return Headline(
        "fleet.power_w",
        "Power in use",
        format_number(said.power_w / 1e3),
        "kW",
        f"Hosts in use with their GPUs at their limits; on average less. {racks}",
        "plain",
        plan.basis("fleet.power_w"),
    )


def _tools_words(plan: Plan) -> str:
    found = plan.portfolio
    groups = {
        size: [one.row.name for one in found.workloads if one.tool and one.tool.size == size]
        for size in SIZES
    }
    parts = [
        f"{listed(names)} {'needs' if len(names) == 1 else 'need'} {TOOLS[size][0]}"
        for size, names in groups.items()
        if names
    ]
    unsized = [one.row.name for one in found.workloads if one.tool is None]
    words = f"{'; '.join(parts)}." if parts else "No workload has a tool on these hosts."
    if unsized:
        words += f" Nothing here will do for {listed(unsized)}."
    lost = _left_out(plan)
    if lost:
        words += f" Not all of it finds a place: {listed(lost)}."
    late = _missed(plan)
    if late:
        words += f" Late or short of GPUs: {listed(late)}."
    elif found.workloads and not lost:
        words += " No job misses its deadline."
    return words


def _hosts_words(plan: Plan) -> str:
    found, said = plan.portfolio, plan.fleet
    words = (
        f"{plural(int(said.hosts_used), 'host')} with {plural(int(said.gpus_used), 'GPU')} in use, "
        f"{said.hosts_reserved:.0f} in reserve, {said.hosts_free:.0f} not needed; placed "
        f"by “{plan.scenario.portfolio.placement}”."
    )
    words += (
        f" {format_gib(said.stranded_bytes)} of GPU memory are stranded and "
        f"{format_number(said.power_w / 1e3)} kW are drawn at the limit."
    )
    lost = found.first_refusal
    if lost is not None:
        words += f" {lost.remedy}"
    return words


def _not_surviving(plan: Plan) -> str:
    """Hosts whose loss something does not survive, in words; empty when there is none."""
    found = plan.portfolio
    return (
        listed((found.fleet.hosts[one.host].id for one in found.host_loss if not one.way), 2) or ""
    )


def _left_out(plan: Plan) -> list[str]:
    """Workloads of which a piece finds no place, by day or by night."""
    found = plan.portfolio
    shifts = [one for one in (found.placement, found.night) if one is not None]
    return list(dict.fromkeys(one.pieces[i].workload for one in shifts for i in one.unplaced))


def _missed(plan: Plan) -> list[str]:
    """Workloads that are late, or short of hours, in the calendar."""
    calendar = plan.portfolio.calendar
    pairs = zip(calendar.bookings, calendar.late, strict=True)
    return list(dict.fromkeys(one.workload for one, words in pairs if words))


def _number(count: int) -> str:
    return {0: "none is", 1: "one is"}.get(count, f"{count} are")
