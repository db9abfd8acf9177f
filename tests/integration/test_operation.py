"""What an operator sees of running services: metrics, alerts about them, and one payment's way through all logs."""

import json
import math
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from common.testing import eventually
from tests.harness.system import SERVICES, Business, System
from tests.integration import secrecy, story

pytestmark = pytest.mark.broker

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\bremit_[a-z_]+\b")
# What a sample is called besides its metric.
SUFFIXES = ("", "_bucket", "_count", "_sum")


@pytest.fixture
def remit(system: System) -> Business:
    return system.api().business()


def rules() -> list[str]:
    """The text of each rule: what stands there is plain enough to be read without a parser of YAML."""
    return (ROOT / "deploy" / "alerts.yml").read_text().split("- alert: ")[1:]


def scraped(system: System) -> str:
    """All that a Prometheus would see, of each web and worker."""
    addresses = [f"{system.url(service)}/metrics" for service in SERVICES]
    addresses += [f"http://127.0.0.1:{system.metrics_port(name)}/metrics" for name in system.names if "-worker" in name]
    return "\n".join(requests.get(address, timeout=10).text for address in addresses)


def samples(system: System, name: str) -> dict[tuple[str, ...], float]:
    """Label values → value, of one sample's name."""
    return {
        tuple(sample.labels.values()): sample.value
        for line in scraped(system).splitlines()
        if line.startswith((f"{name}{{", f"{name} "))
        for family in text_string_to_metric_families(line)
        for sample in family.samples
    }


def known(text: str) -> set[str]:
    """What has a sample: one that is only announced no rule can take."""
    names = re.findall(r"^(remit_\w+)[{ ]", text, re.MULTILINE)
    return {name.removesuffix(suffix) for name in names for suffix in SUFFIXES}


def test_every_metric_that_rules_and_manual_name_is_there(system: System, card: dict[str, Any]) -> None:
    named = {name for rule in rules() for name in NAME.findall(rule)}
    manual = set(NAME.findall((ROOT / "docs" / "operations.md").read_text()))
    assert len(named) >= 10
    assert {name.removesuffix("_bucket").removesuffix("_count") for name in named} <= manual, "it says what each means"
    eventually(lambda: (named | manual) <= known(scraped(system)), "each of them", 30)


def test_what_rules_take_increases_of_is_there_before_it_happens(system: System) -> None:
    """Or the first would be none: no sample before it, so no increase."""
    workers = {(name.partition("-worker")[0],) for name in system.names if "-worker" in name}
    for name in ("remit_drift_found_total", "remit_events_published_total", "remit_event_lag_seconds_count"):
        assert workers <= samples(system, name).keys(), name
    assert ("email", "failed", "notifications") in samples(system, "remit_jobs_total")


def test_each_web_counts_its_requests(system: System, remit: Business) -> None:
    remit.client("Ada")
    for service in SERVICES:
        remit.call("GET", service, "/clients")  # 404 where there is no such list: counted as well
        told = requests.get(f"{system.url(service)}/metrics", timeout=10).text
        assert re.search(rf'^remit_requests_total{{.*service="{service}"', told, re.MULTILINE), service


def test_each_rule_says_what_to_do_and_its_chapter_exists() -> None:
    manual = (ROOT / "docs" / "operations.md").read_text()
    anchors = {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", manual, re.MULTILINE)
    }
    for rule in rules():
        (chapter,) = re.findall(r"^ +runbook: docs/operations\.md#(\S+)$", rule, re.MULTILINE)
        assert chapter in anchors, f"no chapter #{chapter}: {rule}"
        assert re.search(r"^ +expr: ", rule, re.MULTILINE), rule
        assert re.search(r'^ +summary: "', rule, re.MULTILINE), rule


def test_what_waits_is_seen_while_the_broker_is_away(system: System, remit: Business) -> None:
    system.servers.broker.stop()
    try:
        remit.client("Ada", "ada-waits@example.com")
        eventually(lambda: samples(system, "remit_outbox_waiting")["billing",] >= 1, "the gauge", 40)
        eventually(lambda: samples(system, "remit_outbox_oldest_seconds")["billing",] > 0, "its age", 40)
        eventually(lambda: math.isnan(samples(system, "remit_queue_depth")["billing",]), "no depth", 40)
    finally:
        system.servers.broker.start()
    eventually(lambda: samples(system, "remit_outbox_waiting")["billing",] == 0, "the gauge", 60)
    eventually(system.is_quiet, "nothing under way", 60)


@pytest.fixture
def card(remit: Business) -> dict[str, Any]:
    """A payment by card, told by its webhook, receipt and all."""
    assert remit.call("PUT", "gateway-stripe", "/stripe", json={"mode": "test", **story.TEST_KEYS}).status_code == 200
    settings = "/stripe"
    eventually(
        lambda: remit.call("GET", "gateway-stripe", settings).json()["test_webhook"]["state"] == "ready", "the webhook"
    )
    client = remit.client("Cora", f"{remit.id}@operation.example")
    wanted = {"client_id": client["id"], "amount_minor": 4500}
    begun = remit.call("POST", "gateway-stripe", "/stripe/payment-intents", json=wanted).json()
    story.confirm_as_browser(remit, begun)
    eventually(lambda: remit.balance(client["id"]) == 4500, "the balance")
    return client


def lines(system: System, name: str) -> Iterator[dict[str, Any]]:
    for line in system.log(name).splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def test_one_payment_has_one_correlation_id_in_every_service(
    system: System, remit: Business, card: dict[str, Any]
) -> None:
    eventually(
        lambda: system.sql("notifications", "SELECT 1 FROM outbox WHERE business_id = %s", remit.id), "EmailSent"
    )
    eventually(system.is_quiet, "nothing under way")
    (told,) = system.sql(
        "gateway-stripe",
        "SELECT body FROM outbox WHERE business_id = %s AND type = 'GatewayPaymentSucceeded'",
        remit.id,
    )
    correlation = json.loads(told[0])["correlationid"]
    found = {
        (service, event_type)
        for service in ("gateway-stripe", "payments", "billing", "notifications")
        for event_type, body in system.sql(
            service, "SELECT type, body FROM outbox WHERE business_id = %s", remit.id
        )
        if json.loads(body)["correlationid"] == correlation
    }  # fmt: skip
    assert found >= {
        ("gateway-stripe", "GatewayPaymentSucceeded"),
        ("payments", "PaymentRecorded"),
        ("billing", "BalanceChanged"),
        ("notifications", "EmailSent"),
    }, found

    def mentions(name: str) -> list[str]:
        return [line["event"] for line in lines(system, name) if correlation in json.dumps(line)]

    assert "answered" in mentions("gateway-stripe-web"), "Stripe's webhook"
    assert "job done" in mentions("gateway-stripe-worker"), "its translation"
    assert "events handled" in mentions("payments-worker")
    assert "events handled" in mentions("billing-worker") + mentions("billing-worker-2")
    assert {"events handled", "job done"} <= set(mentions("notifications-worker")), "the receipt"
    webhook = [line for line in lines(system, "gateway-stripe-web") if line.get("correlation_id") == correlation]
    assert {(line["route"], line["service"]) for line in webhook} == {
        ("/webhooks/stripe/<string:business_id>", "gateway-stripe")
    }


def test_the_support_bundle_tells_how_it_is_and_nothing_of_anybody(
    system: System, card: dict[str, Any], tmp_path: Path
) -> None:
    eventually(system.is_quiet, "nothing under way")
    (tmp_path / "logs").mkdir()
    for name in system.names:
        (tmp_path / "logs" / f"{name}.log").write_text(system.log(name))
    said = system.command("support-bundle", "--to", str(tmp_path), "--given", str(tmp_path))
    (path,) = tmp_path.glob("support-*.tar.gz")
    with tarfile.open(path) as archive:
        files = {
            member.name.partition("/")[2]: archive.extractfile(member).read().decode()  # type: ignore[union-attr]
            for member in archive.getmembers()
        }
    assert str(path) in said
    for service in SERVICES:
        told = json.loads(files[f"services/{service}.json"])
        assert told["readyz"]["status"] == "ready"
        assert told["database"]["status"]["outbox_waiting"] == 0
        assert told["database"]["rows"]["inbox"] > 0
    for service in ("payments", "billing", "gateway-stripe"):
        assert "remit_requests_total" in files[f"metrics/{service}-web.txt"]
    assert '"answered"' in files["logs/billing-web.log"]
    assert json.loads(files["queues.json"]) == dict.fromkeys(SERVICES, 0)

    keys = [json.loads(key.read_text()) for key in (system.folder / "keys").glob("*.key.json")]
    secrets = {secret for key in keys for secret in (key.get("d"), *key.get("keys", {}).values()) if secret}
    secrets |= {story.TEST_KEYS["test_secret_key"], card["name"], card["email"], system.token()}
    secrets |= {email for (email,) in system.sql("billing", "SELECT email FROM clients WHERE email IS NOT NULL")}
    assert len(secrets) > 10
    for name, text in files.items():
        assert not secrecy.SECRET.search(text), name
        assert not [secret for secret in secrets if re.search(rf"(?<!\w){re.escape(secret)}(?!\w)", text)], name
        assert not re.search(r"[\w.+-]+@[\w-]+\.[a-z]{2,}", text), name


def test_calls_and_lag_are_counted(system: System, card: dict[str, Any]) -> None:
    assert samples(system, "remit_gateway_call_seconds_count")["stripe", "ok"] >= 1
    assert samples(system, "remit_event_lag_seconds_count")["payments",] >= 1
    assert samples(system, "remit_events_published_total")["gateway-stripe",] >= 1
    assert samples(system, "remit_facts_waiting") == {("payments",): 0}
