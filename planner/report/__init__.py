"""What a plan says, in sentences that both teams can read aloud."""

from planner.report.cost import cost_headlines, cost_sentences
from planner.report.cost_files import FILES
from planner.report.fleet import fleet_headlines, fleet_sentences
from planner.report.headline import Headline
from planner.report.memory import headlines, team_sentences
from planner.report.placement_files import placement_files
from planner.report.speed import judged_words, speed_headlines, speed_sentences
from planner.report.value import value_headlines, value_sentences

__all__ = [
    "FILES",
    "Headline",
    "cost_headlines",
    "cost_sentences",
    "fleet_headlines",
    "fleet_sentences",
    "headlines",
    "judged_words",
    "placement_files",
    "speed_headlines",
    "speed_sentences",
    "team_sentences",
    "value_headlines",
    "value_sentences",
]
