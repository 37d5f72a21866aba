"""A real hub, with real accounts: learners cannot reach each other, from outside and from inside.

The hub has ports and folders of its own on 127.0.0.1; afterwards no process and no account is left.
"""

import asyncio
import json
import os
import signal
import subprocess
import textwrap
import time
from pathlib import Path

import accounts
import hub_client
import hub_process
import hub_settings
import psutil
import pytest
from tornado.httpclient import HTTPClientError

pytestmark = [
    pytest.mark.skipif(bool(hub_process.why_not()), reason=hub_process.why_not() or "it can be run")
]
ADA, BEN = "labkittest-ada", "labkittest-ben"
SECRET = "ben's own words"


class Room:
    """A hub with two learners at work; what a test awaits runs in one event loop."""

    def __init__(self, hub):
        self.hub = hub
        self.loop = asyncio.new_event_loop()
        self.ada = self.learner(ADA)
        self.ben = self.learner(BEN)

    def learner(self, name, password=None):
        return hub_client.Learner(self.hub.address, name, password or self.hub.passwords[name])

    def run(self, awaited):
        return self.loop.run_until_complete(asyncio.wait_for(awaited, 300))

    def open(self, learner):
        """Log in, start the server and a kernel."""

        async def begin():
            await learner.log_in()
            await learner.start_server()
            return await learner.start_kernel("00_start_here.ipynb")

        return self.run(begin())

    def say(self, kernel, code):
        """Run code in a kernel; return what it prints, or the name of its error."""
        result = self.run(kernel.run(textwrap.dedent(code)))
        said = ""
        for output in result.outputs:
            said += output.get("text", "") or output.get("ename", "")
        return said.strip()

    def status(self, learner, path, **options):
        return self.run(learner.request("GET", path, **options)).code


@pytest.fixture(scope="module")
def room():
    with hub_process.running_hub([ADA, BEN]) as hub:
        room = Room(hub)
        room.kernel_of_ada = room.open(room.ada)
        room.kernel_of_ben = room.open(room.ben)
        home = Path(accounts.system_account(BEN).pw_dir)
        (home / "lessons" / "mine.txt").write_text(SECRET)
        os.chmod(home / "lessons" / "mine.txt", 0o644)  # the folder keeps it, not its own rights
        room.home_of_ben = home
        room.uid_of_ben = accounts.system_account(BEN).pw_uid
        room.process_of_ben = int(room.say(room.kernel_of_ben, "import os; print(os.getpid())"))
        yield room
        room.loop.close()


# ---- who gets in ----


def test_a_learner_gets_their_own_copies_and_the_start_page(room):
    page = room.run(room.ada.request("GET", room.ada.server))
    assert page.code == 200
    assert page.effective_url.endswith(hub_settings.START_PAGE)
    lessons = room.run(room.ada.json("GET", "api/contents/"))["content"]
    names = [one["name"] for one in lessons]
    assert "02_direct_call_loop.ipynb" in names
    copy = room.run(room.ada.json("GET", "api/contents/02_direct_call_loop.ipynb"))["content"]
    assert not any("solution" in cell["metadata"].get("tags", []) for cell in copy["cells"])
    start_page = room.run(room.ada.api("GET", "labkit/start-page")).body.decode()
    assert start_page.startswith("# TensorFlow in a loop")


@pytest.mark.parametrize("password", ["", "wrong", "wrong-wrong-wrong"])
def test_a_wrong_password_is_refused(room, password):
    somebody = room.learner(ADA, password or " ")
    with pytest.raises(hub_client.LoginRefused):
        room.run(somebody.log_in())
    assert room.status(somebody, room.ada.server + "api/contents", follow=False) in (302, 403)


@pytest.mark.parametrize("name", ["labkittest-nobody", "root", "lk-labkittest-ada", "a/b", "jörg"])
def test_a_name_without_an_account_is_refused(room, name):
    with pytest.raises(hub_client.LoginRefused):
        room.run(room.learner(name, "a-password-that-is-long").log_in())


def sign_up(room, name, password="a-password-that-is-long"):
    """Fill in the form for a new account; return what the hub says."""
    somebody = room.learner(name, password)

    async def fill_in():
        await somebody.request("GET", "/hub/signup")
        form = {"username": name, "signup_password": password}
        form |= {"signup_password_confirmation": password, "_xsrf": somebody.xsrf("/hub/")}
        return await somebody.request("POST", "/hub/signup", form=form)

    return somebody, room.run(fill_in()).body.decode()


@pytest.mark.parametrize("name", [ADA, ADA.upper(), hub_settings.TEACHER])
def test_a_taken_name_cannot_be_signed_up(room, name):
    somebody, said = sign_up(room, name)
    assert "already in use" in said
    with pytest.raises(hub_client.LoginRefused):
        room.run(somebody.log_in())
    room.run(room.learner(ADA).log_in())  # the password is still that of the teacher's list


def test_who_signs_up_waits_for_the_teacher(room):
    somebody, said = sign_up(room, "labkittest-late")
    assert "sent to the admin" in said
    with pytest.raises(hub_client.LoginRefused):
        room.run(somebody.log_in())


@pytest.mark.parametrize("name", ["labkittest/x", "jörg", "../x", "x y", "a" * 40])
def test_a_name_that_cannot_be_an_account_cannot_be_signed_up(room, name):
    _, said = sign_up(room, name)
    assert "Something went wrong" in said


# ---- from outside ----


def test_another_learners_folder_is_refused_with_a_cookie(room):
    path = f"{room.ben.server}api/contents/mine.txt"
    assert room.status(room.ben, path) == 200
    assert room.status(room.ada, path) == 403


def test_another_learners_folder_is_refused_with_a_token(room):
    token = room.run(token_of(room.ada))
    headers = {"Authorization": f"token {token}"}
    somebody = hub_client.Browser(room.hub.address)
    own = f"{room.ada.server}api/contents/"
    assert room.status(somebody, own, headers=headers) == 200
    assert room.status(somebody, f"{room.ben.server}api/contents/", headers=headers) == 403
    assert room.status(somebody, f"/hub/api/users/{BEN}", headers=headers) in (403, 404)


async def token_of(learner):
    headers = {"X-XSRFToken": learner.xsrf("/hub/")}
    path = f"/hub/api/users/{learner.name}/tokens"
    answer = await learner.request("POST", path, data={"note": "test"}, headers=headers)
    return json.loads(answer.body)["token"]


def test_another_learners_files_cannot_be_written(room):
    async def write():
        headers = {"X-XSRFToken": room.ada.xsrf(room.ada.server)}
        path = f"{room.ben.server}api/contents/mine.txt"
        model = {"type": "file", "format": "text", "content": "changed"}
        return await room.ada.request("PUT", path, data=model, headers=headers, follow=False)

    assert room.run(write()).code in (302, 403)
    assert (room.home_of_ben / "lessons" / "mine.txt").read_text() == SECRET


@pytest.mark.parametrize("with_token", [False, True])
def test_another_learners_kernel_is_refused(room, with_token):
    somebody = room.ada
    if with_token:
        somebody = hub_client.Browser(room.hub.address)
        token = room.run(token_of(room.ada))
        somebody.cookie_header = lambda path: ""
        id = f"{room.kernel_of_ben.id}/channels?token={token}&x="
        kernel = hub_client.Kernel(somebody, id, room.ben.server)
    else:
        kernel = hub_client.Kernel(somebody, room.kernel_of_ben.id, room.ben.server)
    with pytest.raises(HTTPClientError) as refused:
        room.run(kernel.connect())
    assert refused.value.code in (302, 403)


def test_another_learners_server_cannot_be_stopped(room):
    async def stop():
        headers = {"X-XSRFToken": room.ada.xsrf("/hub/")}
        return await room.ada.request("DELETE", f"/hub/api/users/{BEN}/server", headers=headers)

    assert room.run(stop()).code in (403, 404)
    assert room.say(room.kernel_of_ben, "print('still here')") == "still here"


# ---- from inside a kernel ----


def test_a_kernel_runs_as_the_account_of_its_learner(room):
    said = room.say(room.kernel_of_ada, "import os; print(os.getuid(), os.getgroups())")
    uid, groups = said.split(" ", 1)
    assert int(uid) == accounts.system_account(ADA).pw_uid != room.uid_of_ben
    assert "0" not in groups.strip("[]").split(", ")


def in_both(room, code):
    """Return what the same code gives in the kernel of Ben, who may do it, and in that of Ada."""
    return room.say(room.kernel_of_ben, code), room.say(room.kernel_of_ada, code)


def test_another_learners_home_cannot_be_opened(room):
    file = room.home_of_ben / "lessons" / "mine.txt"
    assert in_both(room, f"print(open({str(file)!r}).read())") == (SECRET, "PermissionError")
    listed = in_both(room, f"import os; print(len(os.listdir({str(room.home_of_ben)!r})) > 0)")
    assert listed == ("True", "PermissionError")
    write = f"print(open({str(room.home_of_ben / 'new')!r}, 'w').write('x'))"
    assert in_both(room, write) == ("1", "PermissionError")


def test_another_learners_process_cannot_be_ended(room):
    code = f"import os; os.kill({room.process_of_ben}, 0); print('it can')"
    assert in_both(room, code) == ("it can", "PermissionError")


@pytest.mark.parametrize("file", ["environ", "mem", "maps"])
def test_another_learners_process_cannot_be_looked_into(room, file):
    code = f"print(bool(open('/proc/{room.process_of_ben}/{file}', 'rb')))"
    assert in_both(room, code) == ("True", "PermissionError")


def test_the_keys_of_another_learners_kernel_cannot_be_read(room):
    code = """
        import ipykernel, os
        print(bool(open({0!r})))
    """
    file = room.say(room.kernel_of_ben, "import ipykernel; print(ipykernel.get_connection_file())")
    assert Path(file).is_file()
    assert in_both(room, code.format(file)) == ("True", "PermissionError")


def test_another_learners_server_is_refused_past_the_proxy(room):
    """With the learner's own token, at the port where the server itself listens."""
    code = """
        import os, urllib.error, urllib.parse, urllib.request
        token = os.environ["JUPYTERHUB_API_TOKEN"]
        def status(url):
            request = urllib.request.Request(url, headers={"Authorization": f"token {token}"})
            try:
                return urllib.request.urlopen(request, timeout=60).status
            except urllib.error.HTTPError as error:
                return error.code
    """
    room.say(room.kernel_of_ada, code)
    of_ada = room.say(room.kernel_of_ada, "print(os.environ['JUPYTERHUB_SERVICE_URL'])")
    where = "import os; print(os.environ['JUPYTERHUB_SERVICE_URL'])"
    of_ben = room.say(room.kernel_of_ben, where)
    ask = "print(status({!r} + 'api/contents/'))"
    assert room.say(room.kernel_of_ada, ask.format(of_ada)) == "200"
    assert room.say(room.kernel_of_ada, ask.format(of_ben)) == "403"
    for path in (f":{room.hub.port + 1}/api/routes", f":{room.hub.port + 2}/hub/api/users"):
        said = room.say(room.kernel_of_ada, f"print(status('http://127.0.0.1{path}'))")
        assert said == "403", path


@pytest.mark.parametrize("folder", ["state", "homes"])
def test_the_files_of_the_hub_cannot_be_read(room, folder):
    path = room.hub.folder / folder
    assert list(path.iterdir())
    code = f"import os; print(os.listdir({str(path / '.lk-runtime')!r}))"
    assert room.say(room.kernel_of_ada, code) == "PermissionError"


def test_the_course_cannot_be_changed(room):
    for path in (hub_settings.COURSE / "labkit" / "x.py", hub_process.PYTHON.parent / "x"):
        said = room.say(room.kernel_of_ada, f"open({str(path)!r}, 'w')")
        assert said == "PermissionError"
        assert not path.exists()


# ---- what one learner may use ----


def test_a_kernel_that_wants_all_memory_gets_an_error_and_goes_on(room):
    most = hub_settings.MOST_MEMORY_OF_A_PROCESS
    code = f"many = bytearray({most})"
    assert room.say(room.kernel_of_ada, code) == "MemoryError"
    piece_by_piece = """
        kept = []
        while True:
            kept.append(bytearray(200_000_000))
    """
    assert room.say(room.kernel_of_ada, piece_by_piece) == "MemoryError"
    assert room.say(room.kernel_of_ada, "del kept; print('it goes on')") == "it goes on"
    assert room.say(room.kernel_of_ben, "print('so does this')") == "so does this"


@pytest.mark.parametrize(
    ("limit", "most"),
    [
        ("RLIMIT_DATA", hub_settings.MOST_MEMORY_OF_A_PROCESS),
        ("RLIMIT_NPROC", hub_settings.MOST_THREADS),
    ],
)
def test_a_learner_cannot_raise_their_own_limits(room, limit, most):
    code = f"""
        import resource
        soft, hard = resource.getrlimit(resource.{limit})
        print(hard)
        resource.setrlimit(resource.{limit}, (hard, 2 * hard))
    """
    assert room.say(room.kernel_of_ada, code) == f"{most}\nValueError"


def test_what_is_left_of_a_server_that_is_stopped_is_ended(room):
    """A program that a learner has put into the background does not outlive the server."""
    code = """
        import subprocess
        left = subprocess.Popen(["sleep", "1000"], start_new_session=True)
        print(left.pid)
    """
    process = int(room.say(room.kernel_of_ada, code))
    assert Path(f"/proc/{process}").exists()
    room.kernel_of_ada.close()
    room.run(room.ada.stop_server())
    until = time.monotonic() + 60
    uid = accounts.system_account(ADA).pw_uid
    while accounts.processes_of(uid) and time.monotonic() < until:
        time.sleep(0.2)
    assert accounts.processes_of(uid) == []
    room.kernel_of_ada = room.open(room.ada)


# ---- what goes wrong ----


def test_servers_survive_a_hub_that_is_killed(room):
    room.say(room.kernel_of_ada, "kept = 'before'")
    parts = [part for part in psutil.Process(room.hub.process.pid).children() if is_of_root(part)]
    assert len(parts) == 2  # the proxy, and what stops idle servers
    room.hub.process.send_signal(signal.SIGKILL)
    room.hub.process.wait()
    assert Path(f"/proc/{room.process_of_ben}").exists()
    room.kernel_of_ada.close()
    room.kernel_of_ben.close()
    room.hub.start()

    async def come_back(learner, id):
        kernel = hub_client.Kernel(learner, id)
        await kernel.connect()
        return kernel

    _, left = psutil.wait_procs(parts, timeout=10)
    assert left == []

    # The page that was open connects again, with the cookies that it had.
    room.kernel_of_ada = room.run(come_back(room.ada, room.kernel_of_ada.id))
    room.kernel_of_ben = room.run(come_back(room.ben, room.kernel_of_ben.id))
    assert room.say(room.kernel_of_ada, "print(kept)") == "before"
    assert room.status(room.ada, f"{room.ben.server}api/contents/") == 403


def is_of_root(process):
    return process.uids().real == 0


def test_a_full_disk_of_one_learner_concerns_nobody_else(room):
    """The home of a third learner is a small disk, which is full: they can delete files."""
    name = "labkittest-full"
    (password,) = (
        line.split()[1]
        for line in room.hub.run_accounts(name).splitlines()
        if line.startswith(name)
    )
    account = accounts_of(room, name)
    home = Path(account.pw_dir)
    options = f"size=256k,uid={account.pw_uid},gid={account.pw_gid},mode=700"
    try:
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "none", home])
        if mounted.returncode:
            pytest.skip("nothing can be mounted here")
        (home / "large").write_bytes(bytes(200_000))
        os.chown(home / "large", account.pw_uid, account.pw_gid)
        full = room.learner(name, password)
        room.run(full.log_in())
        room.run(full.start_server())
        assert room.say(room.kernel_of_ben, "print(open('new', 'w').write('x'))") == "1"
        assert room.run(full.api("DELETE", "api/contents/large")).code in (204, 404)
        room.run(full.stop_server())
    finally:
        accounts.end_processes(account.pw_uid)
        subprocess.run(["umount", "-l", home], check=False)
        room.hub.run_accounts("--remove", "--with-files", name)


def accounts_of(room, name):
    account = accounts.system_account(name)
    assert Path(account.pw_dir).is_relative_to(room.hub.folder)
    return account


def test_a_name_that_is_there_is_left_as_it_is(room):
    said = room.hub.run_accounts(ADA)
    assert said == f"Already there, and left as they are: {ADA}\n"
    room.run(room.learner(ADA).log_in())
    new = room.hub.run_accounts("--reset", BEN).split()[1]
    with pytest.raises(hub_client.LoginRefused):
        room.run(room.learner(BEN).log_in())
    room.hub.passwords[BEN] = new
    room.run(room.learner(BEN).log_in())


def test_a_folder_of_an_earlier_account_is_not_given_to_a_new_one(room):
    name = "labkittest-old"
    room.hub.run_accounts(name)
    home = Path(accounts_of(room, name).pw_dir)
    room.hub.run_accounts("--remove", name)
    assert accounts.system_account(name) is None
    assert home.stat().st_uid == 0
    with pytest.raises(RuntimeError, match="left from an earlier account"):
        room.hub.run_accounts(name)
    assert accounts.system_account(name) is None


# ---- a hub of its own ----


def test_an_idle_server_is_stopped_and_nothing_is_left_of_the_hub():
    name = "labkittest-idle"
    variables = {"LABKIT_HUB_IDLE_MINUTES": "0.1"}
    config = "c.JupyterHub.last_activity_interval = 1"
    with hub_process.running_hub([name], config=config, variables=variables) as hub:
        room = Room.__new__(Room)
        room.hub, room.loop = hub, asyncio.new_event_loop()
        learner = room.learner(name)
        room.run(learner.log_in())
        room.run(learner.start_server())
        account = accounts.system_account(name)
        assert accounts.processes_of(account.pw_uid)
        until = time.monotonic() + 120
        while accounts.processes_of(account.pw_uid) and time.monotonic() < until:
            time.sleep(0.5)
        assert accounts.processes_of(account.pw_uid) == []
        assert (Path(account.pw_dir) / "lessons" / "README.md").is_file()
        process = hub.process
        room.loop.close()
    assert process.poll() is not None
    assert accounts.system_account(name) is None
    assert not hub.folder.exists()
    assert not hub_process.answers(f"{hub.address}/hub/api/")


def test_without_root_it_says_that_nobody_is_kept_apart(tmp_path):
    """And starts only when it is told that this is wanted."""
    state = Path("/tmp") / f"labkit-hub-{os.getpid()}"
    state.mkdir(mode=0o700)
    nobody = {"user": 65534, "group": 65534, "extra_groups": []}
    environment = hub_process.environment_of(state, {"LABKIT_HUB_STATE": str(state), "HOME": "/"})
    del environment["LABKIT_HUB_HOMES"]
    options = {"cwd": state, "env": environment, "encoding": "utf-8", **nobody}
    os.chown(state, 65534, 65534)
    try:
        made = [str(hub_process.PYTHON), str(hub_settings.HUB / "accounts.py"), "1"]
        subprocess.run(made, check=True, capture_output=True, **options)
        config = str(hub_settings.HUB / "jupyterhub_config.py")
        command = [str(hub_process.PYTHON), "-m", "jupyterhub", "-f", config]
        done = subprocess.run(command, capture_output=True, timeout=100, **options)
        assert done.returncode != 0
        assert "Learners are NOT kept apart" in done.stderr
        assert "TRUST_EACH_OTHER=1" in done.stderr
    finally:
        subprocess.run(["rm", "-rf", state])
