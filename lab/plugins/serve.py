"""Serve one OpenStack API from one process with a thread pool, and fail as the knobs say.

usage: serve.py NAME MODULE PORT THREADS [arguments that the module should see in sys.argv]
The knob file knobs/api-NAME.json is read at each request: {"rules": [{"method", "path",
"status", "delay", "drop_after"}]}; the first rule that matches counts.
"""

import importlib
import os
import re
import socket
import sys
import time
from pathlib import Path

name, module, port, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.argv = [module.split(".")[0] + "-api", *sys.argv[5:]]
app = importlib.import_module(module).application

import waitress

from lab import knobs
from lab.layout import CONTROL_IP

RUN = Path(os.environ["LAB_RUN"])


def rule_for(environ):
    for rule in knobs.read(RUN, "api-" + name).get("rules", ()):
        if rule.get("method") in (None, environ["REQUEST_METHOD"]) and re.search(
            rule.get("path") or "", environ["PATH_INFO"]
        ):
            return rule
    return {}


def lab_app(environ, start_response):
    rule = rule_for(environ)
    time.sleep(rule.get("delay") or 0)
    if rule.get("drop_after"):
        body = app(environ, lambda *args, **kwargs: lambda data: None)
        list(body)  # the effect happens; its answer is lost on the way
        channel = environ["waitress.client_disconnected"].__self__
        channel.socket.shutdown(socket.SHUT_RDWR)
        start_response("500 Lost", [])
        return []
    if rule.get("status"):
        text = b'{"computeFault": {"code": %d, "message": "lab: told to fail"}}' % rule["status"]
        start_response("%d Lab" % rule["status"], [("Content-Type", "application/json")])
        return [text]
    return app(environ, start_response)


waitress.serve(
    lab_app,
    listen="%s:%d" % (CONTROL_IP, port),
    threads=threads,
    connection_limit=500,
    channel_timeout=600,
    max_request_body_size=1 << 33,
    ident="lab",
)
