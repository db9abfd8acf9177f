"""Broken, hostile and merely odd messages are kept and shown without harm."""

from __future__ import annotations

from email.message import EmailMessage

import pytest
from sandbox_driver import Box, letter

NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(1500)
)
ODD = {
    "empty": b"",
    "no headers": b"\r\njust text\r\n",
    "headers only": b"Subject: x\r\n",
    "no boundary": b"Content-Type: multipart/mixed\r\n\r\ntext\r\n",
    "boundary never closed": b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\n\r\nhalf\r\n',
    "bad base64": b"Content-Transfer-Encoding: base64\r\n\r\n!!!=a=b\r\n",
    "bad encoded word": b"Subject: =?utf-8?b?!!!?= =?nope?q?=zz?= =?utf-8?b?w?=\r\n\r\nx\r\n",
    "raw 8-bit headers": b"Subject: \xff\xfe caf\xc3\xa9\r\nMessage-ID: <\xe4>\r\nFrom: \xe4@t\r\n\r\n\xff",
    "unknown charset": b'Content-Type: text/plain; charset="x-no\\"pe"\r\n\r\n\xe4\r\n',
    "codec that is no text": b"Content-Type: text/plain; charset=hex\r\n\r\nzz\r\n",
    "nul charset": b'Content-Type: text/plain; charset="a\x00b"\r\n\r\nzz\r\n',
    "utf-7 surrogates": b"Subject: =?utf-7?q?+2AA-?=\r\nContent-Type: text/plain; charset=utf-7\r\n\r\n+2AA-",
    "bad content type": b"Content-Type: ;;;/=\r\n\r\nx\r\n",
    "html as content type": b"Content-Type: <b>/<script>; name=x\r\n\r\nx\r\n",
    "bad rfc 2231": b"Content-Disposition: attachment; filename*1*=x; filename*=a'b; filename*x*=''%zz",
    "name in encoded words": b'Content-Disposition: attachment; filename="=?utf-8?q?a=0D=0Ab=2F..=2Fc?="',
    "name of dots": b'Content-Disposition: attachment; filename=".."\r\n\r\nx\r\n',
    "attached message that is none": b"Content-Type: message/rfc822\r\n\r\n",
    "external body": b"Content-Type: message/external-body\r\n\r\nx\r\n",
    "delivery status": b"Content-Type: message/delivery-status\r\n\r\nA: b\r\n\r\nC: d\r\n",
    "folded for ever": b"Subject: a\r\n" + b" b\r\n" * 100_000 + b"\r\nx\r\n",
    "nested for ever": NESTED,
    "address grammar": b'From: "a\\" <@@>, ;:<\r\nTo: group: ;, <x\r\nMessage-ID: [<<\r\n\r\nx\r\n',
}


@pytest.mark.parametrize("name", ODD)
def test_odd_messages_are_kept_and_shown(box: Box, name: str) -> None:
    box.running.store.add("a@t", ["b@t"], ODD[name])
    (item,) = box.list()["items"]
    assert box.get("/mail/messages/1/raw").content == ODD[name]
    assert box.get("/mail").status_code == 200
    assert box.get("/mail/messages/1/view").status_code == 200
    for attachment in item["attachments"]:
        assert not set(attachment["name"]) & set("/\\\r\n\t\0")
        assert attachment["name"].strip(".")
        response = box.get(attachment["url"])
        assert response.status_code == 200
        assert len(response.content) == attachment["size_bytes"]


def test_odd_messages_over_smtp(box: Box) -> None:
    box.send(ODD["raw 8-bit headers"])
    (item,) = box.list()["items"]
    assert item["subject"] == "\ufffd\ufffd café"


def test_recipient_that_is_not_utf8(box: Box) -> None:
    with box.smtp() as client:
        client.ehlo()
        client.mail("a@t")
        client.sock.sendall(b"RCPT TO:<\xff\xe4@t>\r\n")  # type: ignore[union-attr]
        code, _ = client.getreply()
        if code == 250:
            assert client.data(b"Subject: x\r\n\r\nx")[0] == 250
            assert len(box.list()["items"][0]["to"]) == 1
        else:
            assert code in (501, 553)


def test_encoded_line_breaks_do_not_inject(box: Box) -> None:
    box.send(
        b"Subject: =?utf-8?q?one=0D=0ASet-Cookie:_a=3Db=00?=\r\n"
        b'Content-Disposition: attachment; filename="=?utf-8?q?x=0D=0ASet-Cookie:_a=3Db?="\r\n\r\nx\r\n'
    )
    (item,) = box.list()["items"]
    assert item["subject"] == "one Set-Cookie: a=b"
    response = box.get(item["attachments"][0]["url"])
    assert "Set-Cookie" not in response.headers
    assert response.content.strip() == b"x"


def test_html_never_runs(box: Box) -> None:
    message = letter('<script>alert("s")</script>')
    html = '<a href="https://x.test">x</a><script>alert(1)</script><img src=x onerror=alert(2)>'
    message.add_alternative(html, subtype="html")
    box.send(message, '"<b>x</b>"@shop.test')
    for path in ("/mail", "/mail/messages/1/view", "/mail?q=<script>"):
        response = box.get(path)
        assert "<script" not in response.text, path
        assert "<b>" not in response.text, path
        assert "default-src 'none'" in response.headers["Content-Security-Policy"]
        assert "script-src" not in response.headers["Content-Security-Policy"]
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in box.get("/mail/messages/1/view").text
    response = box.get("/mail/messages/1/html")
    policy = [rule.strip().split() for rule in response.headers["Content-Security-Policy"].split(";")]
    rules = {rule[0]: rule[1:] for rule in policy}
    assert rules["default-src"] == ["'none'"]
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(rules["sandbox"])
    assert "script-src" not in rules
    assert response.headers["X-Content-Type-Options"] == "nosniff"


def test_attached_html_is_only_downloaded(box: Box) -> None:
    message = letter()
    message.add_attachment("<script>alert(1)</script>", subtype="html", filename="x.html")
    box.send(message)
    response = box.get("/mail/messages/1/attachments/1")
    assert response.headers["Content-Disposition"] == "attachment; filename=x.html"
    assert response.headers["Content-Security-Policy"].startswith("sandbox; default-src 'none'")


def test_inline_images_are_shown(box: Box) -> None:
    message = EmailMessage()
    message["Subject"] = "logo"
    message.set_content("text")
    message.add_alternative('<img src="cid:logo@t"><img src="cid:other">', subtype="html")
    message.get_payload()[1].add_related(b"\x89PNG", "image", "png", cid="<logo@t>")  # type: ignore[union-attr,index]
    box.send(message)
    html = box.get("/mail/messages/1/html").text
    assert 'src="data:image/png;base64,iVBORw=="' in html
    assert 'src="cid:other"' in html


def test_errors_and_searches_in_the_browser(box: Box) -> None:
    for number in range(30):
        box.send(letter(f"Nr. {number}"))
    first, second = box.get("/mail").text, box.get("/mail", page=2).text
    assert "Nr. 29" in first
    assert "Nr. 3<" not in first
    assert "Nr. 3<" in second
    assert "Page 2 of 2" in second
    assert "1 message matching" in box.get("/mail", q="nR. 17").text
    assert "30 messages matching" in box.get("/mail", q="ANNA@").text
    assert "Page 2 of 2" in box.get("/mail", page=999).text
    assert box.get("/mail", page="x").status_code == 200
