"""Add Payments: what pasted text means, what is sent for it, what is said of it, and that it is recorded once."""

import json
from io import BytesIO
from typing import Any

import pytest

from portal.domain import seen, sheet
from services.portal.tests.others import Others

JSON = {"Accept": "application/json"}
PAGE = "/payments/add-many"
GOOD = {
    "row": 1, "client_id": "c1", "client_name": "Ada Lovelace", "amount_minor": 4500, "errors": [], "doubts": [],
    "duplicates": [], "repeats_row": None,
}  # fmt: skip
BATCH = {
    "batch_id": "b7", "batch_reference": None, "count": 3, "total_minor": 13500, "currency": "USD",
    "recorded_at": "2026-11-25T10:00:00Z", "recorded_by": "Sam Staff", "voided": 0, "voided_minor": 0, "left_count": 1,
    "left": [{"payment_id": "p2", "client_name": "Ada Lovelace", "amount_minor": 4500, "code": "payment_refunded",
              "detail": "Part of this payment was given back; refund the rest instead."}],
}  # fmt: skip
DUPLICATE = {
    "row": 1, "why": "same reference", "payment_id": "p9", "client_id": "c1", "amount_minor": 4500,
    "received_on": "2026-11-20", "reference": "R-1",
}  # fmt: skip


def found(*rows: dict[str, Any]) -> dict[str, Any]:
    numbered = [{**GOOD, **row, "row": number} for number, row in enumerate(rows, start=1)]
    return {"count": len(rows), "total_minor": 4500 * len(rows), "currency": "USD", "rows": numbered}


def row(*cells: str) -> list[str]:
    return [*cells, *[""] * (7 - len(cells))]


def send(visitor: Any, path: str, *rows: list[str], **data: str) -> Any:
    sent = {"attempt": "a1", **data, "rows": (BytesIO(json.dumps(rows).encode()), "rows.json")}
    return visitor.post(path, sent, page=PAGE, headers=JSON, content_type="multipart/form-data")


# --- reading ---


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("Ada\t45\tcash\t2026-03-01\tINV-1\tR-1\thello", ["Ada", "45", "cash", "2026-03-01", "INV-1", "R-1", "hello"]),
        ("Date\tName\tTotal\n2026-03-01\tAda\t45", row("Ada", "45", "", "2026-03-01")),
        ("client;amount\nAda;45", row("Ada", "45")),
        (
            'client,amount,memo\n"Lovelace, Ada",45,"two\nlines"',
            row("Lovelace, Ada", "45", "", "", "", "", "two\nlines"),
        ),
        ("Ada,45.00\nBob,50.00", row("Ada", "45.00")),
        ("Lovelace, Ada\nByron, George", row("Lovelace, Ada")),  # names, no table
        ("client,amount,memo\nAda,45,'+ tip", row("Ada", "45", "", "", "", "", "+ tip")),  # as it is exported
        ("Name\tAmount\tCurrency\nAda\t45\tEUR", row("Ada", "EUR 45")),  # not recorded as dollars
    ],
)
def test_pasted_text_is_understood(text: str, first: list[str]) -> None:
    assert sheet.read(text, "USD").rows[0] == first


def test_text_pasted_into_a_later_column_begins_there() -> None:
    assert sheet.read("45\tcash\r\n50\tcheck\r\n", "USD", 1).rows == [row("", "45", "cash"), row("", "50", "check")]
    named = sheet.read("Amount\tHow\tColour\n45\tcash\tred", "USD", 3)
    assert (named.rows, named.has_header, named.left_out) == ([row("", "45", "cash")], True, ["Colour"])


@pytest.mark.parametrize(
    ("dates", "read"),
    [
        (["3/1/2026", "3/14/2026"], ["2026-03-01", "2026-03-14"]),
        (["3/1/2026", "14/3/2026"], ["2026-01-03", "2026-03-14"]),
        (["3/1/2026", "4/4/2026"], ["3/1/2026", "2026-04-04"]),  # may mean either: not guessed
        (["3/14/2026", "14/3/2026", "3/1/2026"], ["2026-03-14", "2026-03-14", "3/1/2026"]),
        (["31.01.2026", "1 Mar 2026", "Mar 1, 2026"], ["2026-01-31", "2026-03-01", "2026-03-01"]),
        (["31/31/2026", "soon"], ["31/31/2026", "soon"]),
    ],
)
def test_dates_are_read_when_they_mean_one_day(dates: list[str], read: list[str]) -> None:
    rows = sheet.read("\n".join(f"Ada\t1\tcash\t{date}" for date in dates), "USD").rows
    assert [cells[3] for cells in rows] == read


@pytest.mark.parametrize(
    ("typed", "currency", "plain"),
    [
        ("$1,234.50", "USD", "1234.50"), ("45 USD", "USD", "45"), ("1.234,50", "USD", "1.234,50"),
        ("45,00", "USD", "45,00"),
        ("1,234", "KWD", "1,234"), ("€45", "USD", "€45"), ("(45)", "USD", "(45)"), ("12,34.00", "USD", "12,34.00"),
    ],
)  # fmt: skip
def test_amounts_lose_their_decoration_and_nothing_else(typed: str, currency: str, plain: str) -> None:
    assert sheet.plain_amount(typed, currency) == plain


def test_files_are_read_however_they_were_saved() -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "cp1252"):
        assert sheet.decode("Béla\t45".encode(encoding)) == "Béla\t45"


def test_blank_rows_are_left_out_and_defaults_filled_in() -> None:
    rows = [row("Ada", "$1,000", "bank"), row(), row("Bob", "5")]
    body, places = sheet.as_csv(rows, "USD", "cash", "2026-03-01")
    assert places == [0, 2]
    assert body.decode().splitlines()[1:] == ["Ada,1000,bank_transfer,2026-03-01,,,", "Bob,5,cash,2026-03-01,,,"]


@pytest.mark.parametrize(
    ("deposit", "words"),
    [(9000, "match the deposit of $90.00"), (8000, "over the deposit of $80.00 by $10.00"),
     (10000, "under the deposit of $100.00 by $10.00")],
)  # fmt: skip
def test_the_deposit_is_told_in_words(deposit: int, words: str) -> None:
    assert words in seen.deposit_words(9000, deposit, "USD")[1]


# --- the screen ---


def test_the_page_needs_one_call_and_is_the_staffs(portal: Any, others: Others) -> None:
    page = portal.staff().get(PAGE)
    assert page.status_code == 200
    assert 'aria-label="Row 1, Client"' in page.text
    assert 'calls;desc="1"' in page.headers["Server-Timing"]
    assert portal.client().get(PAGE).status_code == 404


def test_rows_are_checked_and_each_is_told_of(portal: Any, others: Others) -> None:
    unknown = {"field": "client", "message": "there is no client 'x'", "row": 2, "code": "client_unknown"}
    twins = {
        "field": "client", "message": "fits 2", "row": 3, "code": "client_ambiguous",
        "candidates": [{"client_id": "s1", "name": "Sam Twin", "external_ref": "C-7"}],
    }  # fmt: skip
    nobody = {"client_id": None, "client_name": None}
    doubt = {"field": "invoice_number", "message": "INV-3 is paid, and asks for nothing", "code": "invoice_paid"}
    preview = found(
        {"duplicates": [DUPLICATE]}, {**nobody, "errors": [unknown]}, {**nobody, "errors": [twins]},
        {"repeats_row": 1}, {"doubts": [doubt]}, {},
    )  # fmt: skip
    others.tell("POST", "/payments/batch/preview", 200, preview)
    rows = [
        row("Ada", "45"),
        row(),
        row("x", "45"),
        row("Sam Twin", "45"),
        row("Ada", "45"),
        row("Ada", "1"),
        row("Ada", "2"),
    ]
    told = send(portal.staff(), f"{PAGE}/check", *rows, method="cash", deposit="270").json
    assert [one["row"] for one in told["rows"]] == [1, 3, 4, 5, 6, 7]  # as they stand in the grid
    assert [one["tone"] for one in told["rows"]] == ["wait", "bad", "bad", "wait", "wait", "good"]
    assert told["rows"][0]["words"] == ["Recorded already? $45.00 on 20 Nov 2026, reference R-1."]
    assert "no client “x”" in told["rows"][1]["words"][0]
    assert told["rows"][2]["candidates"] == [{"id": "s1", "name": "Sam Twin", "note": "C-7"}]
    assert told["rows"][3]["words"] == ["The same as row 1?"]
    assert "credit" in told["rows"][4]["words"][0]
    assert "2 rows cannot be recorded yet. Row 3:" in told["say"]
    assert told["deposit"]["tone"] == "good"
    asked = others.last("/payments/batch/preview")
    assert (asked["claims"]["scope"], asked["key"]) == ("payments:read", None)


def test_nothing_is_asked_of_an_empty_grid(portal: Any, others: Others) -> None:
    told = send(portal.staff(), f"{PAGE}/check", row(), deposit="a lot").json
    assert (told["count"], told["say"]) == (0, "No rows yet.")
    assert told["deposit"]["tone"] == "bad"
    assert all(asked["path"] != "/payments/batch/preview" for asked in others.asked)
    refused = send(portal.staff(), PAGE, row())
    assert (refused.status_code, refused.json["detail"]) == (
        422, "There is nothing to record yet. Fill in a row, or paste a list.",
    )  # fmt: skip


def test_rows_are_recorded_once_by_whoever_sends_them(portal: Any, others: Others) -> None:
    others.tell("POST", "/payments/batch", 201, {"batch_id": "b7"})
    sam = portal.staff()
    taken = send(sam, PAGE, row("Ada", "45"), method="cash", received_on="2026-03-01", deposit="$45.00")
    assert taken.json == {"go_to": f"{PAGE}/b7?said=payments_recorded"}
    asked = others.last("/payments/batch")
    assert asked["query"] == {"check_repeats": "true", "expected_total_minor": "4500"}
    assert asked["claims"]["actor"]["name"] == "Sam Staff"
    first = asked["key"]
    send(sam, PAGE, row("Ada", "45"), method="cash", received_on="2026-03-01", deposit="$45.00")
    assert others.last("/payments/batch")["key"] == first
    send(sam, PAGE, row("Ada", "45"), method="cash", received_on="2026-03-01", allow_duplicates="yes")
    assert others.last("/payments/batch")["query"] == {"check_repeats": "true", "allow_duplicates": "true"}
    assert others.last("/payments/batch")["key"] != first


@pytest.mark.parametrize(
    ("status", "code", "more", "words"),
    [
        (409, "probable_duplicates", {}, "Record all the same"),
        (422, "total_mismatch", {"total_minor": 4500}, "The rows are under the deposit of $50.00 by $5.00."),
        (422, "client_unknown", {}, "Put the rows right that are marked"),
    ],
)
def test_a_refusal_is_told_with_the_rows(
    portal: Any, others: Others, status: int, code: str, more: dict[str, Any], words: str
) -> None:
    others.tell("POST", "/payments/batch", status, {"code": code, "detail": "no", **more})
    others.tell("POST", "/payments/batch/preview", 200, found({"duplicates": [DUPLICATE]}))
    refused = send(portal.staff(), PAGE, row("Ada", "45"), deposit="50")
    assert refused.status_code == status
    assert words in refused.json["detail"]
    assert refused.json["rows"][0]["is_like"] is True


def test_silence_is_no_refusal(portal: Any, others: Others) -> None:
    others.tell("POST", "/payments/batch", 503, {"code": "busy", "detail": "no"})
    silent = send(portal.staff(), PAGE, row("Ada", "45"))
    assert silent.status_code == 503
    assert "cannot record them twice" in silent.json["detail"]


def test_pasted_text_and_files_come_back_as_rows(portal: Any) -> None:
    sam = portal.staff()
    read = sam.post(f"{PAGE}/read", {"pasted": "45\tcash\n50\tcash", "column": "1"}, page=PAGE, headers=JSON).json
    assert read["rows"] == [row("", "45", "cash"), row("", "50", "cash")]
    file = {"file": (BytesIO("client,amount\nBéla,45".encode("cp1252")), "x.csv")}
    read = sam.post(f"{PAGE}/read", file, page=PAGE, headers=JSON, content_type="multipart/form-data").json
    assert (read["rows"], read["has_header"]) == ([row("Béla", "45")], True)


def test_without_a_script_the_server_checks_and_shows(portal: Any, others: Others) -> None:
    unknown = {"field": "client", "message": "there is no client 'x'", "row": 2, "code": "client_unknown"}
    others.tell(
        "POST", "/payments/batch/preview", 200, found({}, {"errors": [unknown], "client_name": None, "client_id": None})
    )
    sam = portal.staff()
    page = sam.post(f"{PAGE}/check", {"attempt": "a1", "pasted": "Ada\t45\tcash\nx\t45\tcash"}, page=PAGE)
    assert page.status_code == 200
    assert "There is no client “x”" in page.text
    assert "x\t45\tcash" in page.text  # what was pasted is still there
    assert 'value="a1"' in page.text
    others.tell("POST", "/payments/batch", 422, {"code": "client_unknown", "detail": "no"})
    refused = sam.post(PAGE, {"attempt": "a1", "pasted": "Ada\t45\tcash\nx\t45\tcash"}, page=PAGE)
    assert (refused.status_code, "Nothing was recorded." in refused.text) == (422, True)
    others.tell("POST", "/payments/batch", 201, {"batch_id": "b7"})
    taken = sam.post(PAGE, {"attempt": "a1", "pasted": "Ada\t45\tcash"}, page=PAGE)
    assert (taken.status_code, taken.headers["Location"]) == (303, f"{PAGE}/b7?said=payments_recorded")


@pytest.mark.parametrize("sent", ["{}", "[[1]]", '[["a"]]', "no json"])
def test_rows_that_are_none_are_refused(portal: Any, others: Others, sent: str) -> None:
    data = {"rows": (BytesIO(sent.encode()), "rows.json")}
    refused = portal.staff().post(PAGE, data, page=PAGE, headers=JSON, content_type="multipart/form-data")
    assert refused.status_code == 422
    assert all(asked["path"] != "/payments/batch" for asked in others.asked)


def test_what_was_recorded_together_is_shown_and_undone(portal: Any, others: Others) -> None:
    others.tell("GET", "/payments/batch/b7", 200, BATCH)
    others.tell("POST", "/payments/batch/b7/undo", 200, {"voided": 2})
    sam = portal.staff()
    page = sam.get(f"{PAGE}/b7")
    assert "$135.00" in page.text
    assert "Undo all 2 payments" in page.text
    assert "1 has to stay" in page.text
    assert "Part of this payment was given back" in page.text
    undone = sam.post(f"{PAGE}/b7/undo", {}, page=f"{PAGE}/b7")
    assert undone.headers["Location"] == f"{PAGE}/b7?said=payments_undone"
    assert others.last("/payments/batch/b7/undo")["claims"]["actor"]["name"] == "Sam Staff"
    others.tell("GET", "/payments/batch/b7", 200, {**BATCH, "voided": 2, "voided_minor": 9000})
    assert "Undo all" not in sam.get(f"{PAGE}/b7").text
    assert portal.client().get(f"{PAGE}/b7").status_code == 404
