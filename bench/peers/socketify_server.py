"""Publish, subscribe and a sum, on uWebSockets: python socketify_server.py PORT [deflate]"""

import json
import sys

from socketify import App, AppListenOptions, CompressOptions, OpCode

PORT = int(sys.argv[1])
DEFLATE = sys.argv[2:] == ["deflate"]


def say(values):
    return json.dumps(values, separators=(",", ":"))


def message(socket, text, opcode):
    words = json.loads(text)
    if words[0] == "sub":
        socket.subscribe(words[1])
    elif words[0] == "pub":
        app.publish(words[1], say(["event", words[1], words[2]]), OpCode.TEXT, DEFLATE)
    elif words[0] == "call":
        socket.send(say(["result", words[1], words[2] + words[3]]), OpCode.TEXT)


app = App()
app.ws(
    "/*",
    {
        "compression": CompressOptions.SHARED_COMPRESSOR if DEFLATE else CompressOptions.DISABLED,
        "max_payload_length": 1 << 20,
        "idle_timeout": 0,
        "message": message,
    },
)
app.listen(AppListenOptions(port=PORT, host="127.0.0.1"), lambda config: None)
app.run()
