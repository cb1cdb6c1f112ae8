"""Joins by autobahn-python, offers com.example.python.add, and says what it hears and is answered.

    client.py URL SERIALIZER

The URL is that of a WebSocket, or rs://HOST:PORT or rs://unix:PATH for RawSocket.

It prints one line of JSON when it has left.
"""

import asyncio
import json
import sys

from autobahn.asyncio.component import Component
from autobahn.wamp.exception import ApplicationError
from autobahn.wamp.types import CallOptions, PublishOptions, RegisterOptions, SubscribeOptions

URL, SERIALIZER = sys.argv[1:]
PATIENCE = 20  # seconds
TOPIC = "com.example.topic"


async def use(session):
    heard = asyncio.Queue()

    async def fail():
        raise ApplicationError("com.example.wrong", "it is wrong", 1)

    async def never():
        await asyncio.sleep(PATIENCE)

    def count(to, details=None):
        for number in range(to):
            details.progress(number)
        return to

    await session.register(lambda a, b: a + b, "com.example.python.add")
    await session.register(fail, "com.example.python.fail")
    await session.register(never, "com.example.python.never")
    await session.register(count, "com.example.python.count", options=RegisterOptions(details_arg="details"))
    await session.subscribe(lambda *args, **kwargs: heard.put_nowait([list(args), kwargs]), TOPIC)
    to_all = PublishOptions(acknowledge=True, exclude_me=False)
    await session.publish(TOPIC, "hi", {"n": [1, -2.5, None]}, key="ä", options=to_all)
    told = {"heard": await heard.get(), "sum": await session.call("com.example.python.add", 2, 3)}
    try:
        await session.call("com.example.python.fail")
    except ApplicationError as error:
        told["error"] = [error.error, list(error.args)]
    try:
        await session.call("com.example.python.nothing")
    except ApplicationError as error:
        told["unknown"] = error.error
    try:
        await session.call("com.example.python.never", options=CallOptions(timeout=50))
    except ApplicationError as error:
        told["late"] = error.error
    waiting = session.call("com.example.python.never")
    waiting.cancel()
    told["cancelled"] = waiting.cancelled()
    told["patterns"] = await use_patterns(session)
    told["meta"] = await use_meta(session)
    parts = []
    options = CallOptions(on_progress=parts.append)
    told["parts"] = [await session.call("com.example.python.count", 3, options=options), parts]
    return told


async def use_patterns(session):
    heard = asyncio.Queue()

    def hear(number, details=None):
        heard.put_nowait([details.topic, number])

    def answer(details=None):
        return details.procedure

    for topic, match in ("com.example.up", "prefix"), ("com..upper", "wildcard"):
        await session.subscribe(hear, topic, options=SubscribeOptions(match=match, details_arg="details"))
    await session.publish("com.example.upper", 1, options=PublishOptions(acknowledge=True, exclude_me=False))
    shared = RegisterOptions(match="prefix", invoke="roundrobin", details_arg="details")
    await session.register(answer, "com.example.any", options=shared)
    return [await heard.get(), await heard.get(), await session.call("com.example.anything")]


async def use_meta(session):
    known = await session.call("wamp.session.get", session.session_id)
    topics = await session.call("wamp.subscription.match", "com.example.upper")
    procedure = await session.call("wamp.registration.match", "com.example.anything")
    registered = await session.call("wamp.registration.get", procedure)
    return {
        "sessions": await session.call("wamp.session.count"),
        "authrole": known["authrole"],
        "topics": len(topics),
        "registered": [registered["uri"], registered["match"], registered["invoke"]],
        "callees": await session.call("wamp.registration.list_callees", procedure) == [session.session_id],
    }


async def main():
    transport = {"type": "websocket", "url": URL, "serializers": [SERIALIZER], "max_retries": 0}
    if URL.startswith("rs://"):
        transport.update(type="rawsocket", serializer=SERIALIZER)
        del transport["serializers"]
    component = Component(transports=[transport], realm="realm1")
    told, left = {}, []

    @component.on_leave
    async def leave(session, details):
        left.append(details.reason)

    @component.on_join
    async def join(session, details):
        told.update(session=details.session, authrole=details.authrole)
        told.update(await asyncio.wait_for(use(session), PATIENCE))
        await session.leave()

    try:
        await asyncio.wait_for(component.start(loop=asyncio.get_running_loop()), 2 * PATIENCE)
    except RuntimeError:
        # The end of a RawSocket counts as a failure to it, also behind GOODBYE.
        if left != ["wamp.close.goodbye_and_out"] or not URL.startswith("rs://"):
            raise
    print(json.dumps(told))


asyncio.run(main())
