"""Asks a server with the official OpenAI client, and prints what it understood of each reply as JSON.

usage: openai_client.py FILE, a JSON object with `base_url` and `key`
"""

import json
import sys

import openai


def ask(client: openai.OpenAI, model: str, stream: bool) -> dict:
    messages = [{"role": "user", "content": "Hello"}]
    try:
        if not stream:
            choice = client.chat.completions.create(model=model, messages=messages).choices[0]
            return {"text": choice.message.content, "finish_reason": choice.finish_reason}
        text, finish_reason = "", None
        for chunk in client.chat.completions.create(model=model, messages=messages, stream=True):
            text += chunk.choices[0].delta.content or ""
            finish_reason = chunk.choices[0].finish_reason or finish_reason
        return {"text": text, "finish_reason": finish_reason}
    except Exception as error:  # What went wrong is what is to be printed.
        return {"error": type(error).__name__}


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        server = json.load(file)
    with openai.DefaultHttpxClient(trust_env=False) as http:
        client = openai.OpenAI(
            base_url=server["base_url"], api_key=server["key"], max_retries=0, timeout=60, http_client=http
        )
        seen = {"whole": ask(client, "whole", stream=False)}
        for model in ["stream", "limit", "cut", "broken", "401", "404", "429", "500"]:
            seen[model] = ask(client, model, stream=True)
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
