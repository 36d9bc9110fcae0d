"""The webhook, against a real server on loopback."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from bedside.delivery.transport import InOrder, LinkNews
from bedside.delivery.webhook import Webhook
from bedside.errors import DeliveryError
from tests.delivery.server import Server
from tests.delivery.wire import Wire, an_alert

KEY = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def server() -> Iterator[Server]:
    with contextlib.closing(Server()) as server:
        yield server


def test_an_alert_is_posted_with_a_signature_that_its_receiver_can_check(server: Server) -> None:
    alert = an_alert("ab12cd34")
    Webhook(server.url, KEY).send(alert)
    [(headers, body)] = server.posts
    at_s, v1 = (part.split("=")[1] for part in headers["Bedside-Signature"].split(","))
    expected = hmac.new(KEY, at_s.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert v1 == expected
    content = json.loads(body)
    assert (content["id"], content["sms"]) == ("ab12cd34", alert.message())


def test_every_attempt_of_one_contacts_turn_has_one_idempotency_key(server: Server) -> None:
    webhook, alert = Webhook(server.url, KEY), an_alert("ab12cd34")
    again = replace(alert, still_active=True)
    for each in (alert, again, replace(alert, contact=2), replace(alert, round=2)):
        webhook.send(each)
    keys = [headers["Idempotency-Key"] for headers, _ in server.posts]
    assert keys == ["ab12cd34-1-1", "ab12cd34-1-1", "ab12cd34-2-1", "ab12cd34-1-2"]


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 404, 429, 500, 503])
def test_any_answer_but_2xx_takes_nothing_and_no_redirect_is_followed(
    server: Server, status: int
) -> None:
    server.status = status
    with pytest.raises(DeliveryError, match=f"127.0.0.1 answered {status}"):
        Webhook(server.url, KEY).send(an_alert("ab12cd34"))
    assert len(server.posts) == 1


def test_a_server_that_is_away_is_told_without_the_addresss_secrets(server: Server) -> None:
    server.close()
    heard: list[Any] = []
    webhook = Webhook(server.url, KEY)
    webhook.start(heard.append)
    with pytest.raises(DeliveryError, match=r"127\.0\.0\.1 cannot be reached") as refusal:
        webhook.send(an_alert("ab12cd34"))
    assert "hush" not in str(refusal.value)
    [news] = heard
    assert isinstance(news, LinkNews)
    assert not news.up


@pytest.mark.parametrize("url", ["http://example.com/x", "ftp://localhost/x", "nothing", ""])
def test_an_address_without_encryption_is_refused(url: str) -> None:
    with pytest.raises(DeliveryError, match="https://"):
        Webhook(url, KEY)


# ── several transports ────────────────────────────────────────────────────────────────────────


class Link(Wire):
    """A transport whose link a test moves."""

    def start(self, heard: Any) -> None:
        self.heard = heard

    def close(self) -> None:
        self.closed = True


def test_an_alert_goes_to_the_first_transport_that_takes_it() -> None:
    first, second = Link(), Link()
    both = InOrder({"first": first, "second": second})
    both.send(an_alert("a"))
    first.up = False
    both.send(an_alert("b"))
    assert (first.ids, second.ids) == (["a"], ["b"])
    second.up = False
    with pytest.raises(DeliveryError, match="first: the link is down second: the link is down"):
        both.send(an_alert("c"))


def test_one_link_that_is_away_is_shown_although_the_other_is_up() -> None:
    first, second = Link(), Link()
    both = InOrder({"first": first, "second": second})
    heard: list[Any] = []
    both.start(heard.append)
    first.heard(LinkNews(False, "gone"))
    second.heard(LinkNews(True))
    first.heard(LinkNews(True))
    assert heard == [
        LinkNews(False, "first: gone"),
        LinkNews(False, "first: gone"),
        LinkNews(True),
    ]
    both.close()
    assert first.closed
    assert second.closed
