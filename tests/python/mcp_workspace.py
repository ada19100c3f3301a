"""Uses what an MCP server offers beside its tools, with the official client, and prints what it saw as one JSON list.

usage: mcp_workspace.py PLAN

PLAN is a JSON file: {"url": …} or {"command": [program, argument, …]}, "mode" ("legacy" for the initialize handshake, or a
revision without one), "steps": [{"do": …}, …]. A step is one of `capabilities`, `resources`, `templates`, `read`, `prompts`,
`prompt`, `tools`, `call`, and `told`: subscribes to `uris` and to changes of the list, makes the `calls`, and waits until it was told of
each of `until`. An error of the protocol is what a step saw, too.
"""

import asyncio
import json
import sys

from mcp import Client, MCPError, types
from mcp.client.stdio import StdioServerParameters


class Told:
    """What the server has told so far, and a way to wait for more."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.more = asyncio.Condition()

    async def add(self, what: str) -> None:
        async with self.more:
            self.seen.append(what)
            self.more.notify_all()

    async def handle(self, message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            await self.add(str(message.params.uri))
        elif isinstance(message, types.ResourceListChangedNotification):
            await self.add("list")

    async def until(self, wanted: list[str]) -> None:
        async with self.more:
            await asyncio.wait_for(self.more.wait_for(lambda: set(wanted) <= set(self.seen)), 60)


def plain(result) -> dict:
    return result.model_dump(mode="json", by_alias=True, exclude_none=True)


async def told(client: Client, step: dict, told_of: Told, mode: str) -> list[str]:
    async def calls() -> None:
        for call in step["calls"]:
            await client.call_tool(call["name"], call["arguments"])

    if mode == "legacy":
        for uri in step["uris"]:
            await client.subscribe_resource(uri)
        await calls()
        await told_of.until(step["until"])
        for uri in step["uris"]:
            await client.unsubscribe_resource(uri)
        return sorted(set(told_of.seen))
    seen: set[str] = set()
    async with client.listen(resources_list_changed=True, resource_subscriptions=step["uris"]) as events:
        await calls()
        async with asyncio.timeout(60):
            async for event in events:
                seen.add(getattr(event, "uri", "list"))
                if set(step["until"]) <= seen:
                    break
    return sorted(seen)


async def run(plan: dict) -> list:
    if "url" in plan:
        server = plan["url"]
    else:
        program, *arguments = plan["command"]
        server = StdioServerParameters(command=program, args=arguments, env=plan.get("environment"))
    told_of, mode = Told(), plan["mode"]
    client = Client(server, mode=mode, read_timeout_seconds=120, message_handler=told_of.handle)
    async with client:

        async def see(step: dict):
            match step["do"]:
                case "capabilities":
                    return plain(client.server_capabilities)
                case "resources":
                    return plain(await client.list_resources(cursor=step.get("cursor")))
                case "templates":
                    return plain(await client.list_resource_templates())
                case "read":
                    return plain(await client.read_resource(step["uri"]))
                case "prompts":
                    return plain(await client.list_prompts())
                case "prompt":
                    return plain(await client.get_prompt(step["name"], step["arguments"]))
                case "tools":
                    return [tool.name for tool in (await client.list_tools()).tools]
                case "call":
                    return plain(await client.call_tool(step["name"], step["arguments"]))
                case "told":
                    return await told(client, step, told_of, mode)
            raise ValueError(f"there is no step {step['do']!r}")

        seen = []
        for step in plan["steps"]:
            try:
                seen.append(await see(step))
            except MCPError as error:
                seen.append({"protocol_error": str(error)})
        return seen


def main(path: str) -> None:
    with open(path, encoding="utf-8") as file:
        plan = json.load(file)
    json.dump(asyncio.run(run(plan)), sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
