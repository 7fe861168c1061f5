"""What it costs to own the hosts, in a room of one's own or in colocation."""

from __future__ import annotations

from dataclasses import replace

from planner.catalogue import find_grid
from planner.cost import OwnedFleet, fleet_lines, place_lines
from planner.energy import carbon_kg
from planner.errors import MissingData
from planner.plan.growth import NOMINAL
from planner.plan.power import W_PER_KW
from planner.plan.setting import Setting, Venue, gates_of, without
from planner.units import format_number, plural


def owned(setting: Setting, name: str, label: str, facts: str) -> Venue:
    """Owning the hosts, in one kind of place.

    Parameters
    ----------
    setting : Setting
    name, label : str
        Of the way.
    facts : str
        Id of the place in the catalogue.

    Returns
    -------
    Venue
    """
    country = setting.choice.scenario.site.country[:2].upper()
    kind = "own" if facts == "own_room" else "colocation"
    passed = gates_of(setting, kind, facts, country, 0.0)
    venue = Venue(name, "own", label, "", "own", gates=passed, country=country)
    if setting.here is None:
        return without(venue, setting.reason)
    fleet = _fleet(setting, name)
    try:
        # The same hardware in either place.
        if "lines" not in setting.hardware:
            setting.hardware["lines"] = fleet_lines(fleet, setting.book)
        here = place_lines(fleet, setting.book)
        lines = (*setting.hardware["lines"], *here, *setting.monitoring)
    except MissingData as error:
        return without(venue, str(error))
    grid = find_grid(setting.catalogue.grids, setting.choice.scenario.site.country)
    kwh = float(fleet.facility_kwh[0, 0])
    return replace(
        venue,
        detail=_detail(setting),
        lines=lines,
        kwh_per_year=kwh,
        carbon_kg_per_year=float(carbon_kg(kwh, grid.gco2e_per_kwh)),
    )


def _detail(setting: Setting) -> str:
    """Hosts of the first year, as predicted, and which of their GPUs the load does not need."""
    scenario, hosts = setting.choice.scenario, float(setting.here.hosts[NOMINAL, 0])
    per_host, spare = scenario.deployment.gpus_per_host, scenario.site.spare_hosts
    needed = float(setting.serving.supply.gpus[NOMINAL, 0])
    idle = (hosts - spare) * per_host - needed
    words = f"{plural(int(hosts), 'host')} with {per_host} × {setting.choice.gpu.label}"
    if spare:
        words += f", {spare} of them spare"
    return words + (f"; {format_number(idle)} GPUs more than the load needs" if idle else "")


def _fleet(setting: Setting, place: str) -> OwnedFleet:
    scenario, here, ends = setting.choice.scenario, setting.here, setting.ends
    site, finance = scenario.site, scenario.finance
    kind = place.removeprefix("own-")
    pue = setting.book[f"pue/{'own-room' if kind == 'room' else kind}"]
    return OwnedFleet(
        hosts=here.hosts[ends],
        gpus_per_host=float(scenario.deployment.gpus_per_host),
        gpu=setting.choice.gpu.id,
        host_kind=here.kind.id,
        sockets_per_host=float(site.host_sockets),
        cores_per_socket=float(site.host_cores_per_socket),
        platform=site.platform,
        gpu_licence=site.nvidia_ai_enterprise,
        storage_tb=site.storage_tb,
        storage_scheme=site.storage_scheme,
        facility_kwh=here.year.it_kwh[ends] * pue,
        it_kw=here.year.peak_w[ends] / W_PER_KW,
        racks=here.racks[ends],
        staff_fte=site.staff_fte,
        life_years=finance.life_years,
        space="own-room/space" if kind == "room" else "colocation/space",
        electricity=f"electricity/{site.country}",
    )
