"""What a plan says of cost, energy and policy, in sentences that both teams can read aloud."""

from __future__ import annotations

import datetime
import math

from planner.catalogue import Basis, Catalogue, age_days, oldest
from planner.charts.cost_tables import OLD_DAYS, prices_used, spread, why_out
from planner.cost import Currency
from planner.plan import Plan
from planner.plan.price_list import currency_of
from planner.report.headline import Headline
from planner.units import BILLION, format_number, plural

DRAWN = "in 80 of 100 draws of all prices"
MEASURED_USE = "Enterprises: 5 %, measured over some 23,000 clusters (Cast AI, 2026)."
KINDS = {"own": "Owning", "rent": "Renting", "call": "Calling"}


def cost_headlines(plan: Plan, catalogue: Catalogue) -> tuple[Headline, ...]:
    """What each way costs, where owning breaks even, and how old the prices are.

    Parameters
    ----------
    plan : Plan
    catalogue : Catalogue

    Returns
    -------
    tuple of Headline

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> c = load_catalogue()
    >>> [h.id for h in cost_headlines(evaluate(Scenario(), c), c)][0]
    'cost.cheapest_usd'
    """
    return (
        _cheapest(plan),
        *(_kind(plan, kind) for kind in KINDS),
        _months(plan),
        _use(plan),
        _ten_points(plan),
        _units(plan),
        _capital(plan),
        _energy(plan),
        _gpu_hour(plan),
        _prices(plan),
    )


def cost_sentences(plan: Plan, catalogue: Catalogue) -> dict[str, str]:
    """Cost, energy and policy in each team's own words.

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
    >>> sorted(cost_sentences(evaluate(Scenario(), c), c))
    ['data science', 'infrastructure']
    """
    money, best = plan.money, plan.money.best
    out = [one for one in money.venues if one.possible and not one.allowed]
    rules = f" Policy rules out {_ways(len(out))}." if out else ""
    if best is None:
        return {
            "data science": f"No way is open to run {plan.model.name} as asked.{rules}",
            "infrastructure": "Neither hosts of your own, nor a cloud, nor an API can be taken; "
            "the table of all ways says why.",
        }
    currency = currency_of(plan.scenario)
    tokens = format_number(plan.cost.tokens_per_month / 1e6)
    counted = math.isfinite(plan.demand.active_users)
    people = f"{plan.scenario.demand.users:,} people, " if counted else ""
    return {
        "data science": (
            f"{people}{tokens} million tokens a month of {plan.model.name}: the cheapest way is "
            f"“{best.label}”, {best.detail}.{rules}"
        ),
        "infrastructure": _owned_words(plan, currency),
    }


def _ways(count: int) -> str:
    return plural(count, "way")


def _years(plan: Plan) -> str:
    return f"{plural(plan.scenario.finance.horizon_years, 'year')}"


def _cheapest(plan: Plan) -> Headline:
    cost, currency, best = plan.cost, currency_of(plan.scenario), plan.money.best
    title, basis = f"Cheapest, {_years(plan)}", plan.basis("cost.cheapest_usd")
    if best is None:
        nothing = "Hardware or policy rules out every way; the table of all ways says why."
        return Headline("cost.cheapest_usd", title, "None", "", nothing, "bad", basis)
    return Headline(
        "cost.cheapest_usd",
        title,
        currency.show(cost.cheapest_usd),
        "",
        f"{best.label}: {spread(cost.cheapest_low_usd, cost.cheapest_high_usd, currency)} {DRAWN}.",
        "good",
        basis,
    )


def _kind(plan: Plan, kind: str) -> Headline:
    money, currency = plan.money, currency_of(plan.scenario)
    path, basis = f"cost.{kind}_usd", plan.basis(f"cost.{kind}_usd")
    title = f"{KINDS[kind]}, {_years(plan)}"
    low, value, high = (
        getattr(plan.cost, name) for name in (f"{kind}_low_usd", f"{kind}_usd", f"{kind}_high_usd")
    )
    venue = getattr(money.compared, kind)
    if venue is None:
        first = next(one for one in money.venues if one.kind == kind)
        ruled = next((one for one in money.venues if one.kind == kind and one.possible), first)
        return Headline(path, title, "Out", "", why_out(ruled), "bad", basis)
    return Headline(
        path,
        title,
        currency.show(value),
        "",
        f"{venue.label}: {spread(low, high, currency)} as prices go.",
        "good" if venue is money.best else "plain",
        basis,
    )


def _months(plan: Plan) -> Headline:
    cost = plan.cost
    path, title = "cost.breakeven_months", "Owning pays after"
    basis = plan.basis(path)
    low, value, high = cost.breakeven_low_months, cost.breakeven_months, cost.breakeven_high_months
    if math.isnan(value):
        one_side = "Owning and something to set beside it must both be allowed for a break-even."
        return Headline(path, title, "–", "", one_side, "plain", basis)
    horizon = _years(plan)
    hours = _hours(cost.breakeven_low_hours, cost.breakeven_high_hours)
    if math.isinf(low):
        text = f"Not within {horizon} against “{_rival(plan)}”. {hours}"
        return Headline(path, title, "Never", "", text, "warn", basis)
    if math.isinf(high):
        text = (
            f"If prices fall well for owning; at the dear end not within {horizon}. {hours}"
            if math.isinf(value)
            else f"At the dear end of the prices not within {horizon}. {hours}"
        )
        return Headline(path, title, f"{_whole(low)} or never", "months", text, "warn", basis)
    shown = _whole(low) if _whole(low) == _whole(high) else f"{_whole(low)}–{_whole(high)}"
    text = f"Against “{_rival(plan)}”, in cash; {_whole(value)} as priced. {hours}"
    return Headline(path, title, shown, "months", text, "good", basis)


def _rival(plan: Plan) -> str:
    """What owning is set against: the cheaper of renting and calling."""
    found = plan.money.compared
    others = [one for one in (found.rent, found.call) if one is not None]
    return min(others, key=lambda one: float(one.total_usd[0])).label


def _hours(low: float, high: float) -> str:
    """The same in hours of full use, against a cloud paid by the hour."""
    if math.isnan(low):
        return "No cloud by the hour is allowed to compare with."
    if math.isinf(low):
        return "A cloud's hour is cheaper even when every owned one is used."
    end = "never" if math.isinf(high) else f"{format_number(high, 2)} h"
    return f"In hours of full use, against a cloud by the hour: {format_number(low, 2)} h to {end}."


def _use(plan: Plan) -> Headline:
    cost = plan.cost
    path, title = "cost.breakeven_utilisation_fraction", "Owning pays from a use of"
    low, high = (
        cost.breakeven_utilisation_low_fraction,
        cost.breakeven_utilisation_high_fraction,
    )
    here = cost.utilisation_fraction
    basis = plan.basis(path)
    plans = f"This plan: {_percent(here)}. " if math.isfinite(here) else ""
    if not (math.isfinite(low) and math.isfinite(high)):
        text = f"{plans}No cloud by the hour is open to compare with. {MEASURED_USE}"
        return Headline(path, title, "–", "", text, "plain", basis)
    ends = [f"{100 * end:.0f}" for end in (low, high)]
    tone = "good" if here >= high else "warn" if here >= low else "bad"
    return Headline(
        path,
        title,
        ends[0] if ends[0] == ends[1] else f"{ends[0]}–{ends[1]}",
        "%",
        f"Against a cloud by the hour. {plans}{MEASURED_USE}",
        tone,
        basis,
    )


def _ten_points(plan: Plan) -> Headline:
    """A guess too high costs more than the same guess too low: cost goes with one over use."""
    cost, currency = plan.cost, currency_of(plan.scenario)
    path, title = "cost.loss_usd_per_hour", "10 points less use"
    gain, loss, here = cost.gain_usd_per_hour, cost.loss_usd_per_hour, cost.utilisation_fraction
    basis = plan.basis(path)
    if math.isnan(loss) or not math.isfinite(gain) or math.isnan(here):
        text = "Owning and a cloud by the hour must both be allowed to set them side by side."
        return Headline(path, title, "–", "", text, "plain", basis)
    higher = (
        f"10 points higher it is {currency.show(gain)} cheaper"
        if gain >= 0
        else f"10 points higher it is still {currency.show(-gain)} dearer"
    )
    if math.isinf(loss):
        text = (
            f"At {_percent(here)} now, no used hour would be left to pay for it. {higher} than a "
            "rented one."
        )
        return Headline(path, title, "Nothing", "is used", text, "bad", basis)
    verb = "dearer" if loss >= 0 else "cheaper"
    return Headline(
        path,
        title,
        currency.show(abs(loss)),
        f"{verb} an hour",
        f"Than a rented GPU-hour, at {_percent(here - 0.1)} of use. {higher}: to guess too high "
        "costs more than to guess too low.",
        "warn" if loss > 0 else "good",
        basis,
    )


def _units(plan: Plan) -> Headline:
    cost, currency = plan.cost, currency_of(plan.scenario)
    path = "cost.usd_per_million_tokens"
    basis = plan.basis(path)
    if math.isnan(cost.usd_per_million_tokens):
        nothing = "Nothing is allowed, or nothing is asked, so no token has a price."
        return Headline(path, "A million tokens", "–", "", nothing, "plain", basis)
    person = (
        f", {currency.show(cost.usd_per_user_month)} a person and month"
        if math.isfinite(cost.usd_per_user_month)
        else ""
    )
    return Headline(
        path,
        "A million tokens",
        currency.show(cost.usd_per_million_tokens),
        "",
        f"By the cheapest way: {currency.show(cost.usd_per_request)} a request{person}. "
        f"{_volume(plan)}".strip(),
        "plain",
        basis,
    )


def _volume(plan: Plan) -> str:
    """Break-even in tokens, beside the plan's own."""
    cost = plan.cost
    low, high = cost.breakeven_tokens_low_per_month, cost.breakeven_tokens_high_per_month
    if math.isnan(low):
        return ""
    if math.isinf(low):
        return "No volume makes owning cheaper than the API."
    ends = [f"{format_number(end / BILLION, 2)}" for end in (low, high) if math.isfinite(end)]
    here = format_number(cost.tokens_per_month / BILLION, 2)
    most = "never" if math.isinf(high) else ends[-1]
    shown = ends[0] if most == ends[0] else f"{ends[0]} to {most}"
    return f"Owning beats the API from {shown} billion a month, if it can carry them; here {here}."


def _gpu_hour(plan: Plan) -> Headline:
    cost, currency = plan.cost, currency_of(plan.scenario)
    path = "cost.own_usd_per_gpu_hour"
    own, rent = cost.own_usd_per_gpu_hour, cost.rent_usd_per_gpu_hour
    rented = f"{currency.show(rent)} rented" if math.isfinite(rent) else "No cloud is open to it"
    if not math.isfinite(own):
        text = f"{rented}; owned hosts are not open to this plan, or nothing would use them."
        return Headline(path, "A used GPU-hour", "–", "", text, "plain", plan.basis(path))
    return Headline(
        path,
        "A used GPU-hour",
        currency.show(own),
        "owned",
        f"{rented}. With people; idle hours are shared out over used ones.",
        "plain",
        plan.basis(path),
    )


def _capital(plan: Plan) -> Headline:
    cost, currency = plan.cost, currency_of(plan.scenario)
    path, title = "cost.capital_usd", "To pay at the start"
    basis = plan.basis(path)
    if not math.isfinite(cost.capital_usd):
        nothing = "Nothing is bought, as owning is not open to this plan."
        return Headline(path, title, "–", "", nothing, "plain", basis)
    return Headline(
        path,
        title,
        currency.show(cost.capital_usd),
        "if owned",
        f"{plural(int(cost.owned_gpus), 'GPU')} in {plural(int(cost.hosts), 'host')}, "
        f"{plan.scenario.site.spare_hosts} spare; "
        f"{currency.show(cost.depreciation_usd_per_year)} written off in the first year.",
        "plain",
        basis,
    )


def _energy(plan: Plan) -> Headline:
    energy = plan.energy
    path, title = "energy.facility_kwh_per_year", "Energy a year, owned"
    basis = plan.basis(path)
    if not math.isfinite(energy.facility_kwh_per_year):
        nothing = "No number of hosts serves this plan, so nothing is drawn."
        return Headline(path, title, "–", "", nothing, "plain", basis)
    return Headline(
        path,
        title,
        _whole(energy.facility_kwh_per_year, 3),
        "kWh",
        f"{format_number(energy.peak_kw)} kW at the peak, {format_number(energy.mean_kw)} kW on "
        f"average, PUE {format_number(energy.pue)} on top; "
        f"{_whole(energy.carbon_kg_per_year, 3)} kg CO₂e.",
        "plain",
        basis,
    )


def _prices(plan: Plan) -> Headline:
    today = datetime.date.today()
    prices = prices_used(plan)
    first = oldest([one for one in prices if not one.quoted], today)
    if first is None:
        none = "No published price is used; all of them are your own quotes."
        return Headline("prices", "Oldest price used", "–", "", none, "plain", Basis.ASSUMED)
    days = age_days(first.source.as_of, today)
    old = sum(age_days(one.source.as_of, today) > OLD_DAYS for one in prices)
    warned = f" {old} of {len(prices)} are older than {OLD_DAYS} days." if old else ""
    return Headline(
        "prices",
        "Oldest price used",
        first.source.as_of,
        "",
        f"{first.label}: {plural(days, 'day')} old or more.{warned}",
        "warn" if old else "good",
        first.source.basis,
    )


def _owned_words(plan: Plan, currency: Currency) -> str:
    cost, energy = plan.cost, plan.energy
    if not math.isfinite(cost.hosts):
        return "No number of hosts serves this plan; an API may."
    racks = plural(int(energy.racks), "rack")
    owned = (
        f"Owned, it is {plural(int(cost.hosts), 'host')} in {racks} and "
        f"{format_number(energy.peak_kw * energy.pue)} kW at the meter at the peak"
    )
    if not math.isfinite(cost.utilisation_fraction):
        return f"{owned}; it is not open to this plan."
    owned += f"; {_percent(cost.utilisation_fraction)} of its GPU-hours would be used."
    return f"{owned} {currency.show(energy.energy_usd_per_year)} of electricity a year."


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.0f} %"


def _whole(value: float, digits: int = 2) -> str:
    """A count without decimals, in so many significant figures; months below ten keep one."""
    if digits == 2 and value < 10:
        return format_number(round(value, 1), 2)
    return f"{float(f'{value:.{digits - 1}e}'):,.0f}" if value else "0"
