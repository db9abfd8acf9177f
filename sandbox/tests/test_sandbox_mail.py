"""Mail in through SMTP, out through JSON."""

from __future__ import annotations

import re
import smtplib
import socket
import threading
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
import requests
from sandbox_driver import SECONDS, Box, letter


def test_receive_and_show(box: Box) -> None:
    box.send(letter("Zahlung über 12 €", "Grüße\nAnna", "<1@pay.test>"), "Anna@Shop.test", "bob@shop.test")
    page = box.list()
    assert page["total"] == 1
    assert page["next_cursor"] is None
    (item,) = page["items"]
    assert set(item) == {
        "id",
        "received_at",
        "message_id",
        "from",
        "to",
        "subject",
        "text",
        "html",
        "attachments",
    }
    assert item["message_id"] == "<1@pay.test>"
    assert item["from"] == "Remit <remit@pay.test>"
    assert item["to"] == ["Anna@Shop.test", "bob@shop.test"]
    assert item["subject"] == "Zahlung über 12 €"
    assert item["text"] == "Grüße\nAnna\n"
    assert item["html"] is None
    assert item["attachments"] == []
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", item["received_at"])
    assert abs((datetime.now(UTC) - datetime.fromisoformat(item["received_at"])).total_seconds()) < 60
    assert box.get(f"/mail/messages/{item['id']}").json() == item


def test_raw_is_what_was_sent(box: Box) -> None:
    raw = b"Subject: dots\r\n\r\n.\r\n..two\r\n\xe4 8-bit\r\n"
    box.send(raw)
    response = box.get(f"/mail/messages/{box.list()['items'][0]['id']}/raw")
    assert response.content == raw
    assert response.headers["Content-Type"] == "message/rfc822"
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_same_message_id_is_stored_each_time(box: Box) -> None:
    for number in ("<1@t>", "<1@t>", "<2@t>"):
        box.send(letter(message_id=number))
    box.send(letter(message_id="<3@t>"), "bob@shop.test")
    assert box.get("/mail/summary").json() == {"deliveries": 4, "distinct_message_ids": 3}
    for to, deliveries, distinct in (("ANNA@shop.test", 3, 2), ("none@shop.test", 0, 0)):
        expected = {"deliveries": deliveries, "distinct_message_ids": distinct}
        assert box.get("/mail/summary", to=to).json() == expected
    assert box.list(message_id="<1@t>")["total"] == 2
    assert box.list(message_id="2@t")["total"] == 1


def test_filters(box: Box) -> None:
    box.send(letter("Überweisung 100%"), "anna@shop.test", "ANNA@shop.test")
    box.send(letter("Refund"), "annabel@shop.test")
    assert [i["subject"] for i in box.list(to="Anna@SHOP.test")["items"]] == ["Überweisung 100%"]
    assert box.list(to="anna")["total"] == 0
    assert box.list(subject="überweisung")["total"] == 1
    assert box.list(subject="100%")["total"] == 1
    assert box.list(subject="%")["total"] == 1
    assert box.list(to="annabel@shop.test", subject="refund")["total"] == 1
    assert box.list(to="annabel@shop.test", subject="100")["total"] == 0
    assert box.list(to="' OR 1=1 --")["total"] == 0


def test_paging_is_stable_while_mail_arrives(box: Box) -> None:
    for number in range(5):
        box.send(letter(f"n{number}"))
    first = box.list(limit=2, to="anna@shop.test")
    box.send(letter("later"))
    second = box.list(limit=2, cursor=first["next_cursor"], to="anna@shop.test")
    third = box.list(limit=2, cursor=second["next_cursor"])
    subjects = [item["subject"] for page in (first, second, third) for item in page["items"]]
    assert subjects == ["n4", "n3", "n2", "n1", "n0"]
    assert third["next_cursor"] is None
    assert third["total"] == 6


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "limit=x",
        "limit=-1",
        "cursor=abc",
        "cursor=0",
        "limit=99999999999999999999",
        "cursor=%D9%A3",
    ],
)
def test_bad_paging_is_refused(box: Box, query: str) -> None:
    response = box.get(f"/mail/messages?{query}")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"
    assert set(response.json()) == {"type", "title", "status", "code", "detail"}


def test_empty_the_box_and_never_reuse_ids(box: Box) -> None:
    box.send(letter())
    old = box.list()["items"][0]["id"]
    assert requests.delete(f"{box.url}/mail/messages", timeout=SECONDS).status_code == 204
    assert box.list() == {"items": [], "next_cursor": None, "total": 0}
    box.send(letter())
    assert box.list()["items"][0]["id"] > old
    assert box.get(f"/mail/messages/{old}").status_code == 404


def test_several_connections_at_once(box: Box) -> None:
    def sender(name: int) -> None:
        with box.smtp() as client:
            for number in range(20):
                message = letter(message_id=f"<{name}.{number}@t>")
                client.send_message(message, to_addrs=["anna@shop.test"])

    threads = [threading.Thread(target=sender, args=(name,)) for name in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert box.get("/mail/summary").json() == {"deliveries": 100, "distinct_message_ids": 100}


def test_large_messages(box: Box) -> None:
    line = b"x" * 74 + b"\r\n"
    fits = b"Subject: big\r\n\r\n" + line * (24 * 1024 * 1024 // len(line))
    box.send(fits)
    assert box.running.store.raw(1) == fits
    # The client announces the size, so MAIL is refused; a client that does not is refused after DATA.
    with pytest.raises(smtplib.SMTPSenderRefused) as refused:
        box.send(fits + line * 20000)
    assert refused.value.smtp_code == 552
    with box.smtp() as client:
        client.ehlo()
        client.mail("remit@pay.test")
        client.rcpt("anna@shop.test")
        assert client.data(fits + line * 20000)[0] == 552
    assert box.list(limit=1)["total"] == 1


def test_empty_sender_of_a_bounce(box: Box) -> None:
    with box.smtp() as client:
        client.sendmail("", ["anna@shop.test"], b"Subject: bounce\r\n\r\nx")
    mail = box.running.store.get(1)
    assert mail is not None
    assert mail.envelope_from == ""
    assert box.get("/mail/messages/1/view").status_code == 200


def test_connection_lost_during_data_stores_nothing(box: Box) -> None:
    with socket.create_connection((box.running.smtp_host, box.running.smtp_port), timeout=SECONDS) as raw:
        for line in (b"EHLO x", b"MAIL FROM:<a@t>", b"RCPT TO:<b@t>", b"DATA", b"Subject: half"):
            raw.sendall(line + b"\r\n")
            if line != b"Subject: half":
                raw.recv(4096)
    box.send(letter("whole"))
    assert [item["subject"] for item in box.list()["items"]] == ["whole"]


def test_attachments(box: Box) -> None:
    message = letter()
    message.add_alternative("<p>Hallo</p>", subtype="html")
    message.add_attachment(b"%PDF-1", maintype="application", subtype="pdf", filename="Rechnung März €.pdf")
    message.add_attachment("a;b\n", subtype="csv", filename='..\\..\\etc/pa"ss\twd.csv')
    inner = EmailMessage()
    inner["Subject"] = "inner"
    inner.set_content("forwarded")
    message.add_attachment(inner)
    box.send(message)
    (item,) = box.list()["items"]
    assert item["text"] == "Hello.\n"
    assert item["html"] == "<p>Hallo</p>\n"
    pdf, csv, forwarded = item["attachments"]
    assert pdf == {
        "name": "Rechnung März €.pdf",
        "content_type": "application/pdf",
        "size_bytes": 6,
        "url": f"/mail/messages/{item['id']}/attachments/1",
    }
    assert csv["name"] == 'pa"ss wd.csv'
    assert forwarded["name"] == "attachment-3.eml"
    response = box.get(pdf["url"])
    assert response.content == b"%PDF-1"
    assert response.headers["Content-Type"] == "application/pdf"
    disposition = response.headers["Content-Disposition"]
    assert disposition.startswith("attachment;")
    assert "filename*=UTF-8''Rechnung%20M%C3%A4rz%20%E2%82%AC.pdf" in disposition
    assert b"forwarded" in box.get(forwarded["url"]).content
    assert box.get(f"/mail/messages/{item['id']}/attachments/4").status_code == 404
    assert box.get(f"/mail/messages/{item['id']}/attachments/0").status_code == 404


def test_unknown_things_are_problems(box: Box) -> None:
    for path in (
        "/mail/messages/1",
        "/mail/messages/99999999999999999999999",
        "/mail/messages/1/raw",
        "/mail/messages/1/view",
        "/mail/messages/1/html",
        "/nowhere",
    ):
        response = box.get(path)
        assert response.status_code == 404, path
        assert response.json()["code"] == "not_found"
    wrong = requests.post(f"{box.url}/mail/messages", timeout=SECONDS)
    assert wrong.status_code == 405
    assert wrong.json()["code"] == "method_not_allowed"
    assert "GET" in wrong.headers["Allow"]
    assert box.get("/healthz").json() == {"status": "ok"}
