"""The faults of the mail server, and what the web part takes for faults."""

from __future__ import annotations

import smtplib
import time

import pytest
import requests
from sandbox_driver import SECONDS, Box, letter

OFF = {"fail_next": 0, "code": 451, "fail_at": "any", "delay_seconds": 0, "close_after_data": 0}


def test_off_by_default_and_after_an_empty_put(box: Box) -> None:
    assert box.get("/faults").json()["mail"] == OFF
    box.faults(fail_next=3)
    assert box.faults().json()["mail"] == OFF


@pytest.mark.parametrize("code", [421, 451, 550])
def test_fail_next(box: Box, code: int) -> None:
    assert box.faults(fail_next=2, code=code).json()["mail"]["fail_next"] == 2
    for _ in range(2):
        with pytest.raises((smtplib.SMTPRecipientsRefused, smtplib.SMTPServerDisconnected)) as refused:
            box.send(letter())
        assert str(code) in str(refused.value)
    assert box.get("/faults").json()["mail"]["fail_next"] == 0
    box.send(letter())
    assert box.list()["total"] == 1


@pytest.mark.parametrize("code", [421, 451, 550])
def test_fail_at_data_only(box: Box, code: int) -> None:
    box.faults(fail_next=1, code=code, fail_at="data")
    with box.smtp() as client:
        with pytest.raises(smtplib.SMTPDataError) as refused:
            client.send_message(letter())
        assert refused.value.smtp_code == code
        if code != 421:
            client.send_message(letter())
    assert box.list()["total"] == (0 if code == 421 else 1)


def test_421_closes_the_connection(box: Box) -> None:
    box.faults(fail_next=1, code=421)
    with box.smtp() as client:
        client.ehlo()
        client.mail("a@t")
        assert client.rcpt("b@t")[0] == 421
        with pytest.raises(smtplib.SMTPServerDisconnected):
            client.noop()


def test_close_after_data_stores_but_does_not_answer(box: Box) -> None:
    box.faults(close_after_data=1)
    with pytest.raises(smtplib.SMTPServerDisconnected):
        box.send(letter(message_id="<1@t>"))
    box.send(letter(message_id="<1@t>"))
    assert box.get("/mail/summary").json() == {"deliveries": 2, "distinct_message_ids": 1}


def test_delay(box: Box) -> None:
    box.faults(delay_seconds=0.4)
    begin = time.monotonic()
    box.send(letter())
    assert time.monotonic() - begin >= 0.4


def test_faults_show_in_the_inbox(box: Box) -> None:
    assert "Faults are switched on" not in box.get("/mail").text
    box.faults(fail_next=1, code=550)
    assert "Faults are switched on" in box.get("/mail").text


@pytest.mark.parametrize(
    "body",
    [
        '{"mail": {"fail": 1}}',
        '{"bank": {}}',
        '{"mail": []}',
        "[]",
        "3",
        '{"mail": {"fail_next": -1}}',
        '{"mail": {"fail_next": true}}',
        '{"mail": {"fail_next": "1"}}',
        '{"mail": {"code": 250}}',
        '{"mail": {"code": 451.0}}',
        '{"mail": {"code": []}}',
        '{"mail": {"delay_seconds": NaN}}',
        '{"mail": {"delay_seconds": 1e9}}',
        '{"mail": {"fail_at": ["any"]}}',
        '{"mail": {"close_after_data": 0.5}}',
    ],
)
def test_nonsense_is_refused_and_changes_nothing(box: Box, body: str) -> None:
    box.faults(fail_next=3)
    response = requests.put(f"{box.url}/faults", data=body, timeout=SECONDS)
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert box.get("/faults").json()["mail"]["fail_next"] == 3


def test_no_json_at_all(box: Box) -> None:
    response = requests.put(f"{box.url}/faults", data="{", timeout=SECONDS)
    assert response.status_code == 400
    assert response.json()["code"] == "bad_request"
