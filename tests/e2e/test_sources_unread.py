"""What stands where scripts, data, certificates and keys should be: links that lead nowhere or in a
circle, folders, pipes, files that are too long. Each is refused by its name, while what served
before goes on; and when it is mended all is well again."""

import json
import os
import shutil
import signal
import time

import pytest

from place import patience

LONG = "-- " + "x" * 65536 + "\nreturn {}\n"


def ready(gateway):
    answer = gateway.get("/health/ready")
    assert answer.status == 200
    return json.loads(answer.body)


def wait_for(what, seconds=5):
    deadline = time.monotonic() + patience(seconds)
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def gateway(workshop):
    return workshop.gateway([workshop.upstream().channel()], workers=2)


def link_to_itself(scripts, data):
    (scripts / "policies" / "odd.lua").symlink_to("odd.lua")
    return "policies/odd.lua"


def folder_in_a_circle(scripts, data):
    (scripts / "odd").symlink_to("odd")
    return "scripts/odd"


def dangling(scripts, data):
    (scripts / "policies" / "odd.lua").symlink_to("gone.lua")
    return "policies/odd.lua"


def pipe(scripts, data):
    os.mkfifo(scripts / "odd.lua")
    return "scripts/odd.lua"


def folder_that_is_a_script(scripts, data):
    """No mistake: a folder may be called so. What stands in it is."""
    (scripts / "odd.lua").mkdir()
    (scripts / "odd.lua" / "odd.lua").symlink_to("odd.lua")
    return "odd.lua/odd.lua"


def too_long(scripts, data):
    (scripts / "odd.lua").write_text(LONG)
    return "odd.lua has more than 65536 bytes"


def data_in_a_circle(scripts, data):
    (data / "odd.json").symlink_to("odd.json")
    return "data/odd.json"


def data_too_long(scripts, data):
    with open(data / "odd.json", "wb") as file:
        file.truncate(1 << 30)
    return "odd.json has more than"


ODDITIES = [link_to_itself, folder_in_a_circle, dangling, pipe, folder_that_is_a_script, too_long,
            data_in_a_circle, data_too_long]


def clear(folder):
    for root, folders, files in os.walk(folder):
        for name in folders + files:
            path = os.path.join(root, name)
            if os.path.islink(path) or (name.startswith("odd") and not os.path.isdir(path)):
                os.unlink(path)
    shutil.rmtree(folder / "scripts" / "odd.lua", ignore_errors=True)


@pytest.mark.parametrize("odd", ODDITIES)
def test_what_cannot_be_read_is_named_and_the_old_generation_serves(gateway, odd):
    key = gateway.caller().key
    named = odd(gateway.folder / "scripts", gateway.folder / "data")
    wait_for(lambda: named in ready(gateway)["policies"])
    gateway.program.wait_logged("reload_refused")
    assert named in gateway.program.stderr()
    assert named in gateway.refused("reload")
    assert named in gateway.refused("check")
    assert ready(gateway)["generation"] == 1 and gateway.chat(key).status == 200
    clear(gateway.folder)
    wait_for(lambda: ready(gateway)["policies"] == "ok")
    assert gateway.chat(key).status == 200


def test_the_reload_command_says_it_on_health_too(gateway):
    """Also where nothing but the command has looked, and scripts come back just as they were."""
    gateway.script("").rename(gateway.folder / "away")
    assert "scripts is no folder" in gateway.refused("reload")
    assert "scripts is no folder" in ready(gateway)["policies"]
    assert gateway.program.stderr().count("reload_refused") >= 1
    (gateway.folder / "away").rename(gateway.folder / "scripts")
    wait_for(lambda: ready(gateway)["policies"] == "ok")


def test_a_reason_is_logged_once(gateway):
    dangling(gateway.folder / "scripts", None)
    wait_for(lambda: ready(gateway)["policies"] != "ok")
    time.sleep(2.5)  # it is tried again each second
    assert gateway.program.stderr().count("reload_refused") == 1


# --- Certificates ---


def put(path, what):
    path.unlink()
    if what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)


@pytest.mark.parametrize("name", ["cert", "key"])
@pytest.mark.parametrize("what, why", [("folder", "is a folder"), ("pipe", "is no regular file")])
def test_a_certificate_that_is_no_file_changes_nothing(workshop, authority, tmp_path, name, what,
                                                       why):
    files = {"cert": tmp_path / "one.pem", "key": tmp_path / "one.key"}
    for path, issued in zip(files.values(), authority.issue("one.test")):
        shutil.copy(issued, path)
    gateway = workshop.gateway([workshop.upstream().channel()], listen=[
        {"address": "127.0.0.1:0"},
        {"address": "127.0.0.1:0", "tls": {"cert": str(files["cert"]), "key": str(files["key"])}}])
    key = gateway.caller().key
    put(files[name], what)
    gateway.program.signal(signal.SIGHUP)
    gateway.program.wait_logged("certificates_refused")
    assert f"{files[name]} {why}" in gateway.program.stderr()
    assert gateway.chat(key).status == 200
    assert f"{files[name]} {why}" in gateway.refused("check")
    gateway.stop()
    assert f"{files[name]} {why}" in gateway.refused("serve")
    gateway.program = None


@pytest.mark.parametrize("what, why", [("folder", "is a folder"), ("pipe", "is no regular file")])
def test_authorities_that_are_no_file(workshop, tmp_path, what, why):
    path = tmp_path / "authorities.pem"
    path.write_text("")
    put(path, what)
    gateway = workshop.gateway(start=False, upstream_ca=str(path))
    for command in ("check", "serve"):
        assert f"{path} {why}" in gateway.refused(command)


@pytest.mark.parametrize("what, why", [("folder", "is a folder"), ("pipe", "is no regular file")])
def test_a_configuration_that_is_no_file(workshop, what, why):
    gateway = workshop.gateway(start=False)
    put(gateway.config, what)
    for command in ("check", "serve"):
        assert f"{gateway.config} {why}" in gateway.refused(command)


def test_a_file_that_is_never_left_alone_is_named(workshop):
    gateway = workshop.gateway([workshop.upstream().channel()])
    before = ready(gateway)["generation"]
    busy, rates = gateway.folder / "data" / "log.json", gateway.folder / "data" / "rates.json"
    rates.write_text("{}")
    deadline = time.monotonic() + patience(20)
    while "sources_busy" not in gateway.program.stderr():
        assert time.monotonic() < deadline, gateway.program.stderr()
        busy.write_text(str(time.monotonic()))
        time.sleep(0.02)
    told = [json.loads(line) for line in gateway.program.stderr().splitlines()
            if "sources_busy" in line]
    assert [line["path"] for line in told] == [str(busy)]
    wait_for(lambda: ready(gateway)["generation"] > before)
