"""Request logs as people really save them: every encoding, separator, clock and mistake."""

from __future__ import annotations

import builtins
import io
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from planner.catalogue import find_data, load_trace, trace_ids
from planner.demand import RequestLog, profile_log, read_request_log
from planner.demand.columns import SYNONYMS
from planner.errors import InvalidScenario

ROWS = "timestamp,input_tokens,output_tokens\n0,100,10\n1.5,200,20\n4,300,30\n"


def refused(content: bytes, name: str = "log.csv") -> str:
    """The sentence with which a file is refused."""
    with pytest.raises(InvalidScenario) as caught:
        read_request_log(content, name)
    text = str(caught.value)
    assert text.startswith(name)
    assert "\n" not in text
    assert text.endswith(".")
    assert len(text) < 500
    return text


def assert_is_rows(log: RequestLog) -> None:
    assert log.arrival_s.tolist() == [0.0, 1.5, 4.0]
    assert log.input_tokens.tolist() == [100.0, 200.0, 300.0]
    assert log.output_tokens.tolist() == [10.0, 20.0, 30.0]
    assert log.note == ""


# --- The published files -----------------------------------------------------------------------


@pytest.mark.parametrize("identity", trace_ids())
def test_the_azure_files_upload_as_they_are(identity: str) -> None:
    """The reader of uploads and the catalogue's own find the same requests."""
    trace = load_trace(identity)
    short = {"azure-2023-code": "code", "azure-2023-conversation": "conv"}[identity]
    path = find_data() / "traces" / f"AzureLLMInferenceTrace_{short}_2023.csv"
    log = read_request_log(path.read_bytes(), path.name)
    assert log.arrival_s == pytest.approx(trace.arrival_s, abs=1e-6)
    assert np.array_equal(log.input_tokens, trace.input_tokens)
    assert np.array_equal(log.output_tokens, trace.output_tokens)
    assert log.started_weekday_hour == pytest.approx(trace.started_weekday_hour, abs=1 / 60)
    assert log.note == ""
    assert profile_log(log).requests == len(trace.arrival_s)


# --- Encodings, separators, names --------------------------------------------------------------


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "latin-1"]
)
@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_every_way_to_save_a_table(encoding: str, separator: str, ending: str) -> None:
    text = ROWS.replace(",", separator).replace("\n", ending)
    assert_is_rows(read_request_log(text.encode(encoding), "log.csv"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_other_columns_may_hold_any_words(encoding: str) -> None:
    lines = [line + f',"{word}"' for line, word in zip(
        ROWS.splitlines(), ("who", "Zoë, Genève", "Jürgen", "Åsa"), strict=True)]  # fmt: skip
    assert_is_rows(read_request_log("\n".join(lines).encode(encoding), "log.csv"))


def test_decimal_commas() -> None:
    text = ROWS.replace(",", ";").replace("1.5", "1,5")
    assert_is_rows(read_request_log(text.encode(), "log.csv"))


def test_quoted_cells_blank_lines_and_columns_in_any_order() -> None:
    text = '\n"Output Tokens","ISL",ts\n10,"100",0\n\n20,200,1.5\n30,300,4\n\n'
    assert_is_rows(read_request_log(text.encode(), "log.csv"))


@pytest.mark.parametrize(
    "names",
    [
        "TIMESTAMP,ContextTokens,GeneratedTokens",
        "arrived_at,num_prefill_tokens,num_decode_tokens",
        "Timestamp,Request tokens,Response tokens",
        "timestamp,input_length,output_length",
        "arrival_time,prompt_tokens,completion_tokens",
        "created-at,promptTokens,completionTokens",
        " Time , Input , Output ",
    ],
)
def test_column_names_in_the_wild(names: str) -> None:
    assert_is_rows(read_request_log(ROWS.replace(ROWS.split("\n")[0], names).encode(), "log.csv"))


def test_no_name_means_two_columns() -> None:
    every = [one for names in SYNONYMS.values() for one in names]
    assert len(set(every)) == len(every)


# --- Clocks ------------------------------------------------------------------------------------

MONDAY = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
"""A Monday: 2 March 2026, 09:30 UTC."""


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("2026-03-02 09:30:00", "2026-03-02 09:30:01.5"),
        ("2026-03-02T09:30:00Z", "2026-03-02T09:30:01.500Z"),
        ("2026-03-02T09:30:00.0000000", "2026-03-02T09:30:01.5000000"),
        ("2026-03-02 09:30:00 UTC", "2026-03-02 09:30:01.5 UTC"),
        ("2026-03-02T09:30:00+05:30", "2026-03-02T04:00:01.5Z"),
        ("1772443800", "1772443801.5"),
        ("1772443800000", "1772443801500"),
        ("1772443800000000", "1772443801500000"),
        ("1.7724438e18", "1772443801500000000"),
    ],
)
def test_dates_in_every_spelling(first: str, second: str) -> None:
    assert MONDAY.timestamp() == 1772443800
    log = read_request_log(f"time,isl,osl\n{first},1,1\n{second},1,1\n".encode(), "log.csv")
    # Nanoseconds since 1970 have more digits than a float: a quarter of a microsecond is lost.
    assert log.arrival_s == pytest.approx([0.0, 1.5], abs=1e-6)
    assert log.started_weekday_hour == pytest.approx(9.5)


def test_seconds_from_the_start_have_no_date() -> None:
    assert read_request_log(ROWS.encode(), "log.csv").started_weekday_hour is None
    milliseconds = ROWS.replace("timestamp", "timestamp_ms").replace("1.5", "1500")
    log = read_request_log(milliseconds.replace("4,3", "4000,3").encode(), "log.csv")
    assert_is_rows(log)


def test_rows_out_of_order_are_sorted_and_said() -> None:
    text = "t,isl,osl\n4,300,30\n0,100,10\n1.5,200,20\n".replace("t,", "ts,", 1)
    log = read_request_log(text.encode(), "log.csv")
    assert log.arrival_s.tolist() == [0.0, 1.5, 4.0]
    assert log.input_tokens.tolist() == [100.0, 200.0, 300.0]
    assert "order" in log.note


# --- Mistakes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [b"", b"  \n", b"\xef\xbb\xbf", b"\xff\xfe"])
def test_an_empty_file_is_refused(content: bytes) -> None:
    refused(content)


def test_a_header_alone_is_refused() -> None:
    assert "no request" in refused(ROWS.split("\n")[0].encode())


def test_a_missing_column_is_named_with_what_is_there() -> None:
    text = refused(b"when,input_tokens,answer\n1,2,3\n")
    assert "time of arrival" in text
    assert "'answer'" in text
    assert "timestamp, input_tokens and output_tokens" in text
    assert "output tokens" in refused(b"time,input_tokens,answer\n1,2,3\n")


def test_a_file_without_header_is_refused() -> None:
    assert "'100'" in refused("\n".join(ROWS.split("\n")[1:]).encode())


def many(bad: int, total: int = 1000, row: str = "5,many,1") -> bytes:
    lines = [f"{n},100,10" for n in range(total - bad)] + [row] * bad
    return "\n".join(["time,isl,osl", *lines]).encode()


def test_one_bad_row_in_a_hundred_is_left_out_and_said() -> None:
    log = read_request_log(many(10), "log.csv")
    assert len(log.arrival_s) == 990
    assert "10 of 1,000 rows" in log.note
    assert "row 992, column isl: 'many'" in log.note


def test_more_bad_rows_are_refused() -> None:
    text = refused(many(11))
    assert "11 of 1,000 rows" in text
    assert "row 991, column isl: 'many'" in text


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("5,-1,1", "'-1'"), ("5,1.5,1", "'1.5'"), ("5,1,1e99", "'1e+99'"), ("5,nan,1", "'nan'"),
        ("5,,1", "'empty'"), ("5", "'empty'"), ("noon,1,1", "column time: 'noon'"),
        ("inf,1,1", "column time: 'inf'"), ("1e300,1,1", "column time"),
    ],
)  # fmt: skip
def test_each_kind_of_bad_row_is_shown(row: str, said: str) -> None:
    assert said in refused(many(500, row=row))


def test_requests_without_an_answer_are_left_out_and_said() -> None:
    """BurstGPT logs failures with 0 response tokens, a few percent of all."""
    log = read_request_log(many(50, row="5,100,0"), "log.csv")
    assert len(log.arrival_s) == 950
    assert log.note == "50 requests without an answer left out."


def test_a_log_at_one_time_is_refused() -> None:
    assert "at one time" in refused(b"time,isl,osl\n5,1,1\n5,1,1\n")
    assert "at one time" in refused(b"time,isl,osl\n5,1,0\n6,1,0\n")


def test_a_wrong_date_is_refused() -> None:
    rows = "2026-03-02,1,1\n2062-03-02,1,1\n"
    assert "366" in refused(f"time,isl,osl\n{rows}".encode())


def test_large_files_are_refused_before_they_are_read() -> None:
    assert "50 MB" in refused(b"x" * 50_000_001)


def test_too_many_rows_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("planner.demand.csv_log.LIMIT_ROWS", 2)
    assert "more than" in refused(ROWS.encode())


@pytest.mark.parametrize(
    ("magic", "kind"),
    [(b"PK\x03\x04", "workbook"), (b"\x1f\x8b\x08", "gzip"), (b"%PDF-1.7", "PDF")],
)
def test_other_kinds_of_file_are_named(magic: bytes, kind: str) -> None:
    assert kind in refused(magic + b"....")


def test_the_name_of_a_file_stays_on_one_line() -> None:
    with pytest.raises(InvalidScenario) as caught:
        read_request_log(b"", "a\nb" * 100)
    assert len(str(caught.value)) < 150


# --- Parquet -----------------------------------------------------------------------------------


def parquet(**columns) -> bytes:
    pa = pytest.importorskip("pyarrow")
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


TIMES = [MONDAY + timedelta(seconds=one) for one in (0.0, 1.5, 4.0)]
ANSWERS = {"prompt_tokens": [100, 200, 300], "completion_tokens": [10, 20, 30]}


@pytest.mark.parametrize(
    ("times", "hour"),
    [
        ([0.0, 1.5, 4.0], None),
        (TIMES, 9.5),
        ([one.replace(tzinfo=None) for one in TIMES], 9.5),
        ([one.isoformat() for one in TIMES], 9.5),
        ([one.timestamp() * 1000 for one in TIMES], 9.5),
    ],
)
def test_parquet_round_trip(times: list, hour: float | None) -> None:
    log = read_request_log(parquet(arrived_at=times, model=["a"] * 3, **ANSWERS), "log.parquet")
    assert_is_rows(log)
    assert log.started_weekday_hour == hour


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_parquet_times_have_a_unit_and_a_zone(unit: str) -> None:
    pa = pytest.importorskip("pyarrow")
    times = pa.array(TIMES, pa.timestamp("us", "Europe/Zurich")).cast(
        pa.timestamp(unit, "Europe/Zurich")
    )
    log = read_request_log(parquet(time=times, **ANSWERS), "a.pq")
    assert log.arrival_s == pytest.approx([0.0, 1.5, 4.0], abs=1e-6)
    # In March Zurich is an hour ahead of UTC.
    assert log.started_weekday_hour == pytest.approx(10.5)


def test_parquet_of_other_types() -> None:
    pa = pytest.importorskip("pyarrow")
    words = pa.array(["100", "200", "300"]).dictionary_encode()
    answers = pa.array([10, 20, 30], pa.uint16())
    log = read_request_log(parquet(time=[0, 1.5, 4], isl=words, osl=answers), "log.parquet")
    assert_is_rows(log)
    refused(parquet(time=[[0], [1]], isl=[1, 1], osl=[1, 1]), "log.parquet")
    refused(parquet(time=[True, False], isl=[1, 1], osl=[1, 1]), "log.parquet")


def test_parquet_with_gaps() -> None:
    rows = {"time": [0.0, None, 2.0], "isl": [1, 2, None], "osl": [1, 1, 1]}
    assert "'empty'" in refused(parquet(**rows), "log.parquet")
    assert "no request" in refused(parquet(time=[], isl=[], osl=[]), "log.parquet")


def test_parquet_without_a_column() -> None:
    assert "output tokens" in refused(parquet(time=[0, 1], isl=[1, 1]), "log.parquet")


def test_parquet_is_known_by_its_content() -> None:
    log = read_request_log(parquet(time=[0.0, 1.5, 4.0], **ANSWERS), "upload")
    assert_is_rows(log)


def test_without_pyarrow_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *rest, **kwargs):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest, **kwargs)

    for module in [one for one in sys.modules if one.split(".")[0] == "pyarrow"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setattr(builtins, "__import__", missing)
    text = refused(b"PAR1....PAR1", "log.parquet")
    assert "pip install pyarrow" in text
    assert "CSV" in text
    monkeypatch.undo()


# --- Any bytes at all --------------------------------------------------------------------------


def only_known_outcomes(content: bytes, name: str) -> None:
    try:
        log = read_request_log(content, name)
    except InvalidScenario:
        return
    assert len(log.arrival_s) >= 2
    assert log.arrival_s[0] == 0.0
    assert np.all(np.diff(log.arrival_s) >= 0)
    assert np.all(log.output_tokens >= 1)
    assert np.all(log.input_tokens >= 0)
    assert profile_log(log).rate_per_s > 0


@given(st.binary(max_size=400), st.sampled_from(["a.csv", "a.parquet", "", "\0"]))
def test_any_bytes(content: bytes, name: str) -> None:
    only_known_outcomes(content, name)


CELL = st.one_of(
    st.integers(-5, 10**19).map(str),
    st.floats().map(str),
    st.datetimes().map(str),
    st.datetimes(timezones=st.timezones()).map(lambda one: one.isoformat()),
    st.text(max_size=8),
    st.sampled_from(["", '"', "1e308", "0x10", "１２", "1_000", "2026-W10-1", "\0", "9" * 400]),
)


@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), max_size=12),
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-8-sig"]),
)
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_cells(rows: list, separator: str, encoding: str) -> None:
    lines = [separator.join(row) for row in [("time", "isl", "osl"), *rows]]
    only_known_outcomes("\n".join(lines).encode(encoding, "replace"), "a.csv")


@given(
    times=st.lists(st.integers(0, 10**19) | st.floats(0, 1e9), min_size=2, max_size=10),
    tokens=st.integers(0, 5),
)
@example(times=[0.0, 1e-200, 1.0], tokens=1)
@example(times=[0.0, 3e-170, 1e-169], tokens=1)
def test_any_times(times: list, tokens: int) -> None:
    lines = ["time,isl,osl", *(f"{one},{tokens},{tokens}" for one in times)]
    only_known_outcomes("\n".join(lines).encode(), "a.csv")


@given(
    cut=st.integers(0, 1200),
    changes=st.dictionaries(st.integers(0, 1200), st.integers(0, 255), min_size=1, max_size=5),
)
def test_any_damage_to_a_parquet_file(cut: int, changes: dict[int, int]) -> None:
    whole = parquet(time=[0.0, 1.5, 4.0], **ANSWERS)
    damaged = bytearray(whole)
    for place, byte in changes.items():
        damaged[place % len(whole)] = byte
    only_known_outcomes(bytes(damaged), "a.parquet")
    only_known_outcomes(whole[:cut], "a.parquet")
