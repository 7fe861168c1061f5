"""What a plan says, in sentences that both teams can read aloud."""

from planner.report.headline import Headline
from planner.report.memory import headlines, team_sentences
from planner.report.speed import judged_words, speed_headlines, speed_sentences

__all__ = [
    "Headline",
    "headlines",
    "judged_words",
    "speed_headlines",
    "speed_sentences",
    "team_sentences",
]
