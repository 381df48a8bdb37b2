"""Fence agents of the test's own: they really switch, keep what they were given, and blab it.

One speaks as any agent does and repeats its input when it fails; the other hands what it got to an
`ipmitool`, by the words that Debian's fence_ipmilan uses.
"""

import sys
from pathlib import Path

KEEP = '''
def keep(kind, told=""):
    """Write down what every user of this machine may read of us, and of who started us."""
    seen, pid = [], os.getpid()
    while pid > 1:
        seen.append(open(f"/proc/{pid}/cmdline").read().replace("\\0", " "))
        pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    with open(RECORD, "a") as file:
        file.write(json.dumps({"kind": kind, "argv": seen, "env": dict(os.environ)}) + "\\n")
'''
HEAD = """#!{python} -I
import base64, json, os, shlex, subprocess, sys, time, urllib.request
RECORD, URL, CREDENTIALS, FOLDER = {record!r}, {url!r}, {credentials!r}, {folder!r}
"""
BLABS = """
text = sys.stdin.read()
told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
action = told["action"]
keep(action)
def ask(method, path, body=None):
    request = urllib.request.Request(URL + path, method=method, data=body)
    request.add_header("Authorization", "Basic " + base64.b64encode(CREDENTIALS.encode()).decode())
    request.add_header("Content-Type", "application/json")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(request, timeout=5) as answer:
        return json.loads(answer.read() or b"{}")
system = "/redfish/v1/Systems/" + told["plug"]
failed = os.path.join(FOLDER, "failed-" + action)
if action == "off" and not os.path.exists(failed):
    open(failed, "w").close()
    sys.stderr.write("Traceback: cannot log in, I was told:\\n" + text + repr(told))
    sys.exit(1)
if action == "off":
    ask("POST", system + "/Actions/ComputerSystem.Reset", b'{"ResetType": "ForceOff"}')
elif action == "status":
    power = ask("GET", system)["PowerState"].upper()
    print("Status: " + power)
    sys.exit(2 if power == "OFF" else 0)
elif action == "metadata":
    print("<resource-agent/>")
"""
IPMILAN = """
text = sys.stdin.read()
told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
keep("ipmilan")
sudo = told["sudo_path"] + " " if told.get("sudo") else ""
line = f"{sudo}{FOLDER}/ipmitool -I lanplus -H {told['ip']} -U {told['username']} "
line += f"-P {shlex.quote(told['password'])} -p 623 chassis power status"
ended = subprocess.run(shlex.split(line), capture_output=True, text=True)
sys.stderr.write(text + line + repr(dict(os.environ)) + ended.stderr)
print("Status: ON")
sys.exit(0 if ended.returncode == 0 else 1)
"""
IPMITOOL = """
keep("ipmitool")
time.sleep(0.2)
sys.stderr.write(repr(dict(os.environ)))
sys.exit(0)
"""


def write_agents(folder: Path, *, record: Path, url: str, credentials: str) -> None:
    """Put the programs into `folder`; `credentials` are the simulated BMCs' own."""
    head = HEAD.format(
        python=sys.executable,
        record=str(record),
        url=url,
        credentials=credentials,
        folder=str(folder),
    )
    texts = {"fence_blabs": BLABS, "fence_ipmilan": IPMILAN, "ipmitool": IPMITOOL}
    for name, text in texts.items():
        (folder / name).write_text(head + KEEP + text)
        (folder / name).chmod(0o700)
