"""What users were promised: the service level section of a scenario."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import field_validator

from planner.scenario.fields import Section, quantity


class ServiceLevelSection(Section):
    """Two limits, the share of requests that must be within them, and how long a queue may last.

    >>> ServiceLevelSection(percentile="99").percentile_fraction
    0.99
    """

    @field_validator("percentile", mode="before")
    @classmethod
    def _number_is_its_digits(cls, value: Any) -> Any:
        # People who write a file by hand leave the quotes out.
        return str(value) if type(value) is int and value in (50, 90, 95, 99) else value

    ttft_s: Annotated[
        float,
        quantity(
            "Longest time from sending a prompt to the first word of the answer, waiting "
            "included. Nobody waits for a batch: give it minutes.",
            label="First token within",
            unit="s",
            control="log slider",
            term="ttft",
            ge=0.05,
            le=3600.0,
        ),
    ] = 2.0
    tpot_s: Annotated[
        float,
        quantity(
            "Longest time between two tokens of an answer: 50 ms is 20 tokens a second, faster "
            "than most people read.",
            label="Each further token within",
            unit="s",
            control="log slider",
            term="tpot",
            ge=0.005,
            le=1.0,
        ),
    ] = 0.05
    percentile: Annotated[
        Literal["mean", "50", "90", "95", "99"],
        quantity(
            "Whose experience both limits judge: the mean request's, or that of so many requests "
            "in a hundred.",
            label="Promised to",
            control="choice",
            term="percentile",
        ),
    ] = "95"
    queue_window_s: Annotated[
        float,
        quantity(
            "How long a burst may pile up before its queue must be gone; the peak that is sized "
            "for is the busiest stretch of this length. Shorter needs more GPUs.",
            label="A queue may last",
            unit="s",
            team="infrastructure",
            control="log slider",
            term="queue-window",
            ge=1.0,
            le=3600.0,
        ),
    ] = 60.0

    @property
    def percentile_fraction(self) -> float | None:
        """Share of requests that must be within the limits; None judges the means [fraction]."""
        return None if self.percentile == "mean" else int(self.percentile) / 100.0
