"""What is shipped to run the service fits the service: options, settings, ports and limits that it has."""

from __future__ import annotations

import ast
import dataclasses
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from stylesearch.serving.metrics import ServiceMetrics
from stylesearch.serving.server.supervisor import KILL_SECONDS
from stylesearch.serving.settings import (
    ENVIRONMENT_PREFIX,
    KEY_VARIABLES,
    ServiceSettings,
    load_service_settings,
)
from stylesearch.settings import Settings

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
UNIT = (ROOT / "deploy" / "stylesearch.service").read_text(encoding="utf-8")
REPLICAS = (ROOT / "deploy" / "nginx-replicas.conf").read_text(encoding="utf-8")
NGINX = (ROOT / "deploy" / "nginx.conf").read_text(encoding="utf-8")
KUBERNETES = {path.name: path for path in sorted((ROOT / "deploy" / "kubernetes").glob("*.yaml"))}
ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
DASHBOARD = (ROOT / "deploy" / "grafana" / "stylesearch.json").read_text(encoding="utf-8")
GUIDE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
DEFAULTS = ServiceSettings()


def commands() -> list[list[str]]:
    """Every call of ``stylesearch`` in these files."""
    started = re.findall(r"^ExecStart=\S+/stylesearch (.*)$", UNIT, re.MULTILINE)
    composed = re.findall(r"^ +command: (.*)$", COMPOSE, re.MULTILINE)
    in_image = re.findall(r"^CMD (.*)$", DOCKERFILE, re.MULTILINE)
    return [*map(shlex.split, started), *map(ast.literal_eval, [*composed, *in_image])]


def test_no_flag_wins_over_what_an_operator_sets_in_the_environment() -> None:
    in_unit, of_upgrade, in_image = commands()  # all else in compose starts what the image does
    assert in_unit == in_image == ["serve"]
    assert of_upgrade == ["db", "upgrade"]


def as_systemd_starts_it(file: dict[str, str], home: Path) -> ServiceSettings:
    """The unit's settings, with an environment file and a workspace of one's own."""
    lines = re.findall(r"^Environment=(.*)$", UNIT, re.MULTILINE)
    in_unit = dict(pair.split("=", 1) for line in lines for pair in shlex.split(line))
    assert re.findall(r"^EnvironmentFile=(.*)$", UNIT, re.MULTILINE) == ["-/etc/stylesearch/environment"]
    return load_service_settings({}, {**in_unit, **file}, home=home)  # of systemd the file wins


def test_the_environment_file_of_systemd_sets_what_the_guide_says(tmp_path: Path) -> None:
    plain = as_systemd_starts_it({}, tmp_path)
    assert plain == dataclasses.replace(DEFAULTS, trusted_proxies=("127.0.0.1",))
    (block,) = re.findall(r"(?:^    STYLESEARCH_[A-Z_]+=\S+\n)+", GUIDE, re.MULTILINE)
    file = dict(line.strip().split("=", 1) for line in block.splitlines())
    assert set(file) >= {"STYLESEARCH_API_KEY", "STYLESEARCH_SERVE_ALLOWED_HOSTS"}
    file |= {
        "STYLESEARCH_API_KEY": "a-key-that-is-long-enough",
        "STYLESEARCH_SERVE_TRUSTED_PROXIES": "10.0.0.1",
    }
    (tmp_path / "config.toml").write_text('[serve]\nallowed_hosts = ["file.example"]\nworkers = 3\n')
    own = as_systemd_starts_it(file, tmp_path)
    assert own.api_keys == ("a-key-that-is-long-enough",)
    assert own.allowed_hosts == (file["STYLESEARCH_SERVE_ALLOWED_HOSTS"],)
    assert own.rate_limit == int(file["STYLESEARCH_SERVE_RATE_LIMIT"])
    assert own.trusted_proxies == ("10.0.0.1",)
    assert own.workers == 3, "nothing stands in the way of the workspace's own settings"


def test_the_image_installs_extras_that_there_are() -> None:
    setup = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    keywords = [node for node in ast.walk(setup) if isinstance(node, ast.keyword)]
    (given,) = [keyword for keyword in keywords if keyword.arg == "extras_require"]
    assert isinstance(given.value, ast.Dict)
    extras = {ast.literal_eval(key) for key in given.value.keys if key is not None}
    wanted = re.findall(r"extras=([\w,]+)", DOCKERFILE)
    assert len(wanted) == 2
    for names in wanted:
        assert set(names.split(",")) <= extras


def test_what_the_command_asks_for_is_what_the_extra_installs() -> None:
    from stylesearch.cli.serve import LIBRARIES

    setup = ast.parse((ROOT / "setup.py").read_text(encoding="utf-8"))
    (served,) = [
        ast.literal_eval(node.value)
        for node in setup.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "SERVE"
    ]
    installed = {re.split(r"[^\w-]", requirement)[0].replace("-", "_") for requirement in served}
    assert set(LIBRARIES) <= installed


def test_the_image_is_built_from_all_that_installing_reads() -> None:
    kept = re.findall(r"^!(\S+)$", (ROOT / ".dockerignore").read_text(encoding="utf-8"), re.MULTILINE)
    assert all((ROOT / name).exists() for name in kept)
    setup = (ROOT / "setup.py").read_text(encoding="utf-8")
    folders = {"stylesearch/", "cli/", "migrations/"}
    assert {"setup.py", "pyproject.toml", "constraints.txt", *folders} <= set(kept)
    assert set(re.findall(r'"(\w+(?:\.md)?)"\)?\.read_text|license_files=\["(\w+)"\]', setup)) >= {
        ("README.md", ""),
        ("", "LICENSE"),
    }
    assert {"README.md", "LICENSE"} <= set(kept)


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_installing_goes_on_where_the_files_of_persons_cannot_be_fetched(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    (line,) = [line for line in text.splitlines() if "stylesearch weights fetch" in line]
    assert re.search(r"weights fetch --quiet\s+\|\|\s+echo .* >&2$", line)


def test_no_volume_hides_the_files_of_persons_in_the_image() -> None:
    (shipped,) = re.findall(r"STYLESEARCH_SHIPPED=(\S+)", DOCKERFILE)
    fetching = DOCKERFILE[DOCKERFILE.rindex("\nRUN", 0, DOCKERFILE.index("stylesearch weights fetch")) :]
    assert "STYLESEARCH_CACHE=$STYLESEARCH_SHIPPED stylesearch weights fetch" in fetching
    volumes = re.findall(r"^ +- \w+:(/\S+)$", COMPOSE, re.MULTILINE)
    volumes += re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE)
    volumes += re.findall(r"^ +- (/tmp)$", COMPOSE, re.MULTILINE)
    assert "/var/cache/stylesearch" in volumes
    assert not any(Path(shipped).is_relative_to(folder) for folder in volumes)


def test_what_runs_in_the_image_is_no_administrator_and_no_shell() -> None:
    last = DOCKERFILE.split("\nFROM ")[-1]
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert "g++" not in last
    assert re.search(r'^ENTRYPOINT \["stylesearch"\]$', last, re.MULTILINE)


@pytest.mark.parametrize(
    "text",
    [DOCKERFILE, COMPOSE, UNIT, GUIDE, "".join(path.read_text("utf-8") for path in KUBERNETES.values())],
    ids=["image", "compose", "unit", "guide", "kubernetes"],
)
def test_every_variable_is_one_that_is_read(text: str) -> None:
    settings = {field.name for field in dataclasses.fields(Settings)}
    folders = {"STYLESEARCH_CACHE", "STYLESEARCH_SHIPPED"}
    known = {f"STYLESEARCH_{name.upper()}" for name in settings} | folders | set(KEY_VARIABLES)
    known |= {ENVIRONMENT_PREFIX + field.name.upper() for field in dataclasses.fields(ServiceSettings)}
    named = set(re.findall(r"\bSTYLESEARCH_[A-Z_]+[A-Z]\b", text))
    assert named
    assert named - known <= {"STYLESEARCH_SERVE_NAME", "STYLESEARCH_SERVE"}


def test_all_mean_the_same_port() -> None:
    port = str(DEFAULTS.port)
    assert re.findall(r"^EXPOSE (\d+)$", DOCKERFILE, re.MULTILINE) == [port]
    assert re.findall(r"http://127.0.0.1:(\d+)/health", DOCKERFILE) == [port]
    assert re.findall(rf"{ENVIRONMENT_PREFIX}PORT=(\d+)", DOCKERFILE) == [port]
    assert re.findall(r'- "([\d.:]+)"', COMPOSE) == [f"127.0.0.1:{port}:{port}", "127.0.0.1:8080:8080"]
    assert re.findall(r"server (\S+) max_fails", REPLICAS) == [f"replica:{port}"]
    assert re.findall(r"listen (\d+);", REPLICAS) == ["8080"]
    assert as_systemd_starts_it({}, Path("none")).port == DEFAULTS.port
    assert re.findall(r"server (\S+);", NGINX) == [f"127.0.0.1:{port}"]


def test_what_is_in_front_gives_the_service_its_time_and_its_bytes() -> None:
    for text in (NGINX, REPLICAS):
        megabytes, of_bulk = re.findall(r"client_max_body_size (\d+)m;", text)
        assert int(megabytes) * 2**20 >= DEFAULTS.max_bytes
        assert int(of_bulk) * 2**20 >= DEFAULTS.bulk_max_bytes
        (reading,) = re.findall(r"proxy_read_timeout (\d+)s;", text)
        assert int(reading) > DEFAULTS.timeout
    in_compose, _ = re.findall(r"stop_grace_period: (\d+)s", COMPOSE)  # the other is PostgreSQL's
    (in_unit,) = re.findall(r"^TimeoutStopSec=(\d+)$", UNIT, re.MULTILINE)
    (in_cluster,) = re.findall(
        r"terminationGracePeriodSeconds: (\d+)", KUBERNETES["deployment.yaml"].read_text("utf-8")
    )
    for seconds in (in_compose, in_unit, in_cluster):
        assert int(seconds) > DEFAULTS.shutdown_grace + KILL_SECONDS


@pytest.mark.parametrize("text", [NGINX, REPLICAS], ids=["one service", "replicas"])
def test_nginx_understands_its_file(text: str, tmp_path: Path) -> None:
    nginx = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    openssl = shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("nginx and openssl are needed to try the file; on Debian: apt-get install nginx openssl")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop.example"]
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    site = re.sub(r"(ssl_certificate\s+)\S+;", rf"\g<1>{certificate};", text)
    site = re.sub(r"(ssl_certificate_key\s+)\S+;", rf"\g<1>{key};", site)
    site = site.replace("server replica:", "server 127.0.0.1:")  # a name of the network of compose
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    folders = "".join(f"{kind}_temp_path {tmp_path / kind};" for kind in kinds)
    (tmp_path / "nginx.conf").write_text(
        f"pid {tmp_path / 'pid'}; error_log stderr; events {{}} http {{ access_log off; {folders} {site} }}"
    )
    tried = subprocess.run([nginx, "-t", "-c", tmp_path / "nginx.conf"], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr


def parsed(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(KUBERNETES[name].read_text(encoding="utf-8")))


def test_kustomize_takes_every_manifest_and_a_secret_that_nobody_commits() -> None:
    (kustomization,) = parsed("kustomization.yaml")
    listed = set(kustomization["resources"])
    assert listed - {"secret.yaml"} == KUBERNETES.keys() - {"kustomization.yaml", "secret.example.yaml"}
    assert "/deploy/kubernetes/secret.yaml" in (ROOT / ".gitignore").read_text(encoding="utf-8").split()
    named = {(one["kind"], one["metadata"]["name"]) for one in parsed("secret.example.yaml")}
    assert named == {("Secret", "stylesearch"), ("Secret", "stylesearch-api-keys")}


def pods() -> dict[str, dict[str, Any]]:
    (deployment,), (migration,), (ingest,) = map(parsed, ("deployment.yaml", "migration.yaml", "ingest.yaml"))
    nightly = ingest["spec"]["jobTemplate"]
    return {one["kind"]: one["spec"]["template"]["spec"] for one in (deployment, migration)} | {
        ingest["kind"]: nightly["spec"]["template"]["spec"]
    }


def test_pods_run_as_the_user_of_the_image_and_write_to_volumes_alone() -> None:
    for pod in pods().values():
        assert pod["securityContext"]["runAsUser"] == 10001
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"].keys() == {"memory"}
        mounted = {one["name"] for one in container["volumeMounts"]}
        assert mounted == {one["name"] for one in pod["volumes"]}
        assert {one["mountPath"] for one in container["volumeMounts"]} >= {
            *re.findall(r"^VOLUME (\S+)$", DOCKERFILE, re.MULTILINE),
            *re.findall(r"STYLESEARCH_CACHE=(\S+) \\", DOCKERFILE),
            "/tmp",
        }


def test_probes_ask_what_the_service_answers_on_its_port() -> None:
    from stylesearch.serving.middleware.product_paths import _FIXED

    (container,) = pods()["Deployment"]["containers"]
    assert [port["containerPort"] for port in container["ports"]] == [DEFAULTS.port]
    asked = {
        kind: container[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "liveness", "readiness")
    }
    assert asked == {"startup": "/health", "liveness": "/health", "readiness": "/ready"}
    assert set(asked.values()) <= set(_FIXED)


def series() -> set[str]:
    """Names of all series that the service gives to Prometheus."""
    metrics = ServiceMetrics()
    found = set()
    for one in metrics._registry.collect():
        suffixes = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"]}.get(one.type, [""])
        found |= {one.name + suffix for suffix in suffixes}
    return found


@pytest.mark.parametrize("text", [ALERTS, DASHBOARD], ids=["alerts", "dashboard"])
def test_every_metric_that_is_watched_is_one_of_the_service(text: str) -> None:
    if text is ALERTS:
        expressions = [rule["expr"] for rule in yaml.safe_load(ALERTS)["groups"][0]["rules"]]
    else:
        panels = json.loads(DASHBOARD)["panels"]
        expressions = [target["expr"] for panel in panels for target in panel["targets"]]
    named = set(re.findall(r"\bstylesearch_[a-z_]+", " ".join(expressions)))
    assert len(named) > 5
    assert named <= series()


def test_prometheus_understands_its_alerts() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is needed to try the alerts; on Debian: apt-get install prometheus")
    alerts = ROOT / "deploy" / "prometheus" / "alerts.yml"
    tried = subprocess.run([promtool, "check", "rules", alerts], capture_output=True, text=True)
    assert tried.returncode == 0, tried.stderr


def table_of_settings() -> dict[str, str]:
    rows = re.findall(r"^\| `(\w+)` \| ([^|]*) \|", GUIDE, re.MULTILINE)
    return {name: default.strip() for name, default in rows if name != "setting"}


def test_the_guide_has_every_setting_with_its_default() -> None:
    table = table_of_settings()
    assert list(table) == [field.name for field in dataclasses.fields(ServiceSettings)]
    for name, shown in table.items():
        default = getattr(DEFAULTS, name)
        if default in ("", ()):
            assert shown == "none", name
        elif isinstance(default, str):
            assert shown == f"`{default}`", name
        else:
            assert float(shown.replace(",", "")) == default, name


def test_the_guide_names_every_path_of_the_api() -> None:
    from stylesearch.serving.middleware.product_paths import _FIXED

    paths = set(_FIXED) | {
        "/v1/products/{id}",
        "/v1/products/{id}/similar",
        "/v1/images/{hash}",
        "/v1/images/{hash}/thumbnail",
    }
    assert {path for path in paths if f"`{path}`" not in GUIDE and f" {path}`" not in GUIDE} == set()
