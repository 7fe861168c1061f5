"""How each workload of a fleet looks in every picture: colour, pattern and two letters."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from planner.charts.figures import Spec
from planner.plan import Plan

COLOURS = (
    "#3578bd",
    "#e08a1e",
    "#1a936f",
    "#b8578f",
    "#6cb4e4",
    "#c9523c",
    "#9279b8",
    "#c7a51f",
)
PALE_COLOURS = ("#e08a1e", "#6cb4e4", "#c7a51f")
"""Dark words stand on these, white ones on the others."""
PATTERNS = ("", ".", "x")
"""Of the first eight workloads, of the next eight, and of a few more."""
OWN_LOOKS = 20
"""Workloads with a look of their own; all others share one."""
OTHERS = "#87939e"
HATCH = "rgba(217, 83, 74, 0.85)"
"""Lines over memory that nobody can take."""
KEY_LETTERS = 10
"""Letters of a name in plotly's own legend; a page's key has room for all."""
LEGEND: Spec = {"entrywidth": 90, "entrywidthmode": "pixels"}
"""Narrow enough for two entries beside each other on a phone."""
FAINT = "rgba(135, 147, 158, 0.45)"
NOTHING = "rgba(0, 0, 0, 0)"


@dataclass(frozen=True, slots=True)
class Look:
    """Colour, pattern and letters of one workload."""

    name: str
    code: str
    """Two letters or a letter and a number, no other workload's."""
    colour: str
    pattern: str
    """Plotly's name of a pattern; empty for none."""

    @property
    def ink(self) -> str:
        """Colour of words on it."""
        return "#16202a" if self.colour in PALE_COLOURS else "#ffffff"

    @property
    def title(self) -> str:
        """How a legend calls it."""
        return f"{self.code} {shortened(self.name, KEY_LETTERS)}".strip()

    @property
    def marker(self) -> Spec:
        """The filling of its bars."""
        if not self.pattern:
            return {"color": self.colour, "line": {"width": 0}}
        return {
            "color": self.colour,
            "line": {"width": 0},
            "pattern": {
                "shape": self.pattern,
                "bgcolor": self.colour,
                "fgcolor": "rgba(255, 255, 255, 0.6)",
                "size": 7,
                "solidity": 0.2,
            },
        }


def looks(plan: Plan) -> dict[str, Look]:
    """The look of every workload by its name, the same in every picture of a plan.

    Parameters
    ----------
    plan : Plan

    Returns
    -------
    dict

    >>> from planner import Scenario, evaluate, load_catalogue
    >>> looks(evaluate(Scenario(), load_catalogue()))["this scenario"].code
    'TS'
    """
    names = [one.row.name for one in plan.portfolio.workloads]
    # By name, so that a change of priority does not change every colour.
    order = {name: at for at, name in enumerate(_by_row(plan, names))}
    made = {}
    for name, code in zip(names, codes(names), strict=True):
        at = order[name]
        own = at < OWN_LOOKS
        made[name] = Look(
            name,
            code,
            COLOURS[at % len(COLOURS)] if own else OTHERS,
            PATTERNS[at // len(COLOURS)] if own else "",
        )
    return made


def key(shown: Iterable[Look], hatched: bool = False) -> list[Spec]:
    """What stands for what, for a page that writes the key itself, where it can flow.

    Parameters
    ----------
    shown : iterable of Look
    hatched : bool
        Whether stranded memory is in the picture.

    Returns
    -------
    list of dict
        ``text``, ``colour`` and ``pattern`` of each.

    >>> key([], hatched=True)[0]["text"]
    'stranded'
    """
    lines = [
        {"text": f"{one.code} {one.name}", "colour": one.colour, "pattern": one.pattern}
        for one in shown
    ]
    return [*lines, *([{"text": "stranded", "colour": HATCH, "pattern": "/"}] if hatched else [])]


def codes(names: Iterable[str]) -> list[str]:
    """Two letters for each name, no two the same.

    Parameters
    ----------
    names : iterable of str

    Returns
    -------
    list of str

    >>> codes(["Chat assistant", "Notebooks", "Nightly batch", "Night batch", "42"])
    ['CA', 'No', 'NB', 'N2', '42']
    """
    taken: set[str] = set()
    found = []
    for name in names:
        words = ["".join(c for c in word if c.isalnum()) for word in name.split()]
        words = [word for word in words if word] or ["?"]
        first = words[0][0].upper()
        initials = first + words[1][0].upper() if len(words) > 1 else first + words[0][1:2].lower()
        numbered = (f"{first}{number}" for number in range(2, 100))
        code = next(one for one in (initials, *numbered) if one not in taken)
        taken.add(code)
        found.append(code)
    return found


def shortened(name: str, letters: int = 18) -> str:
    """A name that fits where room is short.

    Parameters
    ----------
    name : str
    letters : int

    Returns
    -------
    str

    >>> shortened("Contracts of all subsidiaries", 12)
    'Contracts o…'
    """
    return name if len(name) <= letters else f"{name[: letters - 1]}…"


def listed(names: Iterable[str], most: int = 4) -> str:
    """Names in a sentence; of many the first ones.

    Parameters
    ----------
    names : iterable of str
    most : int

    Returns
    -------
    str

    >>> listed(["a", "b", "c"]), listed("abcdef", 2)
    ('a, b and c', 'a, b and 4 more')
    """
    all_names = list(names)
    if len(all_names) > most:
        return f"{', '.join(all_names[:most])} and {len(all_names) - most} more"
    *first, last = all_names or [""]
    return f"{', '.join(first)} and {last}" if first else last


def _by_row(plan: Plan, names: list[str]) -> list[str]:
    """Names in the order of the table, the scenario's own workload first."""
    rows = [row.name for row in plan.scenario.portfolio.workloads]
    return sorted(names, key=lambda name: rows.index(name) if name in rows else -1)
