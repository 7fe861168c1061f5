"""Files of a placement: every one is read back by a parser or checker that is not ours."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import shlex
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from planner.catalogue import SliceProfile, load_catalogue
from planner.placement import Ask, Fleet, Geometry, Host, Piece, Placement, Seat, geometry
from planner.plan import evaluate
from planner.report import placement_files
from planner.report.kubernetes_requests import GPU_PRODUCTS, kubernetes_yaml
from planner.report.mig_config import mig_parted_yaml
from planner.report.placement_files import HEAD, placement_csv
from planner.report.powercli import mmio_gib, powercli_script
from planner.report.quoting import dns_names, powershell_string, yaml_text
from planner.scenario import load_example
from planner.scenario.portfolio_rows import FleetWorkload
from planner.units import GIB

PUBLISHED = Path(__file__).parent / "published"
NASTY = (
    "=cmd|' /C calc'!A0",
    "$(Remove-VM *)",
    "a'; Remove-VM -VM *; '",
    "curly’; Remove-VM -VM *; ’",
    'say "hi" `whoami` $env:PATH',
    "line\nkind: Secret\r\n- b: c",
    "colon: {x: [1, 2]} # no comment",
    "next\x85line\u2028and\u2029more\u202e",
    "#> Remove-VM",
    "-- --all",
    "雪",
    "@import",
    "*",
    "NO",
)


# --- Small placements, made by hand ------------------------------------------------------------


def _profile(name: str, kind: str, size: int, compute: int, slots: int, **more: Any):
    return SliceProfile(
        name, kind, 80 * GIB * size / slots, size, (0,), compute, more.pop("total", slots), **more
    )


MIG = Geometry(
    "h100-sxm-80gb/mig",
    "h100-sxm-80gb",
    "mig",
    8,
    (
        _profile("1g.10gb", "mig", 1, 1, 8, total=7, mig_profile="H100XM-1-10C"),
        _profile("3g.40gb", "mig", 4, 3, 8, total=7, mig_profile="H100XM-3-40C"),
        _profile("whole", "whole", 8, 7, 8, total=7),
    ),
)
WHOLE = Geometry(
    "h100-sxm-80gb/whole", "h100-sxm-80gb", "whole", 1, (_profile("whole", "whole", 1, 1, 1),)
)
VGPU = (
    _profile("H100XM-20C", "vgpu", 20, 20, 80),
    _profile("H100XM-80C", "vgpu", 80, 80, 80),
    _profile("whole", "whole", 80, 80, 80),
)
SAME = Geometry("h100-sxm-80gb/vgpu same size", "h100-sxm-80gb", "vgpu same size", 80, VGPU, True)
MIXED = Geometry("h100-sxm-80gb/vgpu mixed size", "h100-sxm-80gb", "vgpu mixed size", 80, VGPU)
SHARES = (
    _profile("1/8", "share", 1, 1, 8),
    _profile("1/4", "share", 2, 2, 8),
    _profile("whole", "whole", 8, 8, 8),
)
SLICED = Geometry("l4-24gb/time slices", "l4-24gb", "time slices", 8, SHARES)
MPS = Geometry("l4-24gb/mps", "l4-24gb", "mps", 8, SHARES)
AMD = Geometry("mi300x-192gb/whole", "mi300x-192gb", "whole", 1, WHOLE.profiles)


def _place(*rows: tuple, names: dict[str, str] | None = None, **more: Any) -> Placement:
    """Rows of workload, geometry, profile, GPUs (none for no place), and fields of the piece.

    Each geometry has one host with four GPUs; ``names`` replaces names of workloads and hosts.
    """
    names = names or {}
    divided = list(dict.fromkeys(row[1] for row in rows))
    hosts = []
    for n, one in enumerate(divided):
        name = names.get(f"host-{n + 1}", f"host-{n + 1}")
        hosts.append(Host(name, one, 4, 64.0, 512 * GIB, kind=name, rack="rack 1"))
    counts: Counter[str] = Counter()
    pieces, seats, refusals = [], [], []
    for at, (workload, divided_as, profile, gpus, *fields) in enumerate(rows):
        name = names.get(workload, workload)
        counts[workload] += 1
        extra = dict(fields[0]) if fields else {}
        if "avoids" in extra:
            extra["avoids"] = frozenset(names.get(one, one) for one in extra["avoids"])
        if "together" in extra:
            extra["together"] = names.get(extra["together"], extra["together"])
        pieces.append(
            Piece(
                f"{name}/{counts[workload]}",
                name,
                (Ask(divided_as.id, profile, max(len(gpus), 1)),),
                **({"cpu_cores": 6.0, "memory_bytes": 31.3 * GIB} | extra),
            )
        )
        if gpus:
            seats.append(Seat(at, divided.index(divided_as), gpus, profile))
        else:
            refusals.append((at, "GPU slots"))
    return Placement(
        Fleet(tuple(hosts)),
        tuple(pieces),
        tuple(seats),
        more.get("method", "group"),
        refusals=tuple(refusals),
    )


JOB = {"restarts": False}
ROWS = (
    ("chat", MIG, "3g.40gb", (0,), {"apart": True}),
    ("chat", MIG, "3g.40gb", (0,), {"apart": True}),
    ("chat", MIG, "3g.40gb", (), {"apart": True}),
    ("embed", MIG, "1g.10gb", (1,), {"together": "search", "cpu_cores": 2.5}),
    ("rank", MIG, "whole", (2,), {"together": "search"}),
    ("tune", WHOLE, "whole", (0, 1), JOB),
    ("secret", WHOLE, "whole", (3,), {"avoids": ("tune", "chat")}),
    ("desk", SAME, "H100XM-20C", (0,), JOB),
    ("desk", SAME, "H100XM-20C", (0,), JOB),
    ("large", MIXED, "H100XM-80C", (1, 2)),
    ("play", SLICED, "1/4", (0,)),
    ("play", SLICED, "1/4", (0,)),
    ("draft", MPS, "1/8", (3,)),
)
PLACED = _place(*ROWS)


@pytest.fixture(scope="module")
def example() -> Placement:
    return evaluate(load_example("shared-fleet"), load_catalogue()).portfolio.placement


def _docs(text: str) -> list[dict[str, Any]]:
    return [one for one in yaml.safe_load_all(text) if one]


def _by_name(text: str) -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one for one in _docs(text)}


# --- Which files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "names"),
    [
        (("a", MIG, "1g.10gb", (0,)), ["mig-config.yaml", "kubernetes.yaml", "vsphere.ps1"]),
        (("a", MIG, "whole", (0,)), ["kubernetes.yaml", "vsphere.ps1"]),
        (("a", WHOLE, "whole", (0,)), ["kubernetes.yaml", "vsphere.ps1"]),
        (("a", SAME, "H100XM-20C", (0,)), ["vsphere.ps1"]),
        (("a", SLICED, "1/4", (0,)), ["kubernetes.yaml"]),
        (("a", MPS, "1/8", (0,)), ["kubernetes.yaml"]),
        (("a", AMD, "whole", (0,)), ["kubernetes.yaml"]),
        (("a", MIG, "1g.10gb", ()), []),
    ],
)
def test_only_files_that_apply_are_offered(row: tuple, names: list[str]) -> None:
    files = placement_files(_place(row), "plan")
    assert [name for name, _, _ in files] == ["placement.csv", *names]
    assert all(text for _, _, text in files)


def test_every_file_but_the_table_begins_with_what_it_is() -> None:
    for name, kind, text in placement_files(PLACED, "Shared $(fleet)\nRemove-VM"):
        if kind != "text/csv":
            head = text.split("\n\n")[0].split("---")[0].splitlines()
            assert all(line.startswith("#") for line in head), name
            assert "'Shared $(fleet) Remove-VM'" in " ".join(head)
            assert "Read it before you run it" in " ".join(head)
            assert "Check first" in " ".join(head)


# --- The table ---------------------------------------------------------------------------------


def test_the_table_has_a_row_for_each_piece() -> None:
    rows = list(csv.DictReader(io.StringIO(placement_csv(PLACED), newline="")))
    assert [row["piece"] for row in rows] == [piece.id for piece in PLACED.pieces]
    first, lost, group = rows[0], rows[2], rows[5]
    assert (first["placed"], first["host"], first["rack"]) == ("yes", "host-1", "rack 1")
    assert first["GPU memory (GiB)"] == "40" and first["host memory (GiB)"] == "31.3"
    assert (lost["placed"], lost["host"], lost["start slot"]) == ("no", "", "")
    assert lost["refused by"] == "no GPU has a free slice of its size"
    assert group["GPUs (index from 0)"] == "0 1" and group["GPU memory (GiB)"] == "160"
    assert all(not row["refused by"] for row in rows if row["placed"] == "yes")
    memory = [name for name in HEAD if "memory" in name]
    assert memory and all(name.endswith("(GiB)") for name in memory)


@pytest.mark.parametrize("name", NASTY)
def test_no_cell_is_a_formula_and_no_name_breaks_a_row(name: str) -> None:
    placed = _place(*ROWS, names={"chat": name, "host-1": name})
    text = placement_csv(placed)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len(rows) == len(ROWS) + 1 and {len(row) for row in rows} == {len(HEAD)}
    assert len(re.split(r"[\r\n\x85\u2028\u2029]+", text.strip())) == len(ROWS) + 1
    assert not [cell for row in rows for cell in row if cell[:1] in tuple("=+-@\t\r")]


# --- MIG ---------------------------------------------------------------------------------------

MOST_H100 = {"1g.10gb": 7, "1g.20gb": 4, "2g.20gb": 3, "3g.40gb": 2, "4g.40gb": 1, "7g.80gb": 1}
"""NVIDIA MIG user guide, supported profiles, number of instances available on an H100 of 80 GB."""
MIG_PROFILE = re.compile(r"(\d+c\.)?(\d+)g\.\d+gb(\+[a-zA-Z][a-zA-Z0-9]*(,[a-zA-Z][a-zA-Z0-9]*)*)?")
"""pkg/types/mig_profile.go of NVIDIA/mig-parted."""


def _check_mig_parted(text: str) -> dict[str, Any]:
    """The rules of ``UnmarshalJSON`` in api/spec/v1/spec.go of NVIDIA/mig-parted, one by one."""
    spec = yaml.safe_load(text)
    assert set(spec) == {"version", "mig-configs"} and spec["version"] == "v1"
    assert spec["mig-configs"]
    for entries in spec["mig-configs"].values():
        assert entries
        for entry in entries:
            assert {"devices", "mig-enabled"} <= set(entry)
            assert set(entry) <= {"device-filter", "devices", "mig-enabled", "mig-devices"}
            assert type(entry["mig-enabled"]) is bool
            assert entry["devices"] == "all" or all(type(at) is int for at in entry["devices"])
            if entry["mig-enabled"]:
                assert all(MIG_PROFILE.fullmatch(name) for name in entry["mig-devices"])
                assert all(type(n) is int and n > 0 for n in entry["mig-devices"].values())
            else:
                assert not entry.get("mig-devices")
    return spec["mig-configs"]


def test_the_checker_of_mig_configurations_finds_faults() -> None:
    good = "version: v1\nmig-configs: {a: [{devices: [0], mig-enabled: true, mig-devices: {%s}}]}"
    _check_mig_parted(good % "1g.5gb: 7")
    for bad in (
        good % "1g: 7",
        good % "1g.5gb: '7'",
        (good % "").replace("true", "false").replace("{}", "{1g.5gb: 1}"),
        (good % "1g.5gb: 7").replace("v1", "v2"),
        (good % "1g.5gb: 7").replace("devices: [0], ", ""),
    ):
        with pytest.raises(AssertionError):
            _check_mig_parted(bad)


def test_mig_layouts_are_the_plans(example: Placement) -> None:
    for placed in (PLACED, example):
        text = mig_parted_yaml(placed, "plan")
        configs = _check_mig_parted(text)
        used = {seat.host for seat in placed.seats if _carving(placed, seat.host) == "mig"}
        labels = re.findall(r"# +kubectl label --overwrite node/(\S+) .*mig\.config=(\S+)", text)
        assert {host for host, _ in labels} == {placed.fleet.hosts[at].id for at in used}
        for host, name in labels:
            at = next(i for i, one in enumerate(placed.fleet.hosts) if one.id == host)
            devices = [gpu for entry in configs[name] for gpu in entry["devices"]]
            assert sorted(devices) == list(range(placed.fleet.hosts[at].gpus))
            for entry in configs[name]:
                for gpu in entry["devices"]:
                    here = [s for s in placed.seats if s.host == at and gpu in s.gpus]
                    cut = Counter(s.profile for s in here if s.profile != "whole")
                    assert entry.get("mig-devices", {}) == cut
                    assert all(count <= MOST_H100[name] for name, count in cut.items())
                    assert sum(int(name[0]) * count for name, count in cut.items()) <= 7


def test_equal_hosts_share_a_configuration() -> None:
    one = _place(("a", MIG, "3g.40gb", (1,)))
    host = one.fleet.hosts[0]
    two = replace(
        one,
        fleet=Fleet((host, replace(host, id="host-2"), replace(host, id="host-3"))),
        pieces=one.pieces * 3,
        seats=tuple(Seat(n, n, (1 if n < 2 else 2,), "3g.40gb") for n in range(3)),
    )
    assert list(_check_mig_parted(mig_parted_yaml(two))) == ["planned-1", "planned-2"]


def _carving(placed: Placement, host: int) -> str:
    return placed.fleet.hosts[host].geometry.carving


# --- Kubernetes --------------------------------------------------------------------------------

SCHEMA = json.loads((PUBLISHED / "kubernetes.json").read_text(encoding="utf-8"))
KINDS = {
    "Deployment": "io.k8s.api.apps.v1.Deployment",
    "StatefulSet": "io.k8s.api.apps.v1.StatefulSet",
    "Job": "io.k8s.api.batch.v1.Job",
    "PriorityClass": "io.k8s.api.scheduling.v1.PriorityClass",
    "ConfigMap": "io.k8s.api.core.v1.ConfigMap",
}
DNS_LABEL = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
QUANTITY = re.compile(
    r"([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)"  # apimachinery, resource.Quantity
)


def _check_kubernetes(text: str) -> list[dict[str, Any]]:
    """The published schema, and the documentation's rules that it cannot say."""
    docs = _docs(text)
    for one in docs:
        pointer = {"$ref": f"#/$defs/{KINDS[one['kind']]}", "$defs": SCHEMA["$defs"]}
        jsonschema.Draft7Validator(pointer).validate(one)
        assert DNS_LABEL.fullmatch(one["metadata"]["name"])
        for value in one["metadata"].get("labels", {}).values():
            assert LABEL_VALUE.fullmatch(value)
        if "spec" in one:
            _check_pods(one)
    identities = [(one["kind"], one["metadata"]["name"]) for one in docs]
    assert len(set(identities)) == len(identities)
    return docs


def _check_pods(one: dict[str, Any]) -> None:
    template = one["spec"]["template"]
    labels = template["metadata"]["labels"]
    selector = one["spec"].get("selector", {}).get("matchLabels", {})
    assert selector.items() <= labels.items()
    assert (one["kind"] == "Job") == (template["spec"].get("restartPolicy") == "Never")
    assert all(LABEL_VALUE.fullmatch(value) for value in labels.values())
    for container in template["spec"]["containers"]:
        amounts = container["resources"]
        assert amounts["requests"] == amounts["limits"]
        for name, amount in amounts["limits"].items():
            assert QUANTITY.fullmatch(str(amount))
            # Extended resources are whole numbers.
            assert "/" not in name or type(amount) is int


def test_the_schema_refuses_what_kubernetes_would() -> None:
    good = _by_name(kubernetes_yaml(PLACED))["chat"]
    for path, value in ((("replicas",), "two"), (("template", "spec", "containers"), None)):
        bad = json.loads(json.dumps(good))
        inner = bad["spec"]
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        with pytest.raises(jsonschema.ValidationError):
            _check_kubernetes(yaml_text(bad))
    bad = json.loads(json.dumps(good))
    bad["spec"]["template"]["spec"]["contaners"] = []
    with pytest.raises(jsonschema.ValidationError):
        _check_kubernetes(yaml_text(bad))


def test_kubernetes_objects_request_what_is_placed(example: Placement) -> None:
    for placed in (PLACED, example):
        docs = _check_kubernetes(kubernetes_yaml(placed, "plan"))
        got: Counter[str] = Counter()
        for one in docs:
            if "spec" in one:
                count = one["spec"].get("replicas") or one["spec"]["parallelism"]
                limits = one["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
                for name, amount in limits.items():
                    got[name] += count * amount if "/" in name else 0
        wanted: Counter[str] = Counter()
        for seat in placed.seats:
            carving = _carving(placed, seat.host)
            if carving in ("time slices", "mps"):
                wanted["nvidia.com/gpu.shared"] += 1
            elif seat.profile == "whole" and not carving.startswith("vgpu"):
                wanted["nvidia.com/gpu"] += len(seat.gpus)
            elif carving == "mig":
                wanted[f"nvidia.com/mig-{seat.profile}"] += 1
        assert +got == wanted


def test_cores_and_memory_are_those_of_the_piece() -> None:
    named = _by_name(kubernetes_yaml(PLACED))
    limits = named["embed"]["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"]
    assert limits["cpu"] == "2500m"
    mebibytes = int(limits["memory"].removesuffix("Mi"))
    assert 0 <= 31.3 * 1024 - mebibytes < 1  # never more than the plan promises


def test_wishes_become_rules_about_hosts() -> None:
    named = _by_name(kubernetes_yaml(PLACED))

    def terms(name: str, kind: str) -> list[tuple[str, list[str], str]]:
        affinity = named[name]["spec"]["template"]["spec"].get("affinity", {}).get(kind, {})
        return [
            (*_expression(term), term["topologyKey"])
            for term in affinity.get("requiredDuringSchedulingIgnoredDuringExecution", [])
        ]

    host = "kubernetes.io/hostname"
    assert terms("chat", "podAntiAffinity") == [("workload", ["chat"], host)]
    assert terms("secret", "podAntiAffinity") == [("workload", ["chat", "tune"], host)]
    assert terms("embed", "podAffinity") == [("together", ["search"], host)]
    assert not terms("tune", "podAntiAffinity")
    for name in ("embed", "rank"):
        labels = named[name]["spec"]["template"]["metadata"]["labels"]
        assert labels["together"] == "search" and labels["workload"] == name


def _expression(term: dict[str, Any]) -> tuple[str, list[str]]:
    (one,) = term["labelSelector"]["matchExpressions"]
    assert one["operator"] == "In"
    return one["key"], one["values"]


def test_kinds_and_priorities_follow_the_rows() -> None:
    rows = (
        FleetWorkload(name="chat", priority="high"),
        FleetWorkload(name="embed", shape="batch", priority="low"),
        FleetWorkload(name="rank", shape="notebooks"),
        FleetWorkload(name="secret", shape="training"),
    )
    text = kubernetes_yaml(PLACED, "", rows)
    _check_kubernetes(text)
    named = _by_name(text)
    assert [named[name]["kind"] for name in ("chat", "embed", "rank", "secret", "tune")] == [
        "Deployment",
        "Job",
        "StatefulSet",
        "Job",
        "Job",
    ]
    queued = [name for name, one in named.items() if "kueue" in str(one["metadata"])]
    assert sorted(queued) == ["secret", "tune"]  # training, and a job of two GPUs
    spec = named["chat"]["spec"]["template"]["spec"]
    assert spec["priorityClassName"] == "planned-high"
    values = {n: one["value"] for n, one in named.items() if one["kind"] == "PriorityClass"}
    assert values["planned-high"] > values["planned-normal"] > values["planned-low"]
    assert max(values.values()) <= 1_000_000_000  # the documentation's limit for users
    assert "Left out: 1 piece; no GPU has a free slice of its size." in text


def test_a_gpu_is_selected_by_a_name_of_the_catalogue() -> None:
    assert set(GPU_PRODUCTS) <= set(load_catalogue().accelerators)
    assert all(LABEL_VALUE.fullmatch(one) for one in GPU_PRODUCTS.values())
    rows = ("a", WHOLE, "whole", (0,)), ("b", AMD, "whole", (0,)), ("c", MIG, "1g.10gb", (0,))
    named = _by_name(kubernetes_yaml(_place(*rows)))
    pods = {name: one["spec"]["template"]["spec"] for name, one in named.items() if "spec" in one}
    assert pods["a"]["nodeSelector"] == {"nvidia.com/gpu.product": "NVIDIA-H100-80GB-HBM3"}
    assert pods["c"]["nodeSelector"] == pods["a"]["nodeSelector"]
    assert "nodeSelector" not in pods["b"]
    assert pods["b"]["containers"][0]["resources"]["limits"]["amd.com/gpu"] == 1


def test_one_workload_on_two_kinds_of_slice_is_two_objects() -> None:
    rows = (("a", MIG, "1g.10gb", (0,)), ("a", MIG, "3g.40gb", (1,)), ("a 2", MIG, "whole", (2,)))
    docs = _check_kubernetes(kubernetes_yaml(_place(*rows)))
    apps = [one for one in docs if one["kind"] == "Deployment"]
    labels = [one["spec"]["template"]["metadata"]["labels"]["workload"] for one in apps]
    assert len(apps) == 3 and labels[0] == labels[1] != labels[2]


def _sharing(placed: Placement) -> dict[str, Any]:
    """Rules of api/config/v1/replicas.go and sharing.go of NVIDIA/k8s-device-plugin."""
    config = _by_name(kubernetes_yaml(placed))["planned-gpu-sharing"]
    made = {}
    for name, text in config["data"].items():
        spec = yaml.safe_load(text)
        assert set(spec) == {"version", "sharing"} and spec["version"] == "v1"
        ((kind, section),) = spec["sharing"].items()
        assert kind in ("timeSlicing", "mps")
        extra = {"failRequestsGreaterThanOne"} if kind == "timeSlicing" else set()
        assert set(section) <= {"renameByDefault", "resources", *extra}
        (resource,) = section["resources"]
        assert set(resource) == {"name", "replicas"} and resource["name"] == "nvidia.com/gpu"
        assert type(resource["replicas"]) is int and resource["replicas"] > 0
        made[name] = (kind, resource["replicas"])
    return made


def test_shared_gpus_are_divided_as_planned() -> None:
    assert _sharing(PLACED) == {"time-slicing-4": ("timeSlicing", 4), "mps-8": ("mps", 8)}
    sizes = (("a", SLICED, "1/4", (0,)), ("b", SLICED, "1/8", (0,)), ("c", SLICED, "whole", (1,)))
    mixed = _place(*sizes)
    assert _sharing(mixed) == {"time-slicing-8": ("timeSlicing", 8)}
    text = kubernetes_yaml(mixed)
    assert "shares of several sizes" in text and "also gives whole GPUs" in text
    limited = _place(("a", MPS, "1/4", (0,)), ("b", MPS, "1/8", (0,)))
    assert _sharing(limited) == {"mps-4": ("mps", 4)}  # an eighth would starve the quarter


@pytest.mark.parametrize("name", NASTY)
def test_names_change_nothing_but_names_in_yaml(name: str) -> None:
    names = {"chat": name, "host-1": name, "search": name, "host-5": name}
    placed = _place(*ROWS, names=names)
    rows = (FleetWorkload(name=name.strip()[:40] or "x"),)
    shapes = [
        [_shape(one) for one in _check_kubernetes(kubernetes_yaml(one, name, rows))]
        for one in (PLACED, placed)
    ]
    assert shapes[0] == shapes[1]
    assert _check_mig_parted(mig_parted_yaml(placed, name)) == _check_mig_parted(
        mig_parted_yaml(PLACED)
    )


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _shape(inner) for key, inner in value.items()}
    return [_shape(inner) for inner in value] if isinstance(value, list) else type(value)


def test_commands_in_comments_cannot_be_widened() -> None:
    """A host's name stays one word of a shell, whatever it holds."""
    for name in NASTY:
        placed = _place(*ROWS, names={"host-1": name, "host-5": name})
        for text in (mig_parted_yaml(placed), kubernetes_yaml(placed)):
            lines = re.findall(r"# +(kubectl label .*)", text)
            assert lines
            for line in lines:
                words = shlex.split(line)
                assert words[:3] == ["kubectl", "label", "--overwrite"] and len(words) == 5
                assert words[3].startswith("node/") and words[4].startswith("nvidia.com/")


@pytest.mark.parametrize(
    "word", ["on", "y", "No", "null", "1e3", "0x1f", "12:30", "1_0", "~", ".5"]
)
def test_words_that_some_readers_of_yaml_mistake_are_quoted(word: str) -> None:
    assert yaml_text({"a": word}) == f'a: "{word}"\n'
    assert yaml.safe_load(yaml_text({word: word})) == {word: word}


def test_names_for_kubernetes_differ_and_keep_their_rules() -> None:
    texts = [*NASTY, "a" * 80, "a" * 79 + "b", "a" * 60 + "-2", "A b", "a-b", "a_b"]
    names = dns_names(texts)
    assert len(set(names.values())) == len(set(texts))
    assert all(DNS_LABEL.fullmatch(name) for name in names.values())


# --- vSphere -----------------------------------------------------------------------------------

CMDLETS = {
    # VCF PowerCLI Reference, developer.broadcom.com/powercli/latest/vmware.vimautomation.core.
    "Get-Cluster": set(),
    "Get-Datastore": {"RelatedObject"},
    "Get-Template": set(),
    "Get-View": {"Id"},
    "Get-VM": {"Location"},
    "Get-VMHost": {"Location"},
    "New-DrsClusterGroup": {"Cluster", "Name", "VM", "VMHost"},
    "New-DrsRule": {"Cluster", "Name", "KeepTogether", "VM", "Enabled"},
    "New-DrsVMHostRule": {"Cluster", "Name", "VMGroup", "VMHostGroup", "Type"},
    "New-VM": {"Name", "VMHost", "Template", "Datastore"},
    # PowerShell's own, learn.microsoft.com/powershell/module.
    "ForEach-Object": set(),
    "New-Object": {"TypeName"},
    "Select-Object": {"First"},
    "Set-StrictMode": {"Version"},
    "Where-Object": set(),
    "Write-Warning": {"Message"},
}
TYPES = {
    # vSphere Web Services API 8.0.3, developer.broadcom.com/xapis, with the properties set here.
    "VirtualPCIPassthrough": {"Key", "Backing"},
    "VirtualDeviceConfigSpec": {"Operation", "Device"},
    "VirtualPCIPassthroughVmiopBackingInfo": {"Vgpu"},
    "VirtualPCIPassthroughAllowedDevice": {"VendorId", "DeviceId"},
    "VirtualPCIPassthroughDynamicBackingInfo": {"AllowedDevice", "DeviceName"},
    "OptionValue": {"Key", "Value"},
    "VirtualMachineConfigSpec": {
        "NumCPUs",
        "MemoryMB",
        "MemoryReservationLockedToMax",
        "ExtraConfig",
        "DeviceChange",
    },
}
QUOTES = "'‘’‚‛"
"""What PowerShell's tokenizer takes for a single quote."""
OPERATORS = {"eq", "ne", "or", "and", "in", "is", "lt", "not", "contains"}


def _code(script: str) -> str:
    """A PowerShell script with its strings emptied and without comments; brackets must pair."""
    made, open_brackets, at = [], [], 0
    while at < len(script):
        one = script[at]
        if one == "#":
            while at < len(script) and script[at] not in "\r\n":
                at += 1
            continue
        if one in QUOTES:
            at += 1
            while script[at] not in QUOTES or script[at + 1 : at + 2] in (*QUOTES,):
                at += 2 if script[at] in QUOTES else 1
                assert at < len(script), "a string does not end"
            made.append("''")
        elif one == '"':
            end = script.index('"', at + 1)
            assert "\n" not in script[at:end], "a string runs over its line"
            made.append('""')
            at = end
        else:
            if one in "({[":
                open_brackets.append(one)
            elif one in ")}]":
                assert open_brackets and open_brackets.pop() + one in ("()", "{}", "[]")
            made.append(one)
        at += 1
    assert not open_brackets
    return "".join(made)


def _check_powercli(script: str) -> str:
    """Quotes and brackets pair; only cmdlets, parameters and types of the references."""
    code = _code(script)
    own = {}
    for name, given in re.findall(r"function ([\w-]+)\(([^{]*)\) \{", code):
        own[name] = set(re.findall(r"\$(\w+)", given))
    for statement in re.split(r"[\n;|(){}]+|(?<!`)\n", code.replace("`\n", " ")):
        words = re.findall(r"(?<![\w.$-])[A-Z][A-Za-z]*-[A-Z]\w*", statement)
        if not words or statement.strip().startswith("function"):
            continue
        (name,) = words
        known = CMDLETS | own
        assert name in known, name
        given = set(re.findall(r"(?<=\s)-([A-Za-z]+)", statement.split(name, 1)[1])) - OPERATORS
        assert given <= known[name], (name, given)
    for name in re.findall(r"VMware\.Vim\.(\w+)", code):
        assert name in TYPES, name
    return code


def test_the_checker_of_scripts_finds_faults() -> None:
    _check_powercli("$a = Get-VM -Location 'it''s' # it's\n")
    for bad in (
        "Get-VM -Name 'a'\n",
        "Remove-VM -VM 'a'\n",
        "$a = @('x'\n",
        "'open\n",
        "New-Object -TypeName VMware.Vim.Nothing\n",
    ):
        with pytest.raises((AssertionError, IndexError)):
            _check_powercli(bad)


def test_the_script_sets_only_properties_of_the_api() -> None:
    code = _code(powercli_script(PLACED))
    made = re.findall(r"\$(\w+) = New-Object -TypeName VMware\.Vim\.(\w+)", code)
    assert {name for _, name in made} <= set(TYPES)
    by_variable: dict[str, set[str]] = {}
    for variable, name in made:
        by_variable.setdefault(variable, set()).update(TYPES[name])
    # What is changed on objects of the server: HostGraphicsConfig and its device types.
    by_variable["config"] = {"HostDefaultGraphicsType", "SharedPassthruAssignmentPolicy"}
    by_variable["device"] |= {"GraphicsType", "VgpuMode"}
    for variable, name in re.findall(r"\$(\w+)\.(\w+) =(?!=)", code):
        assert name in by_variable[variable], (variable, name)


def test_vms_get_the_slices_of_the_plan(example: Placement) -> None:
    for placed in (PLACED, example):
        script = powercli_script(placed, "plan")
        _check_powercli(script)
        calls = re.findall(r"^Set-PlannedVM .*$", script, re.MULTILINE)
        can = [s for s in placed.seats if _carving(placed, s.host) not in ("time slices", "mps")]
        assert len(calls) == len(can)
        for line, seat in zip(calls, can, strict=True):
            piece = placed.pieces[seat.piece]
            memory = int(re.search(r"-MemoryMiB (\d+)", line)[1])
            assert memory % 4 == 0 and 0 <= piece.memory_bytes / 2**20 - memory < 4
            assert int(re.search(r"-Cores (\d+)", line)[1]) == math.ceil(piece.cpu_cores)
            if seat.profile == "whole":
                assert f"-WholeGpus {len(seat.gpus)} " in line and "-Vgpu" not in line
            else:
                types = re.findall(r"'([^']+)'", re.search(r"-Vgpu @\((.*?)\)", line)[1])
                assert len(types) == len(seat.gpus) and "-WholeGpus" not in line
        assert "$spec.MemoryReservationLockedToMax = $true" in script


@pytest.mark.parametrize(
    ("divided", "profile", "written"),
    [(SAME, "H100XM-20C", "h100xm-20c"), (MIG, "3g.40gb", "h100xm-3-40c")],
)
def test_vgpu_types_are_in_vsphere_s_spelling(
    divided: Geometry, profile: str, written: str
) -> None:
    """``nvidia_h100xm-80c`` and ``grid_p4-4q`` are names that vCenter shows."""
    script = powercli_script(_place(("a", divided, profile, (0,))))
    assert f"-Vgpu @('{written}')" in script
    assert '"grid_$Type"' in script and '"nvidia_$Type"' in script


def test_hosts_get_the_mode_and_policy_of_the_plan() -> None:
    script = powercli_script(PLACED)
    lines = re.findall(r"^Set-PlannedGraphics -.*$", script, re.MULTILINE)
    modes = {re.search(r"-HostName '(.*?)'", one)[1]: one for one in lines}
    assert set(modes) == {"host-1", "host-3", "host-4"}  # not the host of whole GPUs
    assert "-Mode 'sameSize'" in modes["host-3"] and "-Mode 'mixedSize'" in modes["host-4"]
    assert "-Mode ''" in modes["host-1"] and "nvidia-smi -i 0,1 -mig 1" in script
    assert all("'consolidation'" in one for one in lines)
    spread = powercli_script(_place(*ROWS, method="spread"))
    assert "-Policy 'performance'" in spread and "'consolidation'" not in spread


def test_wishes_become_drs_rules() -> None:
    script = powercli_script(PLACED)
    assert (
        "Add-PlannedRule -Name 'apart-chat' -Together $false -VMNames @('chat-1', 'chat-2')"
        in script
    )
    assert "-Together $true -VMNames @('embed-1', 'rank-1')" in script
    assert (
        "Add-PlannedHosts -Name 'secret' -HostNames @('host-2') -VMNames @('secret-1')"
        " -OtherVMNames @('chat-1', 'chat-2', 'tune-1')"
    ) in script


def test_address_space_is_what_vmware_and_nvidia_ask_for() -> None:
    """VMware's V100 article: two GPUs of 16 GB need 64; one window of an 80 GB GPU is 128."""
    sizes = [(16, 1, 32), (16, 2, 64), (80, 1, 256), (80, 2, 512), (80, 8, 2048)]
    for gibibytes, gpus, wanted in sizes:
        whole = SliceProfile("whole", "whole", 0.98 * gibibytes * GIB, 1, (0,), 1, 1)
        assert mmio_gib(Geometry("x/whole", "x", "whole", 1, (whole,)), gpus) == wanted


@pytest.mark.parametrize("name", NASTY)
def test_names_change_nothing_but_strings_in_scripts(name: str) -> None:
    """Without strings and comments the script is the same whatever people call things."""
    names = {"chat": name, "host-1": name, "search": name, "secret": f"{name} 2"}
    names["host-4"] = f"{name}{name}"
    script = powercli_script(_place(*ROWS, names=names), name)
    assert _check_powercli(script) == _check_powercli(powercli_script(PLACED))
    inside = re.findall(r"^Set-PlannedVM -Name '([^']*)'", script, re.MULTILINE)
    assert all(DNS_LABEL.fullmatch(one) for one in inside)  # so none is a wildcard
    assert _code(f"{powershell_string(name)}\n") == "''\n"


def test_real_geometries_have_types_for_vsphere() -> None:
    """By way of the catalogue: MIG slices of an H100 have the vGPU types of NVIDIA's table."""
    divided = geometry(load_catalogue(), "h100-sxm-80gb", "mig")
    script = powercli_script(_place(("a", divided, "2g.20gb", (0,))))
    assert "-Vgpu @('h100xm-2-20c')" in script
