"""The official OpenAI SDK for Python, unmodified, against the gateway: an application changes its base URL and key, and nothing else."""

import asyncio
import json
import pathlib
import subprocess
import unittest
import urllib.request

import openai
from openai.types.chat import completion_create_params

HERE = pathlib.Path(__file__).parent
HELLO = [{"role": "user", "content": "Hello!"}]
TEN_WORDS = "the quick brown fox jumps over the lazy dog while "
TOOLS = [{"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}}}]
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
EVERYTHING = {
    "audio": {"format": "mp3", "voice": "alloy"},
    "frequency_penalty": 0.5,
    "function_call": "auto",
    "functions": [{"name": "f", "parameters": SCHEMA}],
    "logit_bias": {"1234": -100},
    "logprobs": True,
    "max_completion_tokens": 40,
    "max_tokens": 40,
    "metadata": {"purpose": "a test"},
    "modalities": ["text", "audio"],
    "moderation": {"model": "omni-moderation-latest"},
    "n": 2,
    "parallel_tool_calls": False,
    "prediction": {"type": "content", "content": "x"},
    "presence_penalty": -0.5,
    "prompt_cache_key": "a-prompt",
    "prompt_cache_options": {"mode": "explicit", "ttl": "30m"},
    "prompt_cache_retention": "24h",
    "reasoning_effort": "high",
    "response_format": {"type": "json_schema", "json_schema": {"name": "place", "schema": SCHEMA, "strict": True}},
    "safety_identifier": "someone",
    "seed": 42,
    "service_tier": "flex",
    "stop": ["\n\n", "END"],
    "store": True,
    "stream_options": {"include_usage": True, "include_obfuscation": False},
    "temperature": 0.7,
    "tool_choice": "auto",
    "tools": TOOLS,
    "top_logprobs": 5,
    "top_p": 0.9,
    "user": "someone",
    "verbosity": "low",
    "web_search_options": {"search_context_size": "low"},
}

serving = None
served = {}


def setUpModule():
    global serving
    serving = subprocess.Popen(["node", HERE / "serve_for_python.mjs"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    served.update(json.loads(serving.stdout.readline()))


def tearDownModule():
    serving.stdin.close()
    serving.wait(timeout=20)
    serving.stdout.close()


class Case(unittest.TestCase):
    """A client of its own for each test; `requests` are those that it made of the gateway."""

    def client(self, key="plain", **options):
        self.requests = []
        http = openai.DefaultHttpx2Client(event_hooks={"request": [self.requests.append]})
        client = openai.OpenAI(api_key=served["keys"].get(key, key), base_url=served["base_url"], http_client=http, **options)
        self.addCleanup(client.close)
        return client

    def ask(self, client, model="chat", **more):
        return client.chat.completions.create(model=model, messages=HELLO, **more)

    def refused(self, kind, call):
        with self.assertRaises(kind) as caught:
            call()
        return caught.exception


class Answers(Case):
    def test_a_chat_answer_is_whole(self):
        answer = self.ask(self.client())
        self.assertEqual(answer.choices[0].message.content, TEN_WORDS)
        self.assertEqual(answer.usage.completion_tokens, 10)
        self.assertEqual(len(answer._request_id), 36)

    def test_a_stream_holds_the_providers_content_to_the_byte(self):
        def content(client, model):
            return "".join(chunk.choices[0].delta.content or "" for chunk in self.ask(client, model, stream=True))

        with openai.OpenAI(api_key="x", base_url=served["provider_url"]) as direct:
            self.assertEqual(content(self.client(), "utf8"), content(direct, "c24-utf8"))

    def test_a_stream_shows_its_usage_if_and_only_if_asked(self):
        client = self.client()
        quiet = list(self.ask(client, stream=True))
        self.assertTrue(all(chunk.usage is None and len(chunk.choices) == 1 for chunk in quiet))
        told = list(self.ask(client, stream=True, stream_options={"include_usage": True}))
        self.assertEqual((told[-1].choices, told[-1].usage.completion_tokens), ([], 10))
        self.assertTrue(all(chunk.usage is None for chunk in told[:-1]))

    def test_a_tool_call_comes_through_whole_and_streamed(self):
        client = self.client()
        call = self.ask(client, "weather", tools=TOOLS).choices[0].message.tool_calls[0]
        self.assertEqual((call.function.name, json.loads(call.function.arguments)), ("get_weather", {"city": "Paris"}))
        with client.chat.completions.stream(model="weather", messages=HELLO, tools=TOOLS) as stream:
            streamed = stream.get_final_completion().choices[0].message.tool_calls[0]
        self.assertEqual((streamed.function.name, streamed.function.arguments), ("get_weather", call.function.arguments))

    def test_every_parameter_passes_under_hard_limits_and_arrives_as_it_was_sent(self):
        declared = set(completion_create_params.CompletionCreateParamsBase.__annotations__)
        self.assertEqual(declared, {"model", "messages", *EVERYTHING}, "EVERYTHING has what the SDK knows")
        client = self.client("capped")
        for stream in (False, True):
            raw = client.chat.completions.with_raw_response.create(model="chat", messages=HELLO, stream=stream, **EVERYTHING)
            self.assertEqual(raw.status_code, 200)
            list(raw.parse())
            with urllib.request.urlopen(f"{served['provider_url'].removesuffix('/v1')}/__calls?call={raw.request_id}") as journal:
                [call] = json.load(journal)["calls"]
            self.assertEqual(call["body"], {"model": "c10", "messages": HELLO, "stream": stream, **EVERYTHING})

    def test_embeddings_come_through(self):
        answer = self.client().embeddings.create(model="embed", input=["one", "two"])
        self.assertEqual([len(item.embedding) for item in answer.data], [16, 16])
        self.assertGreater(answer.usage.prompt_tokens, 0)

    def test_models_are_listed_and_retrieved(self):
        client = self.client()
        self.assertEqual([model.id for model in client.models.list()], ["chat", "cut", "embed", "failing", "nowhere", "utf8", "weather"])
        self.assertEqual(client.models.retrieve("chat").object, "model")
        self.refused(openai.NotFoundError, lambda: client.models.retrieve("nothing"))

    def test_rate_headers_and_the_request_id_are_where_the_sdk_shows_them(self):
        raw = self.client().chat.completions.with_raw_response.create(model="chat", messages=HELLO)
        self.assertEqual(raw.request_id, raw.parse()._request_id)
        self.assertEqual((raw.headers["x-ratelimit-limit-requests"], raw.headers["x-ratelimit-limit-tokens"]), ("1000", "1000000"))
        self.assertRegex(raw.headers["x-ratelimit-reset-requests"], r"^(\d+m)?[\d.]+m?s$")

    def test_the_asynchronous_client_streams_too(self):
        async def content():
            async with openai.AsyncOpenAI(api_key=served["keys"]["plain"], base_url=served["base_url"]) as client:
                stream = await client.chat.completions.create(model="chat", messages=HELLO, stream=True)
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

        self.assertEqual(asyncio.run(content()), TEN_WORDS)


class Refusals(Case):
    def test_each_error_has_its_class_code_type_and_param(self):
        client = self.client(max_retries=0)
        forged = openai.OpenAI(api_key=served["keys"]["plain"][:-1], base_url=served["base_url"])
        self.addCleanup(forged.close)
        for what, call, kind, status, code, type_, param in [
            ("forged key", lambda: self.ask(forged), openai.AuthenticationError, 401, "invalid_api_key", "invalid_request_error", None),
            ("model", lambda: self.ask(client, "nothing"), openai.NotFoundError, 404, "model_not_found", "invalid_request_error", "model"),
            ("type", lambda: self.ask(client, max_tokens="many"), openai.BadRequestError, 400, None, "invalid_request_error", "max_tokens"),
            ("provider's 400", lambda: self.ask(client, "nowhere"), openai.BadRequestError, 400, None, "invalid_request_error", None),
            ("provider's 500", lambda: self.ask(client, "failing"), openai.InternalServerError, 500, "upstream_error", "server_error", None),
        ]:
            with self.subTest(what):
                error = self.refused(kind, call)
                self.assertEqual((error.status_code, error.code, error.type, error.param), (status, code, type_, param))
                self.assertEqual(len(error.request_id), 36)

    def test_an_exhausted_budget_costs_one_request(self):
        client = self.client("once_a_day")
        self.ask(client)
        error = self.refused(openai.RateLimitError, lambda: self.ask(client))
        self.assertEqual((error.type, error.code), ("insufficient_quota", "insufficient_quota"))
        self.assertEqual(error.response.headers["x-should-retry"], "false")
        self.assertEqual(error.response.headers["x-tollgate-budget-remaining"], "0")
        self.assertEqual(len(self.requests), 2)

    def test_a_budget_of_nothing_costs_one_request(self):
        self.refused(openai.RateLimitError, lambda: self.ask(self.client("exhausted")))
        self.assertEqual(len(self.requests), 1)

    def test_a_shortfall_is_in_the_error_as_words_and_as_a_number_and_a_call_for_so_much_passes(self):
        client = self.client("rejecting")
        error = self.refused(openai.RateLimitError, lambda: self.ask(client, max_tokens=20))
        self.assertEqual(len(self.requests), 1, "it is not repeated")
        self.assertEqual((error.type, error.code), ("invalid_request_error", "request_too_large_for_limit"))
        self.assertIn("You requested up to 20 tokens, but can only afford 12.", error.message)
        self.assertEqual(error.body["limits"][0]["cause"], "never")
        headers = error.response.headers
        self.assertEqual((headers["x-tollgate-budget"], headers["x-tollgate-budget-remaining"]), ("small", "12"))
        self.assertEqual(headers["ratelimit"].split(";t=")[0], '"small";r=12')
        self.ask(client, max_tokens=error.body["affordable_output_tokens"])

    def test_a_short_rate_limit_is_waited_for_and_then_succeeds(self):
        client = self.client("every_2_seconds")
        self.assertEqual([self.ask(client).choices[0].finish_reason for _ in range(2)], ["stop", "stop"])
        self.assertGreater(len(self.requests), 2)

    def test_a_stream_that_the_provider_cuts_raises_after_what_came(self):
        content = []
        with self.assertRaises(openai.APIError) as caught:
            for chunk in self.ask(self.client(), "cut", stream=True):
                content.append(chunk.choices[0].delta.content or "")
        self.assertEqual("".join(content), "the quick brown fox ")
        self.assertEqual((caught.exception.code, caught.exception.type), ("upstream_cut", "server_error"))

    def test_a_stream_that_is_given_up_leaves_the_client_fit_for_its_next_call(self):
        client = self.client(max_retries=0)
        with self.ask(client, stream=True) as stream:
            next(iter(stream))
        self.assertTrue(stream.response.is_closed)
        self.assertEqual(self.ask(client).choices[0].finish_reason, "stop")


if __name__ == "__main__":
    unittest.main(verbosity=2)
