"""The hub of a room on one server, at 127.0.0.1; `make hub` starts it with this file."""

import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import accounts
import hub_settings
import hub_spawner
import psutil
from nativeauthenticator import NativeAuthenticator

c = get_config()  # noqa: F821 - JupyterHub gives this file the function
state = hub_settings.make_state_folder()

# ---- who is there ----
c.JupyterHub.authenticator_class = NativeAuthenticator
c.Authenticator.username_pattern = rf"{hub_settings.NAME}\Z"
c.Authenticator.allow_all = True  # who has a password that is authorized, and nobody else
c.NativeAuthenticator.open_signup = False  # the teacher lets in those who sign up
c.NativeAuthenticator.minimum_password_length = hub_settings.LEAST_PASSWORD
c.NativeAuthenticator.allowed_failed_logins = hub_settings.MOST_WRONG_PASSWORDS
c.NativeAuthenticator.seconds_before_next_try = hub_settings.SECONDS_AFTER_WRONG_PASSWORDS
with accounts.passwords() as session:
    names = accounts.known_names(session)
if hub_settings.TEACHER in names:
    c.Authenticator.admin_users = {hub_settings.TEACHER}
else:
    # Who signs up with the name of an administrator is let in as one: nobody may be first.
    sys.exit("There are no accounts yet: make hub LEARNERS=20 makes twenty, and prints passwords.")

# ---- where it is ----
port = hub_settings.port()
c.JupyterHub.bind_url = f"http://127.0.0.1:{port}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{port + 1}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{port + 2}"
c.ConfigurableHTTPProxy.command = [sys.executable, str(hub_settings.HUB / "hub_proxy.py")]
c.ConfigurableHTTPProxy.pid_file = str(state / "proxy.pid")
c.ConfigurableHTTPProxy.log_level = "error"
c.JupyterHub.db_url = hub_settings.database()
c.JupyterHub.cookie_secret_file = str(state / "cookie_secret")

# ---- the servers of the learners ----
c.JupyterHub.spawner_class = hub_spawner.spawner_class()
c.Spawner.cmd = [sys.executable, str(hub_settings.HUB / "learner_server.py")]
c.Spawner.default_url = hub_settings.START_PAGE
c.Spawner.start_timeout = hub_settings.SECONDS_TO_START
c.Spawner.http_timeout = hub_settings.SECONDS_TO_START
memory = psutil.virtual_memory().total - hub_settings.MEMORY_FOR_THE_HUB
c.JupyterHub.active_server_limit = max(1, int(memory / hub_settings.PLANNED_MEMORY))
if c.JupyterHub.spawner_class is hub_spawner.TrustingSpawner:
    if not hub_settings.learners_trust_each_other():
        sys.exit(
            f"{hub_spawner.what_is_enforced()} Start it with sudo, or, if all learners may read, "
            "change and stop what the others have: make hub TRUST_EACH_OTHER=1"
        )
    homes = hub_settings.homes_folder()
    c.SimpleLocalProcessSpawner.home_dir_template = f"{homes}/{{username}}"
else:
    c.Spawner.pre_spawn_hook = hub_spawner.prepare
    c.Spawner.mem_limit = hub_settings.MOST_MEMORY
    c.Spawner.cpu_limit = hub_settings.MOST_CORES
    c.SystemdSpawner.username_template = f"{accounts.PREFIX}{{USERNAME}}"
    c.SystemdSpawner.isolate_tmp = True
    c.SystemdSpawner.isolate_devices = True
    c.SystemdSpawner.disable_user_sudo = True
    c.SystemdSpawner.default_shell = "/bin/bash"
    most_threads = str(hub_settings.MOST_THREADS)
    c.SystemdSpawner.unit_extra_properties = {"TasksMax": most_threads, "UMask": "0077"}
    # Tried as an account that may do nothing: their Python must not be in somebody's home.
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    command = [sys.executable, "-c", "import labkit, jupyterhub, jupyterlab"]
    try:
        subprocess.run(command, cwd="/", check=True, capture_output=True, **nobody)
    except (OSError, subprocess.CalledProcessError):
        sys.exit(f"Learners' accounts cannot run {sys.executable}: is it in a private folder?")

# ---- servers that nobody uses ----
minutes = hub_settings.idle_minutes()
if minutes:
    seconds = max(1, round(60 * minutes))
    culler = str(hub_settings.HUB / "hub_culler.py")
    command = [sys.executable, culler, f"--timeout={seconds}"]
    every = max(1, min(300, seconds // 2))
    c.JupyterHub.services = [{"name": "culler", "command": [*command, f"--cull-every={every}"]}]
    scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
    c.JupyterHub.load_roles = [{"name": "culler", "scopes": scopes, "services": ["culler"]}]

print(hub_spawner.what_is_enforced(), file=sys.stderr, flush=True)
