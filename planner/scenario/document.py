"""The question: a frozen, closed document that both teams fill in.

A :class:`Scenario` is made of sections; every field has a range, a unit and
words that say what it means. Unknown keys are errors, nothing mutates, and a
change makes a new scenario. Files are YAML or JSON; a link carries the whole
scenario, compressed, in its query string.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_serializer, field_validator

from planner.errors import InvalidScenario
from planner.scenario import link
from planner.scenario.demand import DemandSection
from planner.scenario.fields import Deployment, Scalar, Section, Variant, Workload, quantity
from planner.scenario.files import as_text, read_text, write_whole
from planner.scenario.finance import FinanceSection
from planner.scenario.policy import PolicySection
from planner.scenario.portfolio import PortfolioSection
from planner.scenario.reading import one_line, one_sentence, parse_document, unknown_key
from planner.scenario.service_level import ServiceLevelSection
from planner.scenario.site import SiteSection
from planner.scenario.value import ValueSection

FILE_LIMIT_BYTES = 1_000_000
"""Largest scenario file that is read [byte]."""
TITLE_CHARACTERS = 120
"""Longest title [character]."""


class Scenario(Section):
    """The whole question. Defaults are a department's chat assistant on one kind of GPU.

    >>> base = Scenario()
    >>> longer = base.changed({"workload.context_tokens": 32768})
    >>> longer.differences(base)
    {'workload.context_tokens': 32768}
    >>> Scenario.from_query(longer.to_query()) == longer
    True
    """

    title: Annotated[
        str,
        quantity("Name of the plan.", label="Title", control="text", max_length=TITLE_CHARACTERS),
    ] = "A new plan"
    description: Annotated[
        str, quantity("What it is for.", label="Description", control="text", max_length=2000)
    ] = ""
    workload: Workload = Workload()
    deployment: Deployment = Deployment()
    demand: DemandSection = DemandSection()
    service_level: ServiceLevelSection = ServiceLevelSection()
    site: SiteSection = SiteSection()
    finance: FinanceSection = FinanceSection()
    value: ValueSection = ValueSection()
    policy: PolicySection = PolicySection()
    portfolio: PortfolioSection = PortfolioSection()
    variants: Annotated[tuple[Variant, ...], Field(max_length=20)] = ()

    @field_validator("variants", mode="before")
    @classmethod
    def _variants_from_mapping(cls, value: Any) -> Any:
        if isinstance(value, dict):
            return tuple({"name": str(k), "changes": v} for k, v in value.items())
        return tuple(value) if isinstance(value, list) else value

    @field_validator("variants")
    @classmethod
    def _variants_differ(cls, value: tuple[Variant, ...]) -> tuple[Variant, ...]:
        if len({variant.name for variant in value}) < len(value):
            raise ValueError("two variants of one name")
        return value

    @field_serializer("variants")
    def _variants_to_mapping(self, value: tuple[Variant, ...]) -> dict[str, dict[str, Any]]:
        return {variant.name: variant.model_dump()["changes"] for variant in value}

    def changed(self, changes: dict[str, Scalar]) -> Scenario:
        """A new scenario with some fields changed.

        Parameters
        ----------
        changes : dict
            Dotted path to new value, for example ``{"workload.context_tokens": 32768}``.

        Returns
        -------
        Scenario

        Raises
        ------
        InvalidScenario
            A path does not exist or a value is not allowed; this scenario stays as it was.

        >>> Scenario().changed({"workload.contxt": 1})
        Traceback (most recent call last):
            ...
        planner.errors.InvalidScenario: workload.contxt is not a field of a scenario; ...
        """
        document = self.to_dict()
        known = set(self.values())
        for path, value in changes.items():
            if path not in known:
                raise InvalidScenario(unknown_key(path, known), field=path)
            section, _, name = path.rpartition(".")
            (document[section] if section else document)[name] = value
        return Scenario._validated(document)

    def variant(self, name: str) -> Scenario:
        """The scenario with the named differences applied, and the name added to its title.

        Parameters
        ----------
        name : str

        Returns
        -------
        Scenario

        Raises
        ------
        InvalidScenario
            There is no variant of this name.

        >>> s = Scenario.from_dict({"variants": {"long": {"workload.context_tokens": 65536}}})
        >>> s.variant("long").workload.context_tokens
        65536
        """
        for variant in self.variants:
            if variant.name == name:
                base = self.changed(dict(variant.changes))
                title = f"{base.title[: TITLE_CHARACTERS - len(name) - 2]}: {name}"
                return base.model_copy(update={"title": title, "variants": ()})
        names = ", ".join(one_line(v.name) for v in self.variants) or "none"
        raise InvalidScenario(
            f"There is no variant '{one_line(name)}' in this scenario; it has: {names}."
        )

    def values(self) -> dict[str, Scalar]:
        """Every field by its dotted path, variants left out.

        Returns
        -------
        dict

        >>> Scenario().values()["deployment.gpus_per_host"]
        8
        """
        flat: dict[str, Scalar] = {"title": self.title, "description": self.description}
        for name in SECTIONS:
            section = getattr(self, name)
            flat.update({f"{name}.{key}": value for key, value in section.__dict__.items()})
        return flat

    def differences(self, base: Scenario) -> dict[str, Scalar]:
        """The fields in which this scenario differs from ``base``, with this one's values.

        ``base.changed(self.differences(base))`` has the same fields as this scenario.

        Parameters
        ----------
        base : Scenario

        Returns
        -------
        dict

        >>> Scenario(title="B").differences(Scenario(title="A"))
        {'title': 'B'}
        """
        mine, theirs = self.values(), base.values()
        return {path: value for path, value in mine.items() if value != theirs[path]}

    def to_dict(self) -> dict[str, Any]:
        """The document as plain data; ``Scenario.from_dict`` gives the same scenario back.

        Returns
        -------
        dict

        >>> Scenario.from_dict(Scenario().to_dict()) == Scenario()
        True
        """
        return self.model_dump(mode="python")

    @classmethod
    def from_dict(cls, document: Any) -> Scenario:
        """A scenario from plain data.

        Parameters
        ----------
        document : dict
            Keys are sections or fields; what is left out takes its default.

        Returns
        -------
        Scenario

        Raises
        ------
        InvalidScenario
            In one sentence: the field, the value, what is allowed.

        >>> Scenario.from_dict({"workload": {"concurrent_sequences": -3}})
        Traceback (most recent call last):
            ...
        planner.errors.InvalidScenario: workload.concurrent_sequences is -3; it must be at least 1.
        """
        if not isinstance(document, dict):
            raise _not_a_document("The scenario")
        scenario = cls._validated(document)
        for variant in scenario.variants:
            try:
                scenario.changed(dict(variant.changes))
            except InvalidScenario as error:
                raise InvalidScenario(
                    f"In variant '{one_line(variant.name)}': {error}", field="variants"
                ) from None
        return scenario

    @classmethod
    def _validated(cls, document: dict[str, Any]) -> Scenario:
        try:
            return cls.model_validate(document)
        except ValidationError as error:
            raise one_sentence(error, FIELDS) from None

    def to_text(self, form: str = "yaml") -> str:
        """The scenario as YAML or JSON text.

        Parameters
        ----------
        form : str
            ``yaml`` or ``json``.

        Returns
        -------
        str

        >>> Scenario.from_text(Scenario().to_text("json")) == Scenario()
        True
        """
        return as_text(self.to_dict(), form)

    @classmethod
    def from_text(cls, text: str, name: str = "The scenario") -> Scenario:
        """A scenario from YAML or JSON text (JSON is read as YAML's subset).

        Parameters
        ----------
        text : str
        name : str
            What to call the text in an error, usually the file's name.

        Returns
        -------
        Scenario

        Raises
        ------
        InvalidScenario
            The text is empty, too long, cut off or not a scenario.

        >>> Scenario.from_text("")
        Traceback (most recent call last):
            ...
        planner.errors.InvalidScenario: The scenario is empty; choose a scenario ...
        """
        name = one_line(name) or "The scenario"
        if len(text.encode("utf-8", "replace")) > FILE_LIMIT_BYTES:
            raise InvalidScenario(
                f"{name} is larger than {FILE_LIMIT_BYTES // 1000:,} kB, too large for a "
                "scenario; choose a file saved by the workbook."
            )
        if not text.strip("\ufeff \t\r\n"):
            raise InvalidScenario(
                f"{name} is empty; choose a scenario saved by the workbook, "
                "or one of the shipped examples."
            )
        document = parse_document(text, name)
        if not isinstance(document, dict):
            raise _not_a_document(name)
        return cls.from_dict(document)

    def save(self, path: str | Path) -> None:
        """Write the scenario to a file; an interrupted write leaves the old file whole.

        Parameters
        ----------
        path : str or Path
            ``.json`` is written as JSON, anything else as YAML.

        Raises
        ------
        InvalidScenario
            The folder or the file cannot be written.

        >>> import tempfile; folder = tempfile.mkdtemp()
        >>> Scenario().save(f"{folder}/plan.yaml"); Scenario.load(f"{folder}/plan.yaml").title
        'A new plan'
        """
        path = Path(path)
        write_whole(path, self.to_text("json" if path.suffix.lower() == ".json" else "yaml"))

    @classmethod
    def load(cls, path: str | Path) -> Scenario:
        """A scenario from a YAML or JSON file.

        Parameters
        ----------
        path : str or Path

        Returns
        -------
        Scenario

        Raises
        ------
        InvalidScenario
            The file cannot be read, or is not a scenario.

        >>> Scenario.load("no-such-file.yaml")
        Traceback (most recent call last):
            ...
        planner.errors.InvalidScenario: no-such-file.yaml cannot be read ...
        """
        path = Path(path)
        return cls.from_text(read_text(path, FILE_LIMIT_BYTES), name=path.name)

    def to_query(self) -> str:
        """The whole scenario as a query string, ``s=<version><zlib, base64url>``.

        Returns
        -------
        str

        Raises
        ------
        InvalidScenario
            The scenario is too large for a link.

        >>> Scenario().to_query().startswith("s=1")
        True
        """
        return link.pack(self.to_dict())

    @classmethod
    def from_query(cls, query: str) -> Scenario:
        """The scenario that a link carries.

        Parameters
        ----------
        query : str
            With or without the leading ``?``; other parameters are ignored.

        Returns
        -------
        Scenario

        Raises
        ------
        InvalidScenario
            The link is cut off, oversized, of another version, or carries no valid scenario.

        >>> Scenario.from_query("?s=1notascenario")
        Traceback (most recent call last):
            ...
        planner.errors.InvalidScenario: The link is damaged or cut off; ...
        """
        return cls.from_dict(link.unpack(query))


def _not_a_document(name: str) -> InvalidScenario:
    return InvalidScenario(
        f"{name} is not a document of named fields; start from one of the shipped examples."
    )


SECTIONS: dict[str, type[Section]] = {
    "workload": Workload,
    "deployment": Deployment,
    "demand": DemandSection,
    "service_level": ServiceLevelSection,
    "site": SiteSection,
    "finance": FinanceSection,
    "value": ValueSection,
    "policy": PolicySection,
    "portfolio": PortfolioSection,
}
"""Each section by its name in a document."""
FIELDS = tuple(Scenario().values())
"""Dotted path of every field of a scenario."""
