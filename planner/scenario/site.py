"""Where it would stand if it were owned: the site section of a scenario."""

from __future__ import annotations

from typing import Annotated, Literal

from planner.scenario.fields import Section, quantity

OTHER_PLATFORM = ("site.platform", ("other",))


class SiteSection(Section):
    """Hosts, licences, storage, power and people of the company's own installation.

    >>> SiteSection().platform
    'vcf'
    """

    platform: Annotated[
        Literal["plain", "vcf", "vvf", "other"],
        quantity(
            "What the hosts run: Linux alone, VMware Cloud Foundation, VMware vSphere Foundation, "
            "or another hyperconverged platform at your own price.",
            label="Platform of the hosts",
            team="infrastructure",
            control="choice",
            term="hyperconverged",
        ),
    ] = "vcf"
    platform_usd_per_core_year: Annotated[
        float | None,
        quantity(
            "Your quote for the other platform, for each core and year: no public list price is "
            "known for Nutanix or OpenShift.",
            label="Its licence",
            unit="USD/core/year",
            team="infrastructure",
            term="core-licence",
            shown_when=OTHER_PLATFORM,
            ge=0.0,
            le=10_000.0,
        ),
    ] = None
    nvidia_ai_enterprise: Annotated[
        bool,
        quantity(
            "Licence NVIDIA AI Enterprise for every GPU owned; vGPU and NIM need it, plain vLLM "
            "does not.",
            label="NVIDIA AI Enterprise",
            team="infrastructure",
            control="switch",
            term="core-licence",
        ),
    ] = False
    host_sockets: Annotated[
        int,
        quantity(
            "Processors in each GPU host; most have two.",
            label="Processors per host",
            unit="1",
            team="infrastructure",
            control="slider",
            term="host",
            ge=1,
            le=4,
        ),
    ] = 2
    host_cores_per_socket: Annotated[
        int,
        quantity(
            "Cores of each processor; platforms bill at least 16 of each.",
            label="Cores per processor",
            unit="core",
            team="infrastructure",
            control="slider",
            term="core-licence",
            ge=4,
            le=128,
        ),
    ] = 32
    spare_hosts: Annotated[
        int,
        quantity(
            "Hosts beyond those the load needs, so that one may fail or be patched: N+1 is one.",
            label="Spare hosts",
            unit="1",
            team="infrastructure",
            control="slider",
            term="n-plus-one",
            ge=0,
            le=8,
        ),
    ] = 1
    storage_tb: Annotated[
        float,
        quantity(
            "Usable storage for models, documents and logs; one 70B model is 0.14 TB in 16 bit.",
            label="Usable storage",
            unit="TB",
            team="infrastructure",
            control="log slider",
            term="vsan",
            ge=0.1,
            le=5_000.0,
        ),
    ] = 10.0
    storage_scheme: Annotated[
        Literal["local", "vsan-raid1", "vsan-raid5", "vsan-raid6"],
        quantity(
            "How it is protected: none beyond the disk, or vSAN's mirror, 3+1 or 4+2 stripes.",
            label="Its protection",
            team="infrastructure",
            control="choice",
            term="vsan",
        ),
    ] = "vsan-raid5"
    country: Annotated[
        str,
        quantity(
            "Grid that the site hangs on: carbon per kWh, and the price of electricity.",
            label="Grid",
            team="infrastructure",
            control="search",
            term="carbon-intensity",
            min_length=1,
            max_length=40,
        ),
    ] = "us"
    electricity_usd_per_kwh: Annotated[
        float | None,
        quantity(
            "What your electricity costs; automatic takes the grid's published price.",
            label="Electricity",
            unit="USD/kWh",
            team="infrastructure",
            term="electricity-price",
            ge=0.0,
            le=2.0,
        ),
    ] = None
    pue: Annotated[
        float | None,
        quantity(
            "Facility power over IT power; automatic takes the published average for an own room "
            "and for colocation.",
            label="PUE",
            unit="1",
            team="infrastructure",
            term="pue",
            ge=1.0,
            le=4.0,
        ),
    ] = None
    rack_kw: Annotated[
        float,
        quantity(
            "Power that one rack can feed and cool.",
            label="Power of a rack",
            unit="kW",
            team="infrastructure",
            control="log slider",
            term="rack-power",
            ge=2.0,
            le=200.0,
        ),
    ] = 17.0
    power_cap_fraction: Annotated[
        float,
        quantity(
            "Highest power of each GPU as a share of its limit. Decoding waits for memory and "
            "hardly slows; long prompts do.",
            label="Power cap",
            unit="fraction",
            team="infrastructure",
            control="slider",
            term="power-cap",
            ge=0.4,
            le=1.0,
        ),
    ] = 1.0
    staff_fte: Annotated[
        float | None,
        quantity(
            "Full-time people who run the owned hardware; automatic counts them by GPU.",
            label="People who run it",
            unit="1",
            team="infrastructure",
            term="staff",
            ge=0.0,
            le=500.0,
        ),
    ] = None
