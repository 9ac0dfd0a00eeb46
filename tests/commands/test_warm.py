"""The warm process runs a command as the command runs by itself: streams, folder, environment, end and signals."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.signals import heed
from tests.support.snakemake_runs import wait_for
from xcebra_nwb.commands.cli.hand_over import ADDRESS, THREADS
from xcebra_nwb.commands.warm.start import start

SERVER = """
import os, signal, socket, sys, time
from xcebra_nwb.commands.warm.server import serve
def command_line():
    match sys.argv[1]:
        case "say":
            print(sys.stdin.read(), os.getcwd(), os.environ["HUE"], os.fsencode(sys.argv[2]), os.getppid())
            print("trouble", file=sys.stderr)
            sys.exit(3)
        case "sleep":
            print(os.getpid(), flush=True)
            time.sleep(60)
        case "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "raise":
            raise RuntimeError("unforeseen")
serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:], command_line)
"""
HAND_OVER = "import sys; from xcebra_nwb.commands.cli.hand_over import hand_over; code = hand_over(sys.argv[1:]); "
CLIENT, BY_ITSELF = f"{HAND_OVER} sys.exit(code)", f"{HAND_OVER} sys.exit(code is None)"


class Warm:
    """A warm process whose commands are those of :data:`SERVER`."""

    def __init__(self, *modules: str) -> None:
        self.address = f"xcebra-nwb-test-{os.urandom(8).hex()}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(f"\0{self.address}")
            listener.listen()
            self.process = subprocess.Popen(
                [sys.executable, "-c", SERVER, str(listener.fileno()), *modules],
                env=os.environ | {"JE_ARROW_MALLOC_CONF": "background_thread:false"},
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                preexec_fn=heed,
            )

    def call(self, *words: str | bytes, program: str = CLIENT, **options: object) -> subprocess.Popen[bytes]:
        given = options.pop("env", {})
        assert isinstance(given, dict)
        environment = os.environ | {ADDRESS: self.address, THREADS: "1", **given}
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-c", program, *words]
        return subprocess.Popen(command, env=environment, preexec_fn=heed, **(pipes | options))  # type: ignore[call-overload]

    def end(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait(timeout=30)


@pytest.fixture
def warm() -> Iterator[Warm]:
    warm = Warm()
    yield warm
    warm.end()


def test_a_command_has_the_streams_folder_environment_arguments_and_exit_code_of_its_client(
    warm: Warm, tmp_path: Path
) -> None:
    client = warm.call("say", b"\xff a", cwd=tmp_path, env={"HUE": "green"})
    said, trouble = client.communicate(b"question", timeout=30)
    assert said.decode().split() == ["question", str(tmp_path), "green", r"b'\xff", "a'", str(warm.process.pid)]
    assert (trouble, client.returncode) == (b"trouble\n", 3)


def test_a_command_that_fails_without_a_word_of_its_own_has_its_traceback_in_the_log_of_the_client(warm: Warm) -> None:
    client = warm.call("raise")
    _, trouble = client.communicate(timeout=30)
    assert b"RuntimeError: unforeseen" in trouble
    assert client.returncode == 1


def test_the_client_of_a_command_that_a_signal_ends_is_ended_by_it_too(warm: Warm) -> None:
    client = warm.call("crash")
    client.communicate(timeout=30)
    assert client.returncode == -signal.SIGSEGV


def test_the_command_of_a_client_that_is_killed_is_killed_and_the_others_go_on(warm: Warm) -> None:
    client = warm.call("sleep")
    assert client.stdout is not None
    command = psutil.Process(int(client.stdout.readline()))
    other = warm.call("sleep")
    assert other.stdout is not None
    at_work = psutil.Process(int(other.stdout.readline()))
    client.kill()
    client.communicate()
    wait_for(lambda: not command.is_running())
    assert at_work.is_running()
    at_work.terminate()
    other.communicate(timeout=30)
    assert other.returncode == -signal.SIGTERM


def test_a_warm_process_that_is_killed_takes_its_commands_with_it_and_later_ones_run_by_themselves(warm: Warm) -> None:
    client = warm.call("sleep")
    assert client.stdout is not None
    command = psutil.Process(int(client.stdout.readline()))
    warm.call("say", env={"HUE": "green"}).communicate(b"", timeout=30)  # so the client has heard that it has begun
    warm.process.kill()
    client.communicate(timeout=30)
    assert client.returncode == -signal.SIGKILL
    wait_for(lambda: not command.is_running())
    later = warm.call("say", program=BY_ITSELF)
    later.communicate(timeout=30)
    assert later.returncode == 1


def test_an_interrupt_ends_the_commands_and_then_the_warm_process(warm: Warm) -> None:
    client = warm.call("sleep")
    assert client.stdout is not None
    command = int(client.stdout.readline())
    for process in (client.pid, warm.process.pid, command):  # as Ctrl-C in a terminal
        os.kill(process, signal.SIGINT)
    _, trouble = client.communicate(timeout=30)
    assert b"KeyboardInterrupt" in trouble
    assert client.returncode == 1
    assert warm.process.wait(timeout=30) == 0


def test_the_end_of_the_workflow_ends_the_warm_process_after_its_commands(warm: Warm) -> None:
    client = warm.call("sleep")
    assert client.stdout is not None and warm.process.stdin is not None
    command = int(client.stdout.readline())
    warm.process.stdin.close()
    later = warm.call("say", program=BY_ITSELF)
    later.communicate(timeout=30)
    assert later.returncode == 1
    os.kill(command, signal.SIGTERM)
    client.communicate(timeout=30)
    assert client.returncode == -signal.SIGTERM
    assert warm.process.wait(timeout=30) == 0


@pytest.mark.parametrize("given", [{THREADS: "2"}, {ADDRESS: "off"}, {ADDRESS: ""}])
def test_a_command_with_more_threads_or_without_a_warm_process_runs_by_itself(
    warm: Warm, given: dict[str, str]
) -> None:
    client = warm.call("say", program=BY_ITSELF, env=given)
    client.communicate(timeout=30)
    assert client.returncode == 1


def test_a_package_that_is_missing_is_left_to_the_command_to_name() -> None:
    warm = Warm("json", "no_such_package")
    client = warm.call("say", program=BY_ITSELF, env={"HUE": "green"})
    client.communicate(timeout=30)
    assert client.returncode == 1
    warm.end()


def test_start_lets_the_commands_of_this_process_find_it_and_ends_with_it() -> None:
    program = (
        "import os, subprocess, sys; from xcebra_nwb.commands.warm.start import start; start(); "
        "start(); print(subprocess.run(['pgrep', '-c', '-P', str(os.getpid()), '-f', 'warm.server']).returncode)"
    )
    environment = {name: value for name, value in os.environ.items() if name != ADDRESS}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, timeout=60)
    assert done.stdout.split() == ["1", "0"]


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ADDRESS, "off")
    monkeypatch.delattr(subprocess, "Popen")
    start()
