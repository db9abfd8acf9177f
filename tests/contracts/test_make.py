"""What `make` decides before it acts: which stack is meant, on which ports, and whether a trial may begin."""

import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = ("sh", "sed", "grep", "tail", "tr", "expr", "make", "bash", "env", "cat", "dirname")
# Docker as far as it is asked here: answers lie in files beside it; without `ps-all` no daemon answers.
DOCKER = """#!/bin/sh
cd "$(dirname "$0")"
case "$*" in
  "compose ps -aq") [ -e ps-all ] || { echo "Cannot connect to the Docker daemon" >&2; exit 1; }; cat ps-all ;;
  "compose ps -q "*) cat "running-$4" 2>/dev/null || true ;;
  "compose config") echo "name: remit" ;;
  "volume ls -q "*"project=remit "*) cat volumes 2>/dev/null || true ;;
  *) echo "ran docker $*" ;;
esac
"""


class Machine:
    """A folder with Remit's Makefile, and a PATH with little on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.bin = folder / "remit", folder / "bin"
        self.bin.mkdir()
        for name in NEEDED:
            found = shutil.which(name)
            assert found, name
            (self.bin / name).symlink_to(found)
        (self.folder / "deploy").mkdir(parents=True)
        for name in ("Makefile", "deploy/which_stack.sh"):
            shutil.copyfile(ROOT / name, self.folder / name)

    def docker(self, **answers: str) -> None:
        path = self.bin / "docker"
        path.write_text(DOCKER)
        path.chmod(0o755)
        for name, answer in answers.items():
            (self.bin / name.replace("_", "-")).write_text(answer)

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command, cwd=self.folder, env={"PATH": str(self.bin), **environ}, capture_output=True, text=True,
            timeout=30, check=False,
        )  # fmt: skip

    def stack(self) -> tuple[int, str]:
        done = self.run("sh", "deploy/which_stack.sh", "postgres")
        return done.returncode, (done.stdout + done.stderr).strip()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_without_docker_or_anything_of_composes_it_is_make_runs(machine: Machine) -> None:
    assert machine.stack() == (0, "run")
    machine.docker()
    assert machine.stack() == (0, "run"), "Docker is there, does not run, and was not used"
    machine.docker(ps_all="")
    assert machine.stack() == (0, "run")


def test_what_runs_in_compose_is_composes(machine: Machine) -> None:
    machine.docker(ps_all="abc\n", running_postgres="abc\n")
    assert machine.stack() == (0, "compose")
    done = machine.run("make", "backup")
    assert done.stdout == "ran docker compose run --rm --no-deps -T backup\n", done.stderr


@pytest.mark.parametrize("left", [{"ps_all": "abc\n"}, {"ps_all": "", "volumes": "remit_postgres-data\n"}])
def test_a_stack_that_is_stopped_or_down_is_not_taken_for_an_old_folder(machine: Machine, left: dict[str, str]) -> None:
    machine.docker(**left)
    status, said = machine.stack()
    assert (status, "up --wait" in said) == (1, True), said
    for goal in ("backup", "prove", "token"):
        done = machine.run("make", goal)
        assert done.returncode != 0, goal
        assert "ran docker" not in done.stdout, goal
    assert machine.run("sh", "deploy/which_stack.sh").stdout == "compose\n", "for who needs no service of it"


@pytest.mark.parametrize("trace", [".env", "backups/remit-20260101T000000Z/manifest.json"])
def test_a_docker_that_fails_where_compose_was_used_is_an_error(machine: Machine, trace: str) -> None:
    (machine.folder / trace).parent.mkdir(parents=True, exist_ok=True)
    (machine.folder / trace).write_text('{\n "kind": "postgresql"\n}\n')
    assert machine.stack()[0] == 1, "not on the PATH, such as that of cron"
    machine.docker()
    status, said = machine.stack()
    assert status == 1
    assert "Cannot connect to the Docker daemon" in said


def test_ports_come_from_the_env_file_and_port_base_moves_them_all(machine: Machine) -> None:
    def ports(**environ: str) -> dict[str, str]:
        shown = machine.run("make", "-s", "--eval=show:;@env", "show", **environ).stdout
        return dict(line.split("=", 1) for line in shown.splitlines() if "PORT" in line)

    plain = ports()
    assert (plain["PORT_BASE"], plain["PORTAL_PORT"], plain["SANDBOX_PORT"]) == ("8000", "8000", "8009")
    (machine.folder / ".env").write_text("PORT_BASE=9000\nPAYMENTS_PORT=9501\n")
    kept = ports()
    assert (kept["PORT_BASE"], kept["PAYMENTS_PORT"], kept["BILLING_PORT"]) == ("9000", "9501", "9002")
    moved = ports(PORT_BASE="7000", BILLING_PORT="7777")
    assert (moved["PAYMENTS_PORT"], moved["BILLING_PORT"]) == ("7001", "7777")


@pytest.mark.parametrize("line", ["SMTP_URL=smtp://mail.example", "CALLBACK_BASE_URL=https://remit.example"])
def test_a_trial_does_not_begin_over_settings_for_real_money(machine: Machine, line: str) -> None:
    machine.docker(ps_all="")
    (machine.folder / ".env").write_text(f"COMPOSE_PROFILES=tls\n{line}\n")
    refused = machine.run("make", "up")
    assert refused.returncode != 0
    assert "docker compose up --build --wait" in refused.stderr
    assert "ran docker" not in refused.stdout
    (machine.folder / ".env").write_text(f"COMPOSE_PROFILES=tls\n#{line}\n")
    assert "ran docker compose --profile sandbox --profile tls up --build --wait" in machine.run("make", "up").stdout
