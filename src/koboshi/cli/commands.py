"""Which commands there are: one table for the parser, the first help page and the documents.

Each names the function that carries it out, which is imported only when it is called: the first
help page must not wait for libraries that it does not need.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandLine:
    """One command, as it is typed."""

    words: tuple[str, ...]
    arguments: str
    help: str
    target: str
    """`module:function`."""


COMMANDS = (
    CommandLine(
        words=("init",),
        arguments="",
        help="Write a commented configuration, filled in from the cloud.",
        target="koboshi.cli.init:init",
    ),
    CommandLine(
        words=("check",),
        arguments="",
        help="Test the configuration against the cloud; changes nothing.",
        target="koboshi.cli.check:check",
    ),
    CommandLine(
        words=("forecast",),
        arguments="[--fail HOST]",
        help="Tell what each host's death would cost; needs only clouds.yaml.",
        target="koboshi.cli.forecast:forecast",
    ),
    CommandLine(
        words=("run",),
        arguments="",
        help="Run the daemon: watch, judge, and (mode = act) recover.",
        target="koboshi.cli.run:run",
    ),
    CommandLine(
        words=("status",),
        arguments="[--watch]",
        help="Show the hosts, what is going on, and what to do next.",
        target="koboshi.cli.status:status",
    ),
    CommandLine(
        words=("arm",),
        arguments="[--keep]",
        help="Let the daemon act; ends a disarm.",
        target="koboshi.cli.arming:arm",
    ),
    CommandLine(
        words=("disarm",),
        arguments="-m REASON",
        help="Let the daemon begin nothing new, for a while (--for 2h).",
        target="koboshi.cli.arming:disarm",
    ),
    CommandLine(
        words=("host", "list"),
        arguments="",
        help="List all compute hosts with their verdicts.",
        target="koboshi.cli.host:list_hosts",
    ),
    CommandLine(
        words=("host", "explain"),
        arguments="HOST",
        help="Who says what of a host, and what would change the verdict.",
        target="koboshi.cli.host:explain_host",
    ),
    CommandLine(
        words=("host", "ok-to-stop"),
        arguments="HOST...",
        help="Say whether hosts may be stopped (exit code 0) or not (4).",
        target="koboshi.cli.ok_to_stop:ok_to_stop",
    ),
    CommandLine(
        words=("host", "confirm-dead"),
        arguments="HOST",
        help="Say that a host is dead: its servers come back on your word.",
        target="koboshi.cli.host:confirm_dead",
    ),
    CommandLine(
        words=("host", "test-fence"),
        arguments="HOST",
        help="Switch an empty, disabled host off and on: does it work?",
        target="koboshi.cli.host:try_fence",
    ),
    CommandLine(
        words=("server", "rebuild"),
        arguments="SERVER",
        help="Give up a held server's disks: it comes back from its image.",
        target="koboshi.cli.server:rebuild_server",
    ),
    CommandLine(
        words=("host", "release"),
        arguments="HOST",
        help="Let a host that failed again and again serve again.",
        target="koboshi.cli.host:release",
    ),
    CommandLine(
        words=("domain", "list"),
        arguments="",
        help="List the declared domains and their hosts.",
        target="koboshi.cli.domain:list_domains",
    ),
    CommandLine(
        words=("domain", "confirm"),
        arguments="DOMAIN",
        help="Say that a domain's silent hosts are dead: the brake lets go.",
        target="koboshi.cli.domain:confirm_domain",
    ),
    CommandLine(
        words=("confirm-domain",),
        arguments="DOMAIN",
        help="The same as domain confirm.",
        target="koboshi.cli.domain:confirm_domain",
    ),
    CommandLine(
        words=("policy", "explain"),
        arguments="SERVER",
        help="What counts for a server, from where, what that overrode.",
        target="koboshi.cli.policy:explain_policy",
    ),
    CommandLine(
        words=("why-not",),
        arguments="SERVER",
        help="Why a server was, or would not be, recovered.",
        target="koboshi.cli.policy:why_not",
    ),
    CommandLine(
        words=("incident", "list"),
        arguments="",
        help="List what has happened, newest first.",
        target="koboshi.cli.incident:list_incidents",
    ),
    CommandLine(
        words=("incident", "show"),
        arguments="ID",
        help="Tell one incident step by step, with the reasons.",
        target="koboshi.cli.incident:show_incident",
    ),
    CommandLine(
        words=("demo",),
        arguments="[--serve]",
        help="A host of a simulated cloud dies, its servers get up: watch.",
        target="koboshi.cli.demo:demo",
    ),
    CommandLine(
        words=("demo", "fault"),
        arguments="HOST FAULT",
        help="Do something to a host of a demo that is served.",
        target="koboshi.cli.demo:fault",
    ),
    CommandLine(
        words=("demo", "hosts"),
        arguments="",
        help="Show the hosts of a demo as they really are.",
        target="koboshi.cli.demo:hosts",
    ),
    CommandLine(
        words=("demo", "servers"),
        arguments="",
        help="Show its servers and their data as they really are.",
        target="koboshi.cli.demo:servers",
    ),
    CommandLine(
        words=("sim", "run"),
        arguments="STORY...",
        help="Play stories on a simulated cloud and hold them to their logs.",
        target="koboshi.cli.sim:run_stories",
    ),
    CommandLine(
        words=("sim", "campaign"),
        arguments="",
        help="Play random clouds with random troubles, judged by the truth.",
        target="koboshi.cli.campaign:campaign",
    ),
    CommandLine(
        words=("completion",),
        arguments="SHELL",
        help="Print the completion script for bash, zsh or fish.",
        target="koboshi.cli.completion:completion",
    ),
    CommandLine(
        words=("help",),
        arguments="[TOPIC]",
        help="This page, or a topic: exit-codes.",
        target="koboshi.cli.help:help_topic",
    ),
)

GROUPS = {
    "demo": "A simulated cloud on this machine, and Koboshi that watches it.",
    "domain": "Hosts that can fail together for one cause.",
    "host": "One compute host: what is known of it, and what a person says of it.",
    "incident": "What has happened to a host and its servers.",
    "server": "One server of a host that died.",
    "policy": "What is wanted for servers, and by whom.",
    "sim": "The same program on a simulated cloud, in virtual time.",
}

GLOBAL_OPTIONS = (
    ("--config FILE", "Settings to use [KOBOSHI_CONFIG; /etc/koboshi/koboshi.toml]."),
    ("--os-cloud NAME", "Cloud in clouds.yaml [OS_CLOUD]; other OS_* count, too."),
    ("--help, -h", "This page, or a command's own."),
    ("--version", "The version."),
)
