"""Make the accounts of a room: `accounts.py 20`, or `accounts.py ada ben`.

Each new account gets a first password, which is printed once and kept nowhere. Accounts that are
there stay as they are, their passwords too, until `--reset` or `--remove` names them. Run it with
the Python of .venv-hub, and as root where learners are to be kept apart.
"""

import argparse
import contextlib
import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hub_settings

PREFIX = "lk-"  # of the system accounts: a learner's name never means an account of somebody else
COMMENT = "learner of TensorFlow in a loop"  # in the list of accounts: this program made it
LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that looks like another one
GROUPS_OF_A_PASSWORD = 3
SECONDS_TO_END = 20


class BadName(ValueError):
    """A name that cannot be an account, with the reason."""


class NotOurs(RuntimeError):
    """A system account or a folder that this program did not make."""


# ---- names ----


def check_names(names: list[str]) -> None:
    """Raise BadName if a name cannot be an account, or if two are the same."""
    seen = set()
    for name in names:
        check_name(name)
        if name in seen:
            raise BadName(f"{name!r} is there twice: two learners need two names")
        seen.add(name)


def check_name(name: str) -> None:
    """Raise BadName, with a name that would do, if this one cannot be an account."""
    if re.fullmatch(hub_settings.NAME, name):
        return
    reason = f"{name!r} cannot be an account: a name has up to 24 of a-z, 0-9 and -, a letter first"
    similar = similar_name(name)
    if similar:
        reason += f"; {similar!r} would do"
    raise BadName(reason)


def similar_name(name: str) -> str:
    """Return a name like this one that can be an account; nothing if there is none."""
    letters = unicodedata.normalize("NFKD", name.lower()).replace("ß", "ss")
    letters = letters.encode("ascii", "ignore").decode()
    letters = re.sub(r"[^a-z0-9]+", "-", letters).strip("-")
    letters = re.sub(r"^[0-9-]+", "", letters)[:24].rstrip("-")
    return letters if re.fullmatch(hub_settings.NAME, letters) else ""


def numbered_names(count: int) -> list[str]:
    """Return learner01, learner02 and so on."""
    return [f"learner{number:02d}" for number in range(1, count + 1)]


def new_password() -> str:
    """Return a first password that is read from paper without mistakes."""
    groups = []
    for _ in range(GROUPS_OF_A_PASSWORD):
        groups.append("".join(secrets.choice(LETTERS) for _ in range(4)))
    return "-".join(groups)


# ---- system accounts ----


def account_of(name: str) -> str:
    """Return the system account of a learner."""
    return PREFIX + name


def system_account(name: str) -> pwd.struct_passwd | None:
    """Return the system account of a learner, None without one; raise NotOurs for another's."""
    try:
        found = pwd.getpwnam(account_of(name))
    except KeyError:
        return None
    if found.pw_gecos.split(",")[0] != COMMENT or found.pw_uid == 0:
        raise NotOurs(f"the system account {found.pw_name} is not one of the course: remove it")
    return found


def runtime_folder(account: str) -> Path:
    """Return the folder of what a server needs to run, beside the homes."""
    return hub_settings.homes_folder() / f".{PREFIX}runtime" / account


def make_system_account(name: str) -> bool:
    """Make the system account of a learner unless it is there; return whether it was made."""
    check_name(name)
    if system_account(name) is not None:
        return False
    home = hub_settings.homes_folder() / account_of(name)
    if home.exists() or home.is_symlink():
        raise NotOurs(
            f"{home} is left from an earlier account: move or delete it, it would belong to {name}"
        )
    home.parent.mkdir(parents=True, exist_ok=True)
    command = ["useradd", "--create-home", "--home-dir", str(home), "--user-group"]
    command += ["--shell", "/bin/bash", "--comment", COMMENT, "--key", "UMASK=077"]
    run([*command, account_of(name)])
    home.chmod(0o700)
    return True


def remove_system_account(name: str, *, with_files: bool) -> None:
    """End all processes of a learner's account and remove it; its folder stays unless told."""
    found = system_account(name)
    if found is None:
        return
    if not end_processes(found.pw_uid):
        raise RuntimeError(f"processes of {found.pw_name} cannot be ended")
    run(["userdel", found.pw_name])
    shutil.rmtree(runtime_folder(found.pw_name), ignore_errors=True)
    home = Path(found.pw_dir)
    if not home.is_dir() or home.is_symlink():
        return
    if with_files:
        shutil.rmtree(home)
    else:
        # The next account may get the same number, and must not get this folder with it.
        os.chown(home, 0, 0)


def end_processes_of(name: str) -> None:
    """Kill all processes of a learner, whose account stays."""
    found = system_account(name)
    if found is not None:
        end_processes(found.pw_uid)


def run(command: list[str]) -> None:
    """Run a program of the system; raise RuntimeError with what it says if it fails."""
    done = subprocess.run(command, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")


def processes_of(uid: int) -> list[int]:
    """Return the living processes of a system account, by id."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal():
            continue
        with contextlib.suppress(OSError, IndexError):
            status = (folder / "status").read_text(encoding="utf-8", errors="replace")
            is_zombie = re.search(r"^State:\s+Z", status, re.MULTILINE)
            if not is_zombie and folder.stat().st_uid == uid:
                found.append(int(folder.name))
    return found


def end_processes(uid: int) -> bool:
    """Kill all processes of a system account; return whether none is left."""
    if uid == 0:
        raise ValueError("these are the processes of the system")
    until = time.monotonic() + SECONDS_TO_END
    while time.monotonic() < until:
        left = processes_of(uid)
        if not left:
            return True
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.05)
    return False


# ---- passwords, in the hub's database ----


@contextlib.contextmanager
def passwords() -> Iterator[Any]:
    """Open the database of the hub, which may be running."""
    from jupyterhub import orm
    from nativeauthenticator.orm import UserInfo  # noqa: F401 - its table is made with the others

    hub_settings.make_state_folder()
    session = orm.new_session_factory(hub_settings.database())()
    try:
        yield session
        session.commit()
    finally:
        session.close()


def known_names(session: Any) -> list[str]:
    """Return the names that have a password."""
    from nativeauthenticator.orm import UserInfo

    return sorted(user.username for user in UserInfo.all_users(session))


def set_password(session: Any, name: str) -> str:
    """Give an account, new or not, a first password; return it."""
    import bcrypt
    from nativeauthenticator.orm import UserInfo

    password = new_password()
    user = UserInfo.find(session, name)
    if user is None:
        user = UserInfo(username=name)
        session.add(user)
    user.password = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
    user.is_authorized = True
    session.flush()
    return password


def forget_password(session: Any, name: str) -> bool:
    """Remove the password of an account; return whether it had one."""
    from nativeauthenticator.orm import UserInfo

    user = UserInfo.find(session, name)
    if user is None:
        return False
    session.delete(user)
    return True


# ---- the command ----


def make_accounts(names: list[str]) -> tuple[dict[str, str], list[str]]:
    """Make those accounts that are missing; return their first passwords, and who was there."""
    check_names(names)
    made, kept = {}, []
    with passwords() as session:
        there = known_names(session)
        for name in names:
            # That of the teacher is made when they open a server, which they may never do.
            if os.geteuid() == 0 and name != hub_settings.TEACHER:
                make_system_account(name)
            if name in there:
                kept.append(name)
            else:
                made[name] = set_password(session, name)
    return made, kept


def reset_passwords(names: list[str]) -> dict[str, str]:
    """Give accounts that are there a new first password."""
    with passwords() as session:
        unknown = sorted(set(names) - set(known_names(session)))
        if unknown:
            raise BadName(f"there is no account {', '.join(unknown)}")
        return {name: set_password(session, name) for name in names}


def remove_accounts(names: list[str], *, with_files: bool) -> None:
    """Remove accounts, and end what they run."""
    for name in names:
        check_name(name)
        with passwords() as session:
            forget_password(session, name)
        if os.geteuid() == 0:
            remove_system_account(name, with_files=with_files)


def table(made: dict[str, str]) -> str:
    """Return names and first passwords, a line for each."""
    width = max(len(name) for name in made)
    return "\n".join(f"{name:{width}}  {password}" for name, password in made.items())


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit status."""
    options = parser().parse_args(arguments)
    try:
        return run_command(options)
    except (BadName, NotOurs, RuntimeError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        return 1


def run_command(options: argparse.Namespace) -> int:
    """Do what the options say."""
    names = list(options.names)
    if len(names) == 1 and names[0].isdecimal():
        names = numbered_names(int(names[0]))
    if options.list:
        with passwords() as session:
            print("\n".join(known_names(session)))
        return 0
    if not names:
        raise BadName("give the number of learners, or their names")
    if options.remove:
        remove_accounts(names, with_files=options.with_files)
        return 0
    if options.reset:
        print(table(reset_passwords(names)))
        return 0
    made, kept = make_accounts([hub_settings.TEACHER, *names])
    if made:
        print("First passwords, shown only now:")
        print(table(made))
    learners_kept = [name for name in kept if name != hub_settings.TEACHER]
    if learners_kept:
        print(f"Already there, and left as they are: {', '.join(learners_kept)}")
    return 0


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command's arguments."""
    made = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    made.add_argument("names", nargs="*", help="the number of learners, or their names")
    made.add_argument("--reset", action="store_true", help="give these a new first password")
    made.add_argument("--remove", action="store_true", help="remove these; their folders stay")
    made.add_argument("--with-files", action="store_true", help="with --remove: their folders too")
    made.add_argument("--list", action="store_true", help="print the names of all accounts")
    return made


if __name__ == "__main__":
    sys.exit(main())
