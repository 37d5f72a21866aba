"""Start the server of a learner as the system account of that learner."""

import os
import pwd
import resource
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import accounts
import hub_settings
from jupyterhub.spawner import LocalProcessSpawner, SimpleLocalProcessSpawner

# The hub and its proxy answer first when the processors are busy.
NICENESS = 5
# When memory runs out in spite of all limits, a learner's process ends and not the hub.
FIRST_TO_END = "500"


def has_systemd() -> bool:
    """Return whether systemd runs this machine; it can limit what a learner uses."""
    return Path("/run/systemd/system").is_dir()


def spawner_class() -> Any:
    """Return the class that keeps learners apart as well as this machine can."""
    if os.geteuid() != 0:
        return TrustingSpawner
    if has_systemd():
        from systemdspawner import SystemdSpawner

        return SystemdSpawner
    return AccountSpawner


def what_is_enforced() -> str:
    """Return in one line what keeps learners apart, and which limits hold."""
    if os.geteuid() != 0:
        return "Learners are NOT kept apart, and nothing is limited: this is not run by root."
    if has_systemd():
        return (
            "Each learner has a system account; systemd limits memory to "
            f"{hub_settings.MOST_MEMORY / hub_settings.GB:g} GB and processors to "
            f"{hub_settings.MOST_CORES:g} for each of them."
        )
    return (
        "Each learner has a system account; a process may have "
        f"{hub_settings.MOST_MEMORY_OF_A_PROCESS / hub_settings.GB:g} GB, and the processors are "
        "shared: without systemd nothing limits all processes of a learner together."
    )


def make_runtime_folder(account: pwd.struct_passwd) -> Path:
    """Make the folder for what a server needs to run: it starts even if the home is full."""
    folder = accounts.runtime_folder(account.pw_name)
    folder.parent.mkdir(mode=0o711, exist_ok=True)
    folder.parent.chmod(0o711)  # learners get through, and cannot look around
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    os.chown(folder, account.pw_uid, account.pw_gid)
    return folder


def prepare(spawner: Any) -> None:
    """Make the system account of somebody who was let in after signing up by themselves."""
    accounts.make_system_account(spawner.user.name)
    account = accounts.system_account(spawner.user.name)
    assert account is not None
    variables = {"HOME": account.pw_dir, "JUPYTER_RUNTIME_DIR": str(make_runtime_folder(account))}
    spawner.environment = {**spawner.environment, **variables}


def set_limits() -> None:
    """Limit this process and all that it starts, as far as a process without systemd can."""
    most = hub_settings.MOST_MEMORY_OF_A_PROCESS
    # Not the address space: TensorFlow maps far more than it ever uses.
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))
    threads = hub_settings.MOST_THREADS
    resource.setrlimit(resource.RLIMIT_NPROC, (threads, threads))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.nice(NICENESS)
    with open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:
        file.write(FIRST_TO_END)
    os.umask(0o077)


class AccountSpawner(LocalProcessSpawner):
    """Run the server as the learner's system account, and end all that it left behind."""

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does first: limits, then the account of the learner."""
        become_the_learner = super().make_preexec_fn(accounts.account_of(name))

        def first() -> None:
            set_limits()
            become_the_learner()

        return first

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add the variables that name the account."""
        account = accounts.system_account(self.user.name)
        assert account is not None
        env.update(USER=account.pw_name, HOME=account.pw_dir, SHELL=account.pw_shell)
        return env

    async def stop(self, now: bool = False) -> None:
        """Stop the server, and what the learner started beside it."""
        await super().stop(now)
        account = accounts.system_account(self.user.name)
        if account is not None:
            accounts.end_processes(account.pw_uid)


class TrustingSpawner(SimpleLocalProcessSpawner):
    """Run all servers as the one who started the hub: each learner can do what the others can."""

    def make_preexec_fn(self, name: str) -> Callable[[], None]:
        """Return what the new process does first: go into the learner's folder."""
        home = Path(self.home_dir)

        def first() -> None:
            os.umask(0o077)
            home.mkdir(parents=True, exist_ok=True)
            os.chdir(home)

        return first

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add the variables that name the folder."""
        env.update(USER=self.user.name, HOME=self.home_dir, SHELL=shutil.which("bash") or "/bin/sh")
        return env
