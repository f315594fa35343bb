"""Tool calls and answers that follow a schema, plain and streamed, raw and through the helpers."""

import json
from typing import List, Literal

import openai
from conftest import ASK, MODEL, read_to_end
from pydantic import BaseModel, Field

USAGE = {"include_usage": True}

WEATHER = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {
                "city": {"type": "string"},
                "unit": {"type": "string", "enum": ["celsius", "fahrenheit"]},
            },
            "required": ["city", "unit"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}
CLOCK = {
    "type": "function",
    "function": {
        "name": "get_local_time",
        "description": "The time of day in a place",
        "parameters": {"type": "object", "properties": {"zone": {"type": "string"}}},
    },
}
BOTH = [{"role": "user", "content": "What are the weather and the local time in Paris?"}]
WET = [{"role": "user", "content": "What is the weather like in Paris?"}]


def check_weather(call):
    assert call.function.name == "get_weather"
    arguments = json.loads(call.function.arguments)
    assert arguments["unit"] in ("celsius", "fahrenheit")
    assert isinstance(arguments["city"], str)


def test_a_call_and_its_result(client):
    first = client.chat.completions.create(model=MODEL, messages=WET, tools=[WEATHER, CLOCK])
    choice = first.choices[0]
    assert choice.finish_reason == "tool_calls"
    [call] = choice.message.tool_calls
    check_weather(call)
    result = {"role": "tool", "tool_call_id": call.id, "content": "Nineteen degrees and drizzle"}
    second = client.chat.completions.create(
        model=MODEL, messages=[*WET, choice.message, result], tools=[WEATHER, CLOCK]
    )
    assert second.choices[0].finish_reason == "stop"
    assert "Nineteen degrees" in second.choices[0].message.content


def test_parallel_calls_can_be_had_and_forbidden(client):
    tools = [WEATHER, CLOCK]
    both = client.chat.completions.create(model=MODEL, messages=BOTH, tools=tools)
    names = [call.function.name for call in both.choices[0].message.tool_calls]
    assert sorted(names) == ["get_local_time", "get_weather"]
    one = client.chat.completions.create(
        model=MODEL, messages=BOTH, tools=tools, parallel_tool_calls=False
    )
    assert len(one.choices[0].message.tool_calls) == 1


def test_a_tool_can_be_required_named_and_refused(client):
    ask = {"model": MODEL, "messages": ASK, "tools": [WEATHER, CLOCK]}
    required = client.chat.completions.create(**ask, tool_choice="required")
    assert required.choices[0].message.tool_calls
    named = client.chat.completions.create(
        **ask, tool_choice={"type": "function", "function": {"name": "get_local_time"}}
    )
    assert named.choices[0].message.tool_calls[0].function.name == "get_local_time"
    none = client.chat.completions.create(**ask, tool_choice="none")
    assert not none.choices[0].message.tool_calls


def test_streamed_calls_add_up(client, told):
    stream = client.chat.completions.create(
        model=MODEL, messages=BOTH, tools=[WEATHER, CLOCK], stream=True, stream_options=USAGE
    )
    chunks = read_to_end(stream, told)
    names, arguments = {}, {}
    for chunk in chunks[:-1]:
        for piece in chunk.choices[0].delta.tool_calls or []:
            if piece.function.name:
                names[piece.index] = piece.function.name
            arguments[piece.index] = arguments.get(piece.index, "") + piece.function.arguments
    assert sorted(names.values()) == ["get_local_time", "get_weather"]
    assert all(isinstance(json.loads(text), dict) for text in arguments.values())
    assert len(chunks) > 6, "arguments come in pieces"
    assert chunks[-2].choices[0].finish_reason == "tool_calls"


class Weather(BaseModel):
    """The weather in a city"""

    city: str
    unit: Literal["celsius", "fahrenheit"]


class Ingredient(BaseModel):
    name: str
    grams: int = Field(ge=1, le=5000)


class Recipe(BaseModel):
    title: str
    vegetarian: bool
    ingredients: List[Ingredient]


COOK = [{"role": "user", "content": "A recipe for soup, please"}]


def test_tools_from_models_are_parsed(client, told):
    tool = openai.pydantic_function_tool(Weather, name="get_weather")
    answer = client.chat.completions.parse(model=MODEL, messages=WET, tools=[tool])
    [call] = answer.choices[0].message.tool_calls
    assert isinstance(call.function.parsed_arguments, Weather)
    with client.chat.completions.stream(
        model=MODEL, messages=WET, tools=[tool], stream_options=USAGE
    ) as stream:
        done = [e for e in stream if e.type == "tool_calls.function.arguments.done"]
        told.note(stream._response.headers["x-request-id"], stream.get_final_completion().usage.cost)
    assert isinstance(done[0].parsed_arguments, Weather)


def test_a_schema_is_followed(client):
    schema = {
        "type": "object",
        "properties": {"zebra": {"type": "integer"}, "apple": {"enum": ["red", "green"]}},
        "required": ["zebra", "apple"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model=MODEL,
        messages=ASK,
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "fruit", "schema": schema, "strict": True},
        },
    )
    value = json.loads(answer.choices[0].message.content)
    # The order of a schema's members has a meaning, and must have come through.
    assert list(value) == ["zebra", "apple"]
    assert isinstance(value["zebra"], int)
    assert value["apple"] in ("red", "green")


def test_json_without_a_schema(client):
    answer = client.chat.completions.create(
        model=MODEL, messages=ASK, response_format={"type": "json_object"}
    )
    assert isinstance(json.loads(answer.choices[0].message.content), dict)


def test_the_helper_parses_a_model(client):
    answer = client.chat.completions.parse(model=MODEL, messages=COOK, response_format=Recipe)
    recipe = answer.choices[0].message.parsed
    assert isinstance(recipe, Recipe)
    assert all(1 <= part.grams <= 5000 for part in recipe.ingredients)


def test_the_helper_parses_a_streamed_model(client, told):
    with client.chat.completions.stream(
        model=MODEL, messages=COOK, response_format=Recipe, stream_options=USAGE
    ) as stream:
        deltas = sum(event.type == "content.delta" for event in stream)
        answer = stream.get_final_completion()
        told.note(stream._response.headers["x-request-id"], answer.usage.cost)
    assert deltas > 3
    assert isinstance(answer.choices[0].message.parsed, Recipe)
