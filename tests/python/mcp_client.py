"""Drives an MCP server with the official client and prints what it saw as one JSON document.

usage: mcp_client.py PLAN

PLAN is a JSON file: {"url": …} or {"command": [program, argument, …]}, "mode" ("legacy" for the initialize handshake, or a
revision without one), "calls": [{"name": …, "arguments": {…}}, …]. An argument {"$result": [number, pointer]} stands for a place in the
structured content of an earlier call.

The client itself checks structured content against the tool's output schema; errors, which it does not check, are checked
here. Tools are called in the order of the plan.
"""

import asyncio
import json
import sys

import jsonschema
from mcp import Client
from mcp.client.stdio import StdioServerParameters


def filled(value, results: list):
    """An argument with the places of earlier results that it names."""
    if isinstance(value, list):
        return [filled(inner, results) for inner in value]
    if not isinstance(value, dict):
        return value
    if "$result" in value:
        number, pointer = value["$result"]
        at = results[number]["structuredContent"]
        for key in pointer.split("/")[1:]:
            at = at[int(key)] if isinstance(at, list) else at[key]
        return at
    return {key: filled(inner, results) for key, inner in value.items()}


async def run(plan: dict) -> dict:
    if "url" in plan:
        server = plan["url"]
    else:
        program, *arguments = plan["command"]
        server = StdioServerParameters(command=program, args=arguments, env=plan.get("environment"))
    async with Client(server, mode=plan["mode"], read_timeout_seconds=120) as client:
        tools = (await client.list_tools()).tools
        schemas = {}
        for tool in tools:
            for schema in (tool.input_schema, tool.output_schema):
                jsonschema.Draft202012Validator.check_schema(schema)
            schemas[tool.name] = tool.output_schema
        results = []
        for call in plan["calls"]:
            jsonschema_error = None
            try:
                result = await client.call_tool(call["name"], filled(call["arguments"], results))
            except Exception as error:  # a protocol error is a result of the plan, too
                results.append({"protocol_error": str(error)})
                continue
            try:
                jsonschema.validate(result.structured_content, schemas[call["name"]])
            except jsonschema.ValidationError as error:
                jsonschema_error = error.message
            results.append({"schema_error": jsonschema_error, **result.model_dump(mode="json", by_alias=True)})
        return {
            "protocol_version": client.protocol_version,
            "server": client.server_info.model_dump(mode="json", by_alias=True) if client.server_info else None,
            "instructions": client.instructions,
            "tools": [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools],
            "results": results,
        }


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    json.dump(asyncio.run(run(plan)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
