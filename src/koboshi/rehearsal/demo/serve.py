"""The demo to play with: the cloud and Koboshi go on until they are told to end."""

import anyio

from koboshi.rehearsal.demo.control import DEMO_FAULT_MEANING, DemoFault, serve_control
from koboshi.rehearsal.demo.directory import CLOUD
from koboshi.rehearsal.demo.play import Say, Teller, scene
from koboshi.rehearsal.demo.show import LOOK_S, Show
from koboshi.rehearsal.demo.telling import Kind, Said
from koboshi.sim.breach import Rule


async def serve(show: Show, say: Say) -> None:
    """Tell what happens, until cancelled. Raises KoboshiError should Koboshi end by itself."""
    scene(show, say)

    teller = Teller(show, say)

    def told(host: str, what: DemoFault) -> None:
        teller.count()
        say(Said(kind=Kind.HAPPENS, text=f"{host}: {DEMO_FAULT_MEANING[what]}"))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_control, show, told)
        await show.until_watching()
        show.directory.write_clouds(show.served)
        _say_what_to_type(show, say)
        teller.listen()
        tasks.start_soon(teller.watch_status)
        broken = 0
        while True:
            show.daemon.assert_alive()
            show.following.read()
            for breach in show.judge.breaches[broken:]:
                if breach.rule is Rule.UNEXPLAINED:
                    continue  # `koboshi check` tries what it may do, with the same credentials
                say(Said(kind=Kind.TROUBLE, text=f"a rule was broken: {breach}"))
            broken = len(show.judge.breaches)
            await anyio.sleep(LOOK_S)


def _say_what_to_type(show: Show, say: Say) -> None:
    directory = show.directory.path
    lines = (
        f"export OS_CLIENT_CONFIG_FILE={show.directory.clouds_yaml} OS_CLOUD={CLOUD}",
        "openstack server list --all-projects --long; openstack compute service list",
        f"koboshi --config {show.directory.koboshi_toml} status --watch",
        f"koboshi --config {show.directory.koboshi_toml} forecast --host compute1 --disks",
        f"koboshi demo fault compute1 power -D {directory}",
        f"koboshi demo hosts -D {directory}; koboshi demo servers -D {directory}",
    )
    say(Said(kind=Kind.NEXT, text="ready; Ctrl-C ends it; in another terminal", details=lines))
