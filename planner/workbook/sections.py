"""Titles and fields of the groups in which a page asks for a scenario."""

from __future__ import annotations

from planner.scenario import FIELDS
from planner.workbook.uploads import LOG

DEMAND_SECTIONS: dict[str, tuple[str, ...]] = {
    "The demand": (
        "demand.source",
        "demand.users",
        "demand.active_fraction",
        "demand.requests_per_hour",
        "demand.requests_per_day",
        "demand.log",
        LOG,
        "demand.log_scale",
    ),
    "The requests": (
        "demand.prompt_tokens",
        "demand.output_tokens",
        "demand.prompt_cv2",
        "demand.output_cv2",
        "demand.cache_hit_fraction",
    ),
    "The calendar": (
        "demand.week_shape",
        "demand.duration",
        "demand.campaign_weeks",
        "demand.growth_fraction_per_year",
        "demand.horizon_years",
    ),
    "The service level": (
        "service_level.ttft_s",
        "service_level.tpot_s",
        "service_level.percentile",
        "service_level.queue_window_s",
    ),
}
"""Titles and fields of the sections that ask how much is wanted, and how fast."""


SECTIONS: dict[str, tuple[str, ...]] = {
    "The model": (
        "workload.model_source",
        "workload.model",
        "workload.model_parameters",
        "workload.config_json",
        "deployment.weight_precision",
        "deployment.kv_precision",
    ),
    "The conversations": ("workload.context_tokens", "workload.concurrent_sequences"),
    "The hardware": (
        "deployment.gpu",
        "deployment.tensor_parallel",
        "deployment.pipeline_parallel",
        "deployment.gpus_per_host",
    ),
    "The engine": (
        "deployment.engine",
        "deployment.gpu_memory_utilization",
        "deployment.engine_max_sequences",
        "deployment.engine_batched_tokens",
    ),
}
HOSTS = ("deployment.hosts", "deployment.gpus_per_host")
"""What the question "what can this hardware serve?" asks."""
SPEED_SECTIONS: dict[str, tuple[str, ...]] = {
    "The demand": DEMAND_SECTIONS["The demand"],
    "The service level": DEMAND_SECTIONS["The service level"],
    "The model": SECTIONS["The model"],
    "The hardware": SECTIONS["The hardware"],
    "The requests": DEMAND_SECTIONS["The requests"],
    "The calendar": DEMAND_SECTIONS["The calendar"],
    "The engine": SECTIONS["The engine"],
    "The conversations": SECTIONS["The conversations"],
}
PROMISED = ("The calendar", "The service level")
"""Sections of both teams that weigh on hardware: they stand with what infrastructure offers."""
COLLAPSED = {"The calendar", "The engine", "The conversations"}
"""Sections of the speed page that open with a click."""
MONEY_SECTIONS: dict[str, tuple[str, ...]] = {
    "The money": tuple(
        f"finance.{name}"
        for name in (
            "horizon_years",
            "discount_fraction",
            "life_years",
            "depreciation",
            "currency",
            "currency_per_usd",
            "currency_as_of",
            "quotes_as_of",
            "quotes",
        )
    ),
    "The cloud and the API": tuple(
        f"finance.{name}"
        for name in (
            "cloud_provider",
            "cloud_hours",
            "scale_up_s",
            "cloud_staff_fte",
            "api",
            "api_batch_fraction",
            "api_staff_fte",
        )
    ),
    "The site": tuple(path for path in FIELDS if path.startswith("site.")),
    "The rules": tuple(path for path in FIELDS if path.startswith("policy.")),
    "The work and its worth": tuple(path for path in FIELDS if path.startswith("value.")),
}
"""What it costs, where it may run, and what it is worth."""
COST_SECTIONS: dict[str, tuple[str, ...]] = {
    "The demand": DEMAND_SECTIONS["The demand"],
    **{
        title: MONEY_SECTIONS[title]
        for title in MONEY_SECTIONS
        if title != "The work and its worth"
    },
    "The model": SECTIONS["The model"],
    "The hardware": SECTIONS["The hardware"],
    "The requests": DEMAND_SECTIONS["The requests"],
    "The calendar": DEMAND_SECTIONS["The calendar"],
    "The service level": DEMAND_SECTIONS["The service level"],
    "The engine": SECTIONS["The engine"],
    "The conversations": SECTIONS["The conversations"],
}
"""The page of cost asks for everything but the work's worth."""
COST_COLLAPSED = {
    "The rules",
    "The model",
    "The requests",
    "The service level",
    *COLLAPSED,
}
"""Sections of the pages about money that open with a click."""
FLEET_SECTIONS: dict[str, tuple[str, ...]] = {
    "The workloads": ("portfolio.workloads", "portfolio.include_main"),
    "The hosts": ("portfolio.hosts",),
    "The rules of the fleet": (
        "portfolio.placement",
        "portfolio.n_plus_one",
        "portfolio.cpu_overcommit",
        "portfolio.licensed_gpus",
        "portfolio.rack_kw",
        "portfolio.hosts_per_rack",
    ),
    "Weeks ahead": ("portfolio.weeks",),
    "This scenario's demand": DEMAND_SECTIONS["The demand"],
    "This scenario's model": SECTIONS["The model"],
    "This scenario's hardware": (*SECTIONS["The hardware"], "deployment.hosts"),
}
"""The page of the fleet asks for the rows of its two tables first, and last for what a row takes
where it says nothing of its own."""
FLEET_COLLAPSED = {title for title in FLEET_SECTIONS if title.startswith("This scenario's")}
ORDERS = ("portfolio.orders", "portfolio.seed")
"""What the question of power-on orders asks."""
FLEET = tuple(path for path in FIELDS if path.startswith("portfolio."))
"""Every field of the shared fleet."""
