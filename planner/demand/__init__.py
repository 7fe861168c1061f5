"""Who asks for how much, and when: people or logs to arrivals, tokens, peaks and a week."""

from planner.demand.arrivals import (
    SOURCES,
    Demand,
    RequestTokens,
    busy_day_rates,
    demand,
    grown,
    people_rate_per_s,
)
from planner.demand.log import RequestLog, read_request_log
from planner.demand.peak_load import peak_arrival_cv2, peak_rate, peak_token_rate
from planner.demand.peaks import WINDOWS_S, expected_peak_to_mean, observed_peak_to_mean
from planner.demand.profile import Lengths, LogProfile, peak_cv2, peak_to_mean, profile_log
from planner.demand.profile_text import profile_from_text, profile_to_text
from planner.demand.week import HoursNeeded, hours_needed, share_within

__all__ = [
    "SOURCES",
    "WINDOWS_S",
    "Demand",
    "HoursNeeded",
    "Lengths",
    "LogProfile",
    "RequestLog",
    "RequestTokens",
    "busy_day_rates",
    "demand",
    "expected_peak_to_mean",
    "grown",
    "hours_needed",
    "observed_peak_to_mean",
    "peak_arrival_cv2",
    "peak_cv2",
    "peak_rate",
    "peak_to_mean",
    "peak_token_rate",
    "people_rate_per_s",
    "profile_from_text",
    "profile_log",
    "profile_to_text",
    "read_request_log",
    "share_within",
]
