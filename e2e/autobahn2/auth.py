"""Joins a realm by autobahn-python, and says as whom, or why it was refused, and what it may do.

    auth.py URL

Standard input has a JSON object: `realm`, `authentication` as a component has it, and `asks`, a list
of an action and a URI each. It prints one line of JSON when it has left.
"""

import asyncio
import json
import sys

from autobahn.asyncio.component import Component
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import PublishOptions

PATIENCE = 20  # seconds


async def ask(session, action, uri):
    """Asks for one thing; the error's URI, or None."""
    asked = {
        "subscribe": lambda: session.subscribe(lambda: None, uri),
        "publish": lambda: session.publish(uri, options=PublishOptions(acknowledge=True)),
        "register": lambda: session.register(lambda: "done", uri),
        "call": lambda: session.call(uri),
    }[action]
    try:
        await asked()
    except ApplicationError as error:
        return error.error
    return None


async def main():
    what = json.load(sys.stdin)
    transport = {"type": "websocket", "url": sys.argv[1], "serializers": ["json"], "max_retries": 0}
    component = Component(transports=[transport], realm=what["realm"], authentication=what["authentication"])
    told = {}

    @component.on_join
    async def join(session, details):
        told.update(authid=details.authid, authrole=details.authrole, authmethod=details.authmethod)
        told["answers"] = [await ask(session, *asked) for asked in what["asks"]]
        await session.leave()

    @component.on_leave
    def leave(session, details):
        if not told:
            told["refused"] = details.reason

    try:
        await asyncio.wait_for(component.start(loop=asyncio.get_running_loop()), PATIENCE)
    except RuntimeError:
        # Who is refused has no connection left to try.
        if "refused" not in told:
            raise
    print(json.dumps(told))


asyncio.run(main())
