"""Images as input, embeddings, completions and the list of models."""

import base64
import math
import struct
import zlib
from decimal import Decimal

import openai
import pytest
from conftest import MODEL, balance

EMBEDDER = "text-embedding-3-small"


def png(width: int, height: int) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + check

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"".join(b"\0" + b"\x7f" * width for _ in range(height)), 0)
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", head) + part(b"IDAT", rows) + part(b"IEND", b"")


def picture(file: bytes, **more) -> dict:
    url = "data:image/png;base64," + base64.b64encode(file).decode()
    return {"type": "image_url", "image_url": {"url": url, **more}}


def look(client, *pictures):
    content = [{"type": "text", "text": "What is to be seen here?"}, *pictures]
    return client.chat.completions.create(
        model=MODEL, messages=[{"role": "user", "content": content}]
    )


def test_an_image_is_seen_and_paid(client):
    blind = look(client)
    seen = look(client, picture(png(640, 480)))
    assert "640 by 480" in seen.choices[0].message.content
    assert seen.usage.prompt_tokens > blind.usage.prompt_tokens
    low = look(client, picture(png(640, 480), detail="low"))
    assert blind.usage.prompt_tokens < low.usage.prompt_tokens < seen.usage.prompt_tokens


def test_several_images_in_their_order(client):
    text = look(client, picture(png(10, 20)), picture(png(30, 40))).choices[0].message.content
    assert 0 <= text.index("10 by 20") < text.index("30 by 40")


def test_an_image_of_megabytes(client):
    answer = look(client, picture(png(2000, 1500)))
    assert "2000 by 1500" in answer.choices[0].message.content


def test_an_image_at_an_address_is_left_to_the_provider(client):
    url = {"type": "image_url", "image_url": {"url": "https://images.example/cat.png"}}
    assert "address" in look(client, url).choices[0].message.content


def test_embeddings_are_the_same_in_both_encodings(client):
    ask = {"model": EMBEDDER, "input": "The moon pulls the sea"}
    numbers = client.embeddings.create(**ask, encoding_format="float")
    # Left to itself, the SDK asks for base64 and decodes it.
    decoded = client.embeddings.create(**ask)
    raw = client.embeddings.create(**ask, encoding_format="base64")
    packed = base64.b64decode(raw.data[0].embedding)
    vector = numbers.data[0].embedding
    assert len(vector) == 1536
    assert math.isclose(sum(x * x for x in vector), 1, rel_tol=1e-4)
    assert decoded.data[0].embedding == pytest.approx(vector, abs=1e-6)
    assert struct.unpack("<1536f", packed) == pytest.approx(vector, abs=1e-6)


def test_embeddings_of_many_inputs(client):
    before = balance()
    raw = client.embeddings.with_raw_response.create(
        model=EMBEDDER, input=[f"text number {i}" for i in range(100)], dimensions=64
    )
    answer = raw.parse()
    assert [item.index for item in answer.data] == list(range(100))
    assert {len(item.embedding) for item in answer.data} == {64}
    cost = Decimal(raw.headers["x-moongate-cost"])
    assert cost == answer.usage.prompt_tokens * Decimal("0.02") / 1_000_000
    assert before - balance() == cost


def test_embeddings_of_token_numbers(client):
    answer = client.embeddings.create(model=EMBEDDER, input=[[1, 2, 3], [4, 5]])
    assert len(answer.data) == 2
    assert answer.usage.prompt_tokens == 5


def test_completions(client):
    answer = client.completions.create(
        model=MODEL, prompt=["Once upon a time", "In a galaxy"], n=2, max_tokens=9
    )
    assert answer.object == "text_completion"
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.usage.completion_tokens == 36
    assert all(choice.finish_reason == "length" for choice in answer.choices)


def test_models_are_listed_with_their_prices(client):
    models = {model.id: model for model in client.models.list()}
    assert set(models) == {
        "gpt-4o-mini",
        "gpt-4o",
        "o3-mini",
        "text-embedding-3-small",
        "gpt-4.1",
        "gpt-4.1-mini",
        "gpt-4.1-nano",
    }
    assert models[MODEL].object == "model"
    assert models[MODEL].price["input"] == "0.15"


def test_one_model(client):
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError) as error:
        client.models.retrieve("no-such-model")
    assert error.value.code == "model_not_found"


def test_a_key_sees_only_its_models(connect):
    narrow = connect("KEY_NARROW")
    assert [model.id for model in narrow.models.list()] == ["gpt-4o"]
    with pytest.raises(openai.PermissionDeniedError) as error:
        narrow.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": "Hi"}])
    assert error.value.code == "model_not_allowed"
