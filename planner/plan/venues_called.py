"""What it costs to call an API: the same model where it is hosted, or another."""

from __future__ import annotations

from functools import lru_cache

from planner.catalogue import ApiPrice, Catalogue, find_venue
from planner.cost import TokenVolume, hosted_lines
from planner.governance import Gate, serving_place
from planner.plan.setting import Setting, Venue, gates_of, without


@lru_cache(maxsize=256)
def _hosts_of(catalogue: Catalogue, model: str) -> tuple[ApiPrice, ...]:
    return tuple(one for one in catalogue.api_prices.values() if one.serves == model)


def _api_gates(setting: Setting, provider: str) -> tuple[Gate, ...]:
    """In the region of that provider that suits the policy best."""
    catalogue, scenario = setting.catalogue, setting.choice.scenario
    facts = find_venue(catalogue.venue_facts, provider, "api")
    users = scenario.site.country[:2].upper()
    place = serving_place(scenario.policy, facts, catalogue.policy_rules, users)
    return gates_of(setting, "api", provider, place, 0.0)


def called(setting: Setting) -> tuple[Venue, ...]:
    """The same model where it is hosted, and the API that the scenario names.

    Parameters
    ----------
    setting : Setting

    Returns
    -------
    tuple of Venue
    """
    apis = setting.catalogue.api_prices
    model, asked = setting.choice.model, setting.choice.scenario.finance.api
    hosts = sorted(
        _hosts_of(setting.catalogue, model.id),
        key=lambda one: (_blended(setting, one), one.id),
    )
    same = Venue("call-same", "call", f"Call {model.name}, hosted", "", "")
    if hosts:
        same = _cheapest_allowed(setting, same, hosts)
    else:
        same = without(same, f"No host of {model.name} with a known price.")
    other = Venue("call-chosen", "call", "Call another model", asked, "")
    if asked not in apis:
        return same, without(other, f"There is no API '{asked}' in the catalogue; choose another.")
    return same, _cheapest_allowed(setting, other, [apis[asked]])


def _cheapest_allowed(setting: Setting, venue: Venue, apis: list[ApiPrice]) -> Venue:
    api, passed = apis[0], _api_gates(setting, apis[0].provider)
    for one in apis[1:]:
        if all(gate.passed for gate in passed):
            break
        found = _api_gates(setting, one.provider)
        if all(gate.passed for gate in found):
            api, passed = one, found
    demand, finance = setting.serving.demand, setting.choice.scenario.finance
    share = setting.choice.scenario.demand.cache_hit_fraction
    read = setting.requests * demand.prompt_tokens
    volume = TokenVolume(
        fresh_input=read * (1.0 - share),
        cached_input=read * share,
        output=setting.requests * demand.answer_tokens,
        batch_fraction=finance.api_batch_fraction,
        staff_fte=finance.api_staff_fte,
    )
    lines = (*hosted_lines(volume, setting.book, api), *setting.monitoring)
    return Venue(
        venue.id,
        "call",
        venue.label if venue.id == "call-same" else f"Call {api.model}",
        f"{api.model} at {api.provider}",
        api.provider,
        lines=lines,
        gates=passed,
        api=api,
        country=api.country,
    )


def _blended(setting: Setting, api: ApiPrice) -> float:
    demand, book = setting.serving.demand, setting.book
    read, wrote = (book.price(f"api/{api.id}/{kind}").value for kind in ("input", "output"))
    return demand.prompt_tokens * read + demand.answer_tokens * wrote
