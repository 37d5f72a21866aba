"""Names of learners become accounts, or are refused with a name that would do."""

import accounts
import hub_settings
import pytest


@pytest.mark.parametrize("name", ["ada", "learner01", "a", "ada-b", "a" * 24])
def test_a_plain_name_can_be_an_account(name):
    accounts.check_name(name)


@pytest.mark.parametrize(
    ("name", "would_do"),
    [
        ("Ada", "ada"),
        ("Jörg", "jorg"),
        ("Straße", "strasse"),
        ("ada/ben", "ada-ben"),
        ("../root", "root"),
        ("ada ben", "ada-ben"),
        ("ada\n", "ada"),
        ("7of9", "of9"),
        ("-ada", "ada"),
        ("a" * 25, "a" * 24),
        ("Łukasz", "ukasz"),
    ],
)
def test_another_name_is_refused_with_one_that_would_do(name, would_do):
    with pytest.raises(accounts.BadName, match=f"'{would_do}' would do$"):
        accounts.check_name(name)


@pytest.mark.parametrize("name", ["", "零", "12", "..", "/"])
def test_a_name_without_letters_is_refused(name):
    with pytest.raises(accounts.BadName, match=r"a letter first$"):
        accounts.check_name(name)


def test_two_learners_with_one_name_are_refused():
    with pytest.raises(accounts.BadName, match="'ada' is there twice"):
        accounts.check_names(["ada", "ben", "ada"])


def test_nothing_is_made_where_one_name_is_refused(monkeypatch):
    monkeypatch.setattr(accounts, "passwords", lambda: pytest.fail("the database was opened"))
    with pytest.raises(accounts.BadName):
        accounts.make_accounts(["ada", "b/c"])


def test_an_account_of_the_system_is_never_that_of_a_learner():
    # A learner who is called root gets the account lk-root.
    assert accounts.account_of("root") != "root"
    assert accounts.system_account("root") is None


def test_an_account_that_somebody_else_made_is_left_alone(monkeypatch):
    monkeypatch.setattr(accounts, "PREFIX", "")
    with pytest.raises(accounts.NotOurs, match="root is not one of the course"):
        accounts.system_account("root")
    with pytest.raises(accounts.NotOurs):
        accounts.remove_system_account("root", with_files=True)


def test_the_processes_of_the_system_are_never_ended():
    with pytest.raises(ValueError, match="processes of the system"):
        accounts.end_processes(0)


def test_first_passwords_differ_and_are_long_enough():
    made = {accounts.new_password() for _ in range(100)}
    assert len(made) == 100
    assert min(len(password) for password in made) >= hub_settings.LEAST_PASSWORD


def test_the_environment_of_the_hub_adds_to_that_of_the_course():
    """A package that both locks have would be another one for the learners than in the tests."""
    import install

    of_the_course = install.names((install.COURSE / "requirements.lock").read_text("utf-8"))
    of_the_hub = install.names(install.LOCK.read_text("utf-8"))
    assert "jupyterhub" in of_the_hub
    assert "tornado" in of_the_course
    assert not of_the_hub & of_the_course
    wanted = (install.HUB / "requirements.in").read_text("utf-8")
    for line in wanted.splitlines():
        if not line.startswith("#"):
            version = line.replace(" ", "").removesuffix("*")
            assert f"\n{version}" in "\n" + install.LOCK.read_text("utf-8")
