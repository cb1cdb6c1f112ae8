"""Receives Clank's webhooks: python3 receiver.py PORT, with the secret in WEBHOOK_SECRET.

Python's own library is all that it needs. Each event that counts is printed as a line, once.
"""

import base64
import hashlib
import hmac
import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock

TOLERANCE = 5 * 60  # seconds
KEY = base64.b64decode(os.environ["WEBHOOK_SECRET"].removeprefix("whsec_"))

lock = Lock()
seen = {}  # event ids, and when they came: a database in earnest
versions = {}  # the last version that was applied, by journal-wide identity


def verify(headers, body):
    """Raises ValueError unless the request is Clank's, new, and as it was sent."""
    message = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdecimal() or abs(time.time() - int(timestamp)) > TOLERANCE:
        raise ValueError("stale, or from the future")
    signed = f"{message}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    for signature in headers.get("webhook-signature", "").split():
        version, _, value = signature.partition(",")
        if version == "v1" and hmac.compare_digest(value, expected):
            return
    raise ValueError("not signed with this secret")


def apply(event):
    """Applies an event once. At least once is promised, so that one may come again."""
    record = event["data"]
    with lock:
        if event["id"] in seen:
            return
        seen[event["id"]] = time.time()
        identity = record.get("identity")
        if identity and "version" in identity:
            # The event of an older connection, which came late: the user has connected again.
            if identity["version"] <= versions.get(identity["id"], 0):
                return
            versions[identity["id"]] = identity["version"]
        print(event["type"], event["id"], flush=True)


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            verify(self.headers, body)
            events = json.loads(body)
            for event in events if isinstance(events, list) else [events]:
                apply(event)
            status = 204
        except (ValueError, KeyError) as error:
            print(f"refused: {error}", file=sys.stderr)
            status = 401
        self.send_response(status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(f"Listening on http://127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
