"""Write ``finance.fods``, let LibreOffice compute it, and keep what it computed in ``finance.csv``.

Run as ``python tests/oracle/make_finance.py``; it needs ``soffice`` on the path. Formulas use the
spreadsheet's own financial functions and nothing of this package.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

FOLDER = Path(__file__).resolve().parent
SHEET, TABLE = FOLDER / "finance.fods", FOLDER / "finance.csv"
COLUMNS = ("function", "inputs", "formula", "value")
FULL_PRECISION_CSV = "csv:Text - txt - csv (StarCalc):44,34,76,1,,0,false,false,false,false,false,1"

TEXTBOOK = [-40_000, 5_000, 8_000, 12_000, 30_000]
EXCEL_NPV = [-10_000, 3_000, 4_200, 6_800]
EXCEL_IRR = [-70_000, 12_000, 15_000, 18_000, 21_000, 26_000]
SERVER = [-316_800.5, *[9_450.25 + 137.5 * month for month in range(36)]]
LOAN = [250_000, *[-7_900.75] * 36]
LOSING = [-70_000, 12_000, 15_000, 18_000, 21_000]
WAVES = [-1_000, 2_500, -1_540]
PAYBACKS = [
    [-72_000, 25_000, 25_000, 15_000, 10_000, 30_000],
    [-10_000, 3_000, 3_000, 3_000, 3_000, 3_000],
    [-10_400, 2_800, 3_700, 5_100, 4_300],
    SERVER,
]
PAYBACK_RATES = [0.05, 0.1, 0.14, 0.006]


def array(numbers: list[float]) -> str:
    """A row of numbers as a formula writes it."""
    return "{" + ";".join(map(repr, numbers)) + "}"


def cases() -> list[tuple[str, dict[str, Any], str]]:
    """Name of the function, its inputs, and the spreadsheet's formula for it."""
    rows: list[tuple[str, dict[str, Any], str]] = []
    for rate, flows in (
        (0.08, TEXTBOOK),
        (0.1, EXCEL_NPV),
        (0.006434030110003, SERVER),
        (-0.05, TEXTBOOK),
    ):
        inputs = {"rate_per_period": rate, "cash_flows": flows}
        rows.append(("npv", {**inputs, "first_period": 1}, f"NPV({rate};{array(flows)})"))
        rest = f"{flows[0]}+NPV({rate};{array(flows[1:])})"
        rows.append(("npv", {**inputs, "first_period": 0}, rest))
    for flows, guess in (
        ([-100, 39, 59, 55, 20], 0.1),
        (EXCEL_IRR, 0.1),
        (LOSING, -0.05),
        (SERVER, 0.01),
        (LOAN, 0.01),
        (WAVES, 0.05),
    ):
        rows.append(("irr", {"cash_flows": flows}, f"IRR({array(flows)};{guess})"))
    for number, (flows, rate) in enumerate(zip(PAYBACKS, PAYBACK_RATES, strict=True)):
        column = 6 * number
        total = f"[payback.{letters(column + 2)}1]", f"[payback.{letters(column + 4)}1]"
        rows.append(("payback", {"cash_flows": flows}, total[0]))
        inputs = {"rate_per_period": rate, "cash_flows": flows}
        rows.append(("discounted_payback", inputs, total[1]))
    rows.append(("roi", {"benefit": 25.9e6, "cost": 1.96e6}, "(25900000-1960000)/1960000"))
    for rate in (0.08, 0.035):
        rows.append(("monthly_rate", {"rate_per_year": rate}, f"NOMINAL({rate};12)/12"))
    for rate, periods in ((0.08, 5), (0.1, 3), (0.00643, 36), (0.12, 4.0)):
        inputs = {"rate": rate, "periods": periods}
        rows.append(("capital_recovery_factor", inputs, f"PMT({rate};{periods};-1)"))
        rows.append(("sinking_fund_factor", inputs, f"PMT({rate};{periods};0;-1)"))
    inputs = {"rate": 0.08, "periods": 5, "present": 316_800.5}
    rows.append(("annuity_payment", inputs, "PMT(0.08;5;-316800.5)"))
    inputs = {"rate": 0.07, "periods": 4, "present": 250_000, "salvage": 40_000}
    rows.append(("annuity_payment", inputs, "PMT(0.07;4;-250000;40000)"))
    return rows + depreciation_cases()


def depreciation_cases() -> list[tuple[str, dict[str, Any], str]]:
    """Straight line, sum of years' digits, declining balance with and without a switch, MACRS."""
    rows: list[tuple[str, dict[str, Any], str]] = []
    for cost, salvage, life in ((316_800.5, 0, 5), (250_000, 40_000, 4)):
        base = {"cost": cost, "salvage": salvage, "life": life}
        rows.append(("straight_line", base, f"SLN({cost};{salvage};{life})"))
        for year in range(1, life + 1):
            inputs = {**base, "year": year}
            terms = f"{cost};{salvage};{life}"
            rows.append(("sum_of_years", inputs, f"SYD({terms};{year})"))
            rows.append(("double_declining", inputs, f"DDB({terms};{year};2)"))
            rows.append(
                ("variable_declining", {**inputs, "factor": 2}, f"VDB({terms};{year - 1};{year};2)")
            )
    for life in (3, 5, 7):
        for year in range(1, life + 2):
            cell = f"[macrs.{letters(3 * (life // 2 - 1))}{year}]"
            rows.append(("macrs", {"life": life, "year": year}, cell))
    return rows


def payback_cells() -> list[list[str]]:
    """Flows and running sums side by side; the first row has the paybacks.

    Five columns for each list of flows: the flow, its sum, the period in which the sum crosses
    zero and the share of it, and the same two of the discounted flows.
    """
    length = max(map(len, PAYBACKS)) + 1
    grid = [[""] * (6 * len(PAYBACKS)) for _ in range(length)]
    for number, (flows, rate) in enumerate(zip(PAYBACKS, PAYBACK_RATES, strict=True)):
        first = 6 * number
        names = [letters(first + i) for i in range(5)]
        last = len(flows) + 1
        for place in (2, 4):
            column = names[place]
            grid[0][first + place] = f"SUM([.{column}3:.{column}{last}])"
        for period, flow in enumerate(flows):
            row = period + 2
            cells = grid[row - 1]
            cells[first] = repr(flow)
            cells[first + 1] = f"SUM([.{names[0]}$2:.{names[0]}{row}])"
            flow_now = f"[.{names[0]}{row}]/(1+{rate})^{period}"
            above = f"+[.{names[3]}{row - 1}]" if period else ""
            cells[first + 3] = flow_now + above
            if not period:
                continue
            for sums, place, amount in (
                (names[1], 2, f"[.{names[0]}{row}]"),
                (names[3], 4, flow_now),
            ):
                crosses = f"AND([.{sums}{row - 1}]<0;[.{sums}{row}]>=0)"
                share = f"{period - 1}-[.{sums}{row - 1}]/({amount})"
                cells[first + place] = f"IF({crosses};{share};0)"
    return grid


def macrs_cells() -> list[list[str]]:
    """Half-year convention, double declining balance with a switch to straight line.

    Three columns for each life: the year's share, what is left after it, and the years left at its
    start. No spreadsheet has a function for it; these are the steps of IRS Publication 946.
    """
    grid = [[""] * 9 for _ in range(8)]
    for block, life in enumerate((3, 5, 7)):
        share, left, years = (letters(3 * block + i) for i in range(3))
        grid[0][3 * block : 3 * block + 3] = [f"2/{life}/2", f"1-[.{share}1]", f"{life}"]
        for row in range(2, life + 2):
            before = f"[.{left}{row - 1}]"
            full = f"MAX({before}*2/{life};{before}/[.{years}{row}])"
            grid[row - 1][3 * block] = before if row == life + 1 else full
            grid[row - 1][3 * block + 1] = f"{before}-[.{share}{row}]"
            grid[row - 1][3 * block + 2] = f"{life}-{row}+1.5"
    return grid


def letters(column: int) -> str:
    """Name of a column, the first is 0."""
    return (chr(64 + column // 26) if column >= 26 else "") + chr(65 + column % 26)


def cell(formula: str) -> str:
    """A formula, shown as a plain number and not as percent or money."""
    attribute = quoteattr("of:=" + formula)
    return f'<table:table-cell table:style-name="plain" table:formula={attribute}/>'


def text_cell(text: str) -> str:
    inside = f"<text:p>{escape(text)}</text:p>"
    return f'<table:table-cell office:value-type="string">{inside}</table:table-cell>'


def table(name: str, rows: list[str]) -> str:
    body = "\n".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    return f'<table:table table:name="{name}">\n{body}\n</table:table>'


def document() -> str:
    """The spreadsheet: formulas only, no values."""
    made = ["".join(map(text_cell, COLUMNS))]
    for function, inputs, formula in cases():
        words = (function, json.dumps(inputs), formula)
        made.append("".join(map(text_cell, words)) + cell(formula))
    grids = [
        table(
            name,
            ["".join(cell(one) if one else "<table:table-cell/>" for one in row) for row in grid],
        )
        for name, grid in (("payback", payback_cells()), ("macrs", macrs_cells()))
    ]
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"'
        for name in ("office", "style", "table", "text")
    )
    spaces += ' xmlns:number="urn:oasis:names:tc:opendocument:xmlns:datastyle:1.0"'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<office:document {spaces} xmlns:of="urn:oasis:names:tc:opendocument:xmlns:of:1.2" '
        'office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.spreadsheet">\n'
        "<office:automatic-styles>"
        '<number:number-style style:name="general"><number:number number:min-integer-digits="1"/>'
        '</number:number-style><style:style style:name="plain" style:family="table-cell" '
        'style:data-style-name="general"/></office:automatic-styles>\n'
        "<office:body><office:spreadsheet>\n"
        + "\n".join([table("finance", made), *grids])
        + "\n</office:spreadsheet></office:body></office:document>\n"
    )


def compute() -> None:
    """Have LibreOffice compute the sheet and write the table."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [
                "soffice",
                f"-env:UserInstallation=file://{folder}/profile",
                "--headless",
                "--convert-to",
                FULL_PRECISION_CSV,
                "--outdir",
                folder,
                str(SHEET),
            ],
            check=True,
            timeout=120,
        )
        (made,) = Path(folder).glob("*.csv")
        shutil.copyfile(made, TABLE)


if __name__ == "__main__":
    SHEET.write_text(document(), encoding="utf-8")
    compute()
