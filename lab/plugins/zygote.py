"""Every process of every compute host is a fork of this one, which has imported nova already.

That saves most of the CPU seconds and half of the memory that a nova-compute costs when it is
started on its own. A child enters its host's network namespace before it starts any thread, leads
a session of its own, and is a full nova-compute (the host's ssh port, or its Neutron agent). Requests come over a
Unix socket, one a connection: "compute HOST", "ssh HOST" or "agent HOST"; the answer is the pid.
"""

import datetime
import gc
import os
import signal
import socket
import sys
import threading
import time
import uuid
from pathlib import Path

run, socket_path = Path(os.environ["LAB_RUN"]), sys.argv[1]
etc = str(run / "etc")
sys.argv = ["nova-compute", "--config-file", etc + "/nova.conf"]
import nova.cmd.compute as cmd  # it decides on threading, so it comes first
import nova.virt

nova.virt.__path__.append(os.path.dirname(os.path.abspath(__file__)))
import nova.compute.manager
import nova.conductor.rpcapi
import nova.network.neutron
import nova.objects
import nova.scheduler.client.report
import nova.virt.labdriver
import nova.volume.cinder
import oslo_messaging
import oslo_messaging._drivers.impl_rabbit
import pymysql
from oslo_config import cfg

from lab import layout, network

nova.objects.register_all()
assert threading.active_count() == 1, threading.enumerate()
gc.collect()
gc.freeze()
BANNER = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u7\r\n"


def compute(host):
    sys.argv = [
        "nova-compute",
        "--config-file",
        etc + "/nova.conf",
        "--config-file",
        "%s/%s.conf" % (etc, host),
    ]
    return cmd.main()


def ssh(host):
    """Greet as sshd does; a connection is closed after the client's line, or 10 s."""
    listener = socket.create_server(("0.0.0.0", 22), backlog=128)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=greet, args=(client,), daemon=True).start()


def greet(client):
    with client:
        try:
            client.settimeout(10)
            client.sendall(BANNER)
            client.recv(256)
        except OSError:
            pass


def agent(host):
    """Report a Neutron agent's state over the message bus, as its Open vSwitch agent does.

    The agent itself would want a data plane; its heartbeat is one RPC (neutron/agent/rpc.py,
    PluginReportStateAPI.report_state).
    """
    conf = cfg.CONF  # oslo.messaging registers some of its options there alone
    conf(["--config-file", etc + "/neutron.conf"], project="neutron")
    conf.register_opt(cfg.IntOpt("report_interval", default=30), "agent")
    oslo_messaging.set_transport_defaults("neutron")
    transport = oslo_messaging.get_rpc_transport(conf)
    target = oslo_messaging.Target(topic="q-reports-plugin", version="1.2")
    client = oslo_messaging.get_rpc_client(transport, target)
    state = {
        "binary": "neutron-openvswitch-agent",
        "host": host,
        "topic": "N/A",
        "agent_type": "Open vSwitch agent",
        "configurations": {},
        "start_flag": True,
    }
    while True:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        report = {"agent_state": {**state, "uuid": str(uuid.uuid4())}}
        try:
            client.cast({}, "report_state", agent_state=report, time=now)
            state.pop("start_flag", None)
        except Exception as error:
            print("agent of %s: %s" % (host, error), flush=True)
        time.sleep(conf.agent.report_interval)


def fork(kind, host):
    pidfile = run / "pids" / ("%s-%s" % (kind, host))
    pid = os.fork()
    if pid:
        pidfile.write_text(str(pid))
        return pid
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        out = os.open(
            str(run / "log" / ("%s-%s.out" % (kind, host))), os.O_WRONLY | os.O_CREAT | os.O_APPEND
        )
        os.dup2(os.open("/dev/null", os.O_RDONLY), 0)
        os.dup2(out, 1)
        os.dup2(out, 2)
        os.closerange(3, 256)
        network.setns(layout.here().host_ns(host))
        code = {"compute": compute, "ssh": ssh, "agent": agent}[kind](host) or 0
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code)


signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the kernel reaps
Path(socket_path).unlink(missing_ok=True)
server = socket.socket(socket.AF_UNIX)
server.bind(socket_path + ".new")
server.listen(64)
os.rename(socket_path + ".new", socket_path)
while True:
    client, _ = server.accept()
    with client:
        try:
            client.settimeout(5)
            kind, host = client.recv(256).decode().split()
            client.sendall(b"%d\n" % fork(kind, host))
        except (OSError, ValueError) as error:
            print("zygote: request failed: %s" % error, flush=True)
