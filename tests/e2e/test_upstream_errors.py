"""What an upstream says with its errors: clients read what is theirs, whole and in a shape that they
know; the channel's credential is nobody's to read."""

import gzip
import json

import pytest

from upstream import chat_answer, error, event, plain, streamed

BAD = "400 Bad Request"
CREDENTIALS = ["token-abc123", "a1b2c3d4e5f6a7b8c9d0.Zx9Yw8Vu7", "f3a1c2d4-5b6e-4f70-8a9b-0c1d2e3f4a5b",
               "correct horse battery staple", 'pass/word+"1']


@pytest.fixture(scope="module")
def gateway(module_workshop, upstream):
    gateway = module_workshop.gateway([upstream.channel(credential="token-abc123")], start=False)
    gateway.without_breaker()
    return gateway.start()


@pytest.fixture(scope="module")
def caller(gateway):
    return gateway.caller()


# --- The channel's credential ---


def credential_of(request):
    return request.header("authorization").removeprefix("Bearer ")


def spelled(text):
    """As it stands, and as two kinds of JSON writers write it."""
    return [text, json.dumps(text)[1:-1].replace("/", "\\/"),
            "".join(f"\\u{ord(c):04X}" for c in text)]


@pytest.mark.parametrize("credential", CREDENTIALS)
def test_nobody_reads_the_credential_that_an_error_quotes(workshop, credential):
    def quoting(form, status):
        def answer(call):
            told = spelled(credential_of(call.request))[form]
            # Also where a record cuts an error's words off.
            body = '{"error":{"message":"the key %s and %s%s"}}' % (told, "w" * (275 - len(told)), told)
            call.send(streamed(event(body.encode())) if status is None
                      else plain(body.encode(), status))
        return answer

    upstream = workshop.upstream()
    gateway = workshop.gateway([upstream.channel(credential=credential)], start=False)
    gateway.without_breaker()
    key = gateway.start().caller().key
    for status in (BAD, "500 Internal Server Error", "200 OK", None):
        for form in (0, 1, 2):
            if form == 0 and '"' in credential:
                continue
            upstream.answer = quoting(form, status)
            answer = gateway.chat(key, stream=status is None)
            assert answer.status == (400 if status == BAD else 502)
            if status == BAD:
                assert answer.json()["error"]["message"].startswith("the key *** and www")
            story = json.dumps(gateway.explain(answer.request_id))
            for text in (answer.body.decode(), story, json.dumps(story)):
                assert all(form not in text for form in spelled(credential)), (status, text)
                assert credential[:7] not in text, (status, text)
    assert credential not in gateway.program.stderr()


def test_a_credential_too_short_to_be_one_leaves_texts_alone(workshop):
    upstream = workshop.upstream(plain(error("none of these may be none"), BAD))
    gateway = workshop.gateway([upstream.channel(credential="none")])
    answer = gateway.chat(gateway.caller().key)
    assert answer.json() == error("none of these may be none")


def test_after_a_rotation_the_new_credential_is_hidden(workshop):
    def quoting(call):
        call.send(plain(error(f"no {credential_of(call.request)}"), BAD))

    upstream = workshop.upstream(quoting)
    gateway = workshop.gateway([upstream.channel(credential="secret:own")], start=False)
    key = None
    for credential in ("token-first", "token-second"):
        gateway.cli("secret", "set", "own", stdin=credential)
        if key is None:
            key = gateway.start().caller().key
        else:
            gateway.cli("reload")
        answer = gateway.chat(key)
        assert answer.json() == error("no ***")
        assert credential_of(upstream.requests[-1]) == credential


# --- Coded bodies ---


@pytest.mark.parametrize("status, seen, code", [
    (BAD, 400, "upstream_refused"), ("422 Unprocessable", 422, "upstream_refused"),
    ("500 Internal Server Error", 502, "upstream_error"), ("401 Unauthorized", 502, "upstream_error")])
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "identity, gzip"])
def test_a_coded_error_is_judged_by_its_status_alone(
        gateway, upstream, caller, status, seen, code, coding):
    said = json.dumps(error("Incorrect API key provided: token-abc123")).encode()
    upstream.answer = plain(gzip.compress(said), status, {"Content-Encoding": coding})
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.code) == (seen, code)
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize("coding", ["identity", "Identity", "IDENTITY", "", "identity, Identity"])
def test_identity_is_no_coding_however_it_is_written(gateway, upstream, caller, coding):
    upstream.answer = plain(chat_answer(), headers={"Content-Encoding": coding})
    assert gateway.chat(caller.key).json() == chat_answer()
    upstream.answer = plain(error("too hot"), BAD, {"Content-Encoding": coding})
    assert gateway.chat(caller.key).json() == error("too hot")


@pytest.mark.parametrize("coding", ["gzip", "br", "identity, gzip"])
def test_a_coded_answer_is_none(gateway, upstream, caller, coding):
    upstream.answer = plain(chat_answer(), headers={"Content-Encoding": coding})
    assert gateway.chat(caller.key).status == 502


# --- Honest texts ---


@pytest.mark.parametrize("said", [
    error("The model `meta-llama/Llama-3.3-70B-Instruct-Turbo` does not support tool_choice."),
    error("Field required", param="messages.12.content.0.image.source.base64.media_type"),
    error("See https://platform.openai.com/docs/guides/structured-outputs/v2#all-fields-must-be"),
    error("No tool output found for function call call_9f8e7d6c5b4a39281706f5e4d3c2b1a0."),
    {"detail": [{"loc": ["body", 7], "msg": "f3a1c2d4-5b6e-4f70-8a9b-0c1d2e3f4a5b", "n": 10**30}]}],
    ids=["model", "param", "address", "id", "detail"])
def test_an_honest_error_arrives_byte_for_byte(gateway, upstream, caller, said):
    body = json.dumps(said, indent=1).encode() + b"\n"
    upstream.answer = plain(body, BAD, content_type="application/problem+json")
    answer = gateway.chat(caller.key)
    assert (answer.status, answer.body) == (400, body)
    assert answer.header("content-type") == "application/problem+json"


# --- What is no JSON object ---


OURS = "the model provider refused the request without a readable reason"
THEIRS = "the model provider refused the request: "
PAGE = "<!doctype html><title>400</title>"


@pytest.mark.parametrize("said, type, message", [
    ("", "application/json", OURS),
    (" \r\n", "text/plain", OURS),
    (PAGE, "text/html", OURS),
    ("\n" + PAGE, "text/plain", OURS),
    ("Bad <b>request</b>", "Text/HTML; charset=utf-8", OURS),
    ("\0\1\2", "application/json", OURS),
    (b"\xff\xfe", "text/plain", OURS),
    ("w" * 1001, "text/plain", OURS),
    ("w" * 1000, "text/plain", THEIRS + "w" * 1000),
    ("no such\ttool\n", "text/plain", THEIRS + "no such\ttool"),
    ("zu heiß: token-abc123, sk-abc", "text/plain", THEIRS + "zu heiß: ***, sk-***"),
    ('{"error": "cut', "application/json", THEIRS + '{"error": "cut'),
    (json.dumps([error("too \"hot\"")]), "application/json", THEIRS + 'too "hot"'),
    ("[]", "application/json", THEIRS + "[]"),
    ("null", "application/json", THEIRS + "null")], ids=repr)
def test_what_is_no_json_object_comes_in_our_shape(gateway, upstream, caller, said, type, message):
    body = said if isinstance(said, bytes) else said.encode()
    for status in (400, 413, 422):
        upstream.answer = plain(body, f"{status} No", content_type=type)
        for stream in (False, True):
            answer = gateway.chat(caller.key, stream=stream)
            assert answer.status == status
            assert answer.json() == error(message, param=None, code="upstream_refused")
            assert answer.header("content-type") == "application/json"
    assert gateway.explain(answer.request_id)["decision"]["code"] == "upstream_refused"
