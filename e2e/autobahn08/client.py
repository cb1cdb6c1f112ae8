"""Two sessions of autobahn-python 0.8 against a server: python2.7 client.py ws://HOST:PORT

Prints one JSON object of what they heard, for the test to judge. Exits with 1 if it gets stuck.
"""
from __future__ import print_function

import json
import os
import site
import sys

# By addsitedir, not PYTHONPATH: zope's namespace package works through its .pth file.
site.addsitedir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".site"))

from autobahn.twisted.websocket import connectWS
from autobahn.wamp1.protocol import WampClientFactory, WampClientProtocol
from twisted.internet import defer, reactor

NEWS = "http://acme.example/news"
END = "http://acme.example/end"


class Session(WampClientProtocol):
    def onSessionOpen(self):
        self.factory.opened.callback(self)

    def onClose(self, wasClean, code, reason):
        self.factory.closed.callback(wasClean)


def connect(url):
    factory = WampClientFactory(url, debugWamp=False)
    factory.protocol = Session
    factory.opened = defer.Deferred()
    factory.closed = defer.Deferred()
    connectWS(factory)
    return factory.opened


@defer.inlineCallbacks
def failure_of(call):
    """The error URI, description and details of a call that is to fail."""
    try:
        result = yield call
    except Exception as error:
        defer.returnValue(list(error.args))
    raise AssertionError("the call succeeded: %r" % (result,))


@defer.inlineCallbacks
def converse(url):
    publisher = yield connect(url)
    other = yield connect(url)
    heard = {"publisher": [], "other": []}
    ended = defer.Deferred()

    publisher.subscribe(NEWS, lambda uri, event: heard["publisher"].append([uri, event]))
    other.prefix("acme", "http://acme.example/")
    other.subscribe("acme:news", lambda uri, event: heard["other"].append([uri, event]))
    other.subscribe("acme:end", lambda uri, event: ended.callback(event))
    # A session's messages are handled in order: a reply says that what went before has been done.
    for session in (publisher, other):
        yield failure_of(session.call("settled/nothing"))

    publisher.publish(NEWS, {"msg": "to all"})
    publisher.publish(NEWS, "by exclude", exclude=[publisher.session_id])
    publisher.publish(NEWS, "by eligible", eligible=[other.session_id])
    publisher.publish(NEWS, "to nobody", exclude=[other.session_id], eligible=[other.session_id])
    yield failure_of(publisher.call("settled/nothing"))
    other.publish("acme:news", "by CURIE", excludeMe=False)
    for session in (other, publisher):
        yield failure_of(session.call("settled/nothing"))
    publisher.unsubscribe(NEWS)
    publisher.publish(NEWS, "after unsubscribing")
    publisher.publish(END, "the end")
    end = yield ended

    error = yield failure_of(publisher.call("sample/nothing", {"term1": 2}))
    ids = [publisher.session_id, other.session_id]
    clean = []
    for session in (publisher, other):
        session.sendClose(1000, u"done")
        clean.append((yield session.factory.closed))
    defer.returnValue({"heard": heard, "end": end, "error": error, "ids": ids, "clean": clean})


def report(outcome):
    print(json.dumps(outcome))
    reactor.stop()


def fail(failure):
    failure.printTraceback()
    reactor.stop()


if __name__ == "__main__":
    done = converse(sys.argv[1])
    done.addTimeout(20, reactor)
    done.addCallbacks(report, fail)
    reactor.run()
