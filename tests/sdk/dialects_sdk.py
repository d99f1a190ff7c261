"""The official Python SDKs of Anthropic and Google, unmodified, and OpenAI's Responses, against providers of every dialect."""

import json
import pathlib
import subprocess
import unittest

import anthropic
import openai
from google import genai
from google.genai import types

HERE = pathlib.Path(__file__).parent
QUESTION = "What is the weather in Paris?"
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}

serving = None
served = {}


def setUpModule():
    global serving
    serving = subprocess.Popen(["node", HERE / "serve_dialects.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    served.update(json.loads(serving.stdout.readline()))


def tearDownModule():
    serving.stdin.close()
    serving.wait(timeout=60)
    serving.stdout.close()


class EveryProvider(unittest.TestCase):
    """Runs each test of a subclass for every dialect of providers."""

    def each(self, words):
        for provider in served["providers"]:
            with self.subTest(provider=provider):
                yield f"{provider}-{words}"


class Anthropic(EveryProvider):
    def setUp(self):
        self.client = anthropic.Anthropic(base_url=served["url"], api_key=served["key"], max_retries=0)
        self.addCleanup(self.client.close)
        self.ask = {"max_tokens": 200, "messages": [{"role": "user", "content": QUESTION}]}

    def test_whole(self):
        for model in self.each("plain"):
            answer = self.client.messages.create(model=model, **self.ask)
            self.assertEqual((answer.content[0].text, answer.stop_reason), (served["said"], "end_turn"))
            self.assertEqual((answer.usage.input_tokens, answer.usage.output_tokens), (19, 10))

    def test_streamed(self):
        for model in self.each("plain"):
            with self.client.messages.stream(model=model, **self.ask) as stream:
                self.assertEqual("".join(stream.text_stream), served["said"])
                usage = stream.get_final_message().usage
            self.assertEqual((usage.input_tokens, usage.output_tokens), (19, 10))

    def test_tools(self):
        tools = [{"name": "get_weather", "description": "Tells the weather.", "input_schema": SCHEMA}]
        for model in self.each("tool"):
            with self.client.messages.stream(model=model, tools=tools, **self.ask) as stream:
                answer = stream.get_final_message()
            calls = [part for part in answer.content if part.type == "tool_use"]
            self.assertEqual([(call.name, call.input) for call in calls], [("get_weather", {"city": "Paris"})])
            result = [{"type": "tool_result", "tool_use_id": calls[0].id, "content": "18 C"}]
            said = [*self.ask["messages"], {"role": "assistant", "content": answer.content}, {"role": "user", "content": result}]
            answer = self.client.messages.create(model=model, max_tokens=200, tools=tools, messages=said)
            self.assertTrue(answer.content[0].text.startswith("the quick"))

    def test_errors(self):
        for model in self.each("failing"):
            with self.assertRaises(anthropic.BadRequestError) as caught:
                self.client.messages.create(model=model, **self.ask)
            self.assertRegex(caught.exception.body["error"]["message"], "refused by the script|contains an invalid argument")
        with self.assertRaises(anthropic.NotFoundError) as caught:
            self.client.messages.create(model="nobody", **self.ask)
        self.assertEqual(caught.exception.body["error"]["type"], "not_found_error")

    def test_models(self):
        self.assertIn("gemini-plain", [model.id for model in self.client.models.list()])


class Google(EveryProvider):
    def setUp(self):
        self.client = genai.Client(api_key=served["key"], http_options=types.HttpOptions(base_url=served["url"]))

    def test_whole(self):
        for model in self.each("plain"):
            answer = self.client.models.generate_content(model=model, contents=QUESTION)
            self.assertEqual((answer.text, answer.candidates[0].finish_reason), (served["said"], types.FinishReason.STOP))
            usage = answer.usage_metadata
            self.assertEqual((usage.prompt_token_count, usage.candidates_token_count), (19, 10))

    def test_streamed(self):
        for model in self.each("plain"):
            chunks = list(self.client.models.generate_content_stream(model=model, contents=QUESTION))
            self.assertEqual("".join(chunk.text or "" for chunk in chunks), served["said"])
            self.assertEqual(chunks[-1].usage_metadata.candidates_token_count, 10)

    def test_tools(self):
        def get_weather(city: str) -> str:
            """Tells the weather of a city."""
            return "18 C"

        for model in self.each("tool"):
            # The SDK calls the function and asks again by itself.
            answer = self.client.models.generate_content(
                model=model, contents=QUESTION, config=types.GenerateContentConfig(tools=[get_weather])
            )
            self.assertTrue(answer.text.startswith("the quick"), answer.text)

    def test_schema(self):
        config = types.GenerateContentConfig(response_mime_type="application/json", response_json_schema=SCHEMA)
        for model in self.each("json"):
            answer = self.client.models.generate_content(model=model, contents=QUESTION, config=config)
            self.assertEqual(json.loads(answer.text), {"city": "Paris"})

    def test_errors(self):
        for model in self.each("failing"):
            with self.assertRaises(genai.errors.ClientError) as caught:
                self.client.models.generate_content(model=model, contents=QUESTION)
            self.assertEqual(caught.exception.code, 400)
            self.assertRegex(caught.exception.message, "refused by the script|contains an invalid argument")

    def test_models(self):
        self.assertIn("models/openai-plain", [model.name for model in self.client.models.list()])


class Responses(EveryProvider):
    def setUp(self):
        self.client = openai.OpenAI(base_url=f"{served['url']}/v1", api_key=served["key"], max_retries=0)
        self.addCleanup(self.client.close)

    def test_whole(self):
        for model in self.each("plain"):
            answer = self.client.responses.create(model=model, input=QUESTION)
            self.assertEqual((answer.output_text, answer.status), (served["said"], "completed"))
            self.assertEqual((answer.usage.input_tokens, answer.usage.output_tokens), (19, 10))

    def test_streamed(self):
        for model in self.each("plain"):
            with self.client.responses.stream(model=model, input=QUESTION) as stream:
                text = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
                final = stream.get_final_response()
            self.assertEqual((text, final.output_text), (served["said"], served["said"]))


if __name__ == "__main__":
    unittest.main()
