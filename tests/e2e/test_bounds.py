"""What an operator may call things, and limits that must not fail open: on the command line, and
over the control socket, where nothing stands between a mistake and the store."""

import pytest

import control
from gateway import Failed


@pytest.fixture(scope="module")
def gateway(module_workshop):
    return module_workshop.gateway()


def test_a_limit_that_is_none_is_no_limit_by_accident(gateway):
    """Each was once a key without that limit."""
    tenant = gateway.tenant()
    for options in (["--rpm", "0"], ["--tpm", "0"], ["--rpm", "-1"], ["--rpm", "0x10"],
                    ["--rpm", "9223372036854775808"], ["--tpm", "1000000000000001"]):
        done = gateway.run("key", "create", "--tenant", tenant, *options)
        assert done.returncode == 2 and options[0] in done.stderr, (options, done)
    for options in (["--models", ""], ["--models", ",,"], ["--models", "a,,b"],
                    ["--models", "a\nb"], ["--expires", ""],
                    ["--daily-limit", ""], ["--allow-ip", ""], ["--group", ""], ["--tag", ""]):
        said = gateway.refused("key", "create", "--tenant", tenant, *options)
        assert options[0] in said, (options, said)
    assert gateway.cli("key", "list", "--tenant", tenant) == []
    assert gateway.key(tenant, rpm="010")["rpm"] == 10  # decimal, not octal
    assert gateway.key(tenant, tpm="1000000000000000")["tpm"] == 10**15


def test_the_control_socket_refuses_the_same(gateway):
    tenant = gateway.tenant()
    wrong = [{"rpm": 0}, {"tpm": 0}, {"rpm": -1}, {"rpm": 2**63}, {"rpm": 2**64}, {"rpm": 10**15 + 1},
             {"rpm": 1.5}, {"rpm": "60"}, {"models": []}, {"models": [""]}, {"models": ["a", ""]},
             {"models": ["x" * 257]}, {"models": ["x"] * 257},
             {"tags": []}, {"tags": ["t"] * 65},
             {"tags": ["a\u001bb"]}, {"name": ""}, {"name": "x" * 201}, {"name": "a\nb"},
             {"group": "x" * 201}, {"group": "a\u009bb"}, {"allow_ip": []}, {"daily_limit": ""}]
    for arguments in wrong:
        with pytest.raises(Failed, match="must|is no address"):
            control.ask(gateway, "key.create", tenant=tenant, **arguments)
    assert gateway.cli("key", "list", "--tenant", tenant) == []
    edge = {"name": "x" * 200, "group": "x" * 200, "tags": ["x" * 200] * 64,
            "models": ["x" * 256] * 256, "allow_ip": ["10.0.0.0/8"] * 256, "rpm": 1}
    control.ask(gateway, "key.create", tenant=tenant, **edge)
    assert len(gateway.cli("key", "list", "--tenant", tenant)) == 1
    for name in ("", "x" * 201, "a\rb"):
        with pytest.raises(Failed):
            control.ask(gateway, "tenant.create", name=name)
    for more in ({"id": ""}, {"id": "a\nb"}, {"id": "x" * 129}, {"memo": "a\u0000b"},
                 {"memo": "x" * 513}):
        with pytest.raises(Failed):
            control.ask(gateway, "wallet.credit", tenant=tenant, amount="1", **more)
    assert gateway.balance(tenant) == 0
    control.ask(gateway, "wallet.credit", tenant=tenant, amount="1", id="x" * 128, memo="x" * 512)
    for value in ("a\rb", "a\tb", "a\nb", "a\u0085b", ""):
        with pytest.raises(Failed):
            control.ask(gateway, "secret.set", name="s", value=value)


def test_a_payment_with_an_empty_id_is_refused(gateway):
    """It would not be safe to repeat, which is what was asked for."""
    tenant = gateway.tenant()
    credit = ["wallet", "credit", "--tenant", tenant, "--amount", "1"]
    assert "ID must be" in gateway.refused(*credit, "--id", "")
    assert gateway.balance(tenant) == 0


def test_a_secret_is_one_line(gateway):
    for stdin, words in [("", "nothing came"), ("\n", "nothing came"), ("a\nb\n", "more than one"),
                         ("a\n\n", "more than one"), ("a\r\n", "control characters"),
                         ("a\x1bb\n", "control characters")]:
        said = gateway.refused("secret", "set", "lines", stdin=stdin)
        assert words in said and "--value" not in said, (stdin, said)
    assert "nothing came" in gateway.refused("secret", "rotate-master", stdin="")
    assert "lines" not in str(gateway.cli("secret", "list"))
    gateway.cli("secret", "set", "lines", stdin="sk-without-an-end")


def test_wrong_usage_is_2(gateway):
    for arguments in (["lab", "--fault", "nope"], ["lab", "--port", "65536"],
                      ["lab", "--seed", "18446744073709551616"], ["load", "--requests", "0"],
                      ["load", "--requests", "0x10"], ["load", "--metadata", "none"],
                      ["load", "--streams", "101"], ["demo", "--port", "70000"],
                      ["tenant", "create", "--name", "x", "--kind", "Company"],
                      ["usage", "--by", "colour"],
                      ["wallet", "history", "--tenant", "x", "--count", "9223372036854775808"]):
        done = gateway.run(*arguments)
        assert done.returncode == 2 and done.stderr and not done.stdout, (arguments, done)


def test_explain_prints_tags(workshop):
    gateway = workshop.gateway([workshop.upstream().channel()], start=False)
    gateway.script("policies/tagger.lua").write_text(
        "return { observe = function() return { tags = { 'night', 'batch' } } end }\n")
    gateway.edit("scripts/policies/chain.lua", '{ "observe" },', '{ "observe" }, { "tagger" },')
    gateway.start()
    answer = gateway.chat(gateway.caller().key)
    assert gateway.explain(answer.request_id)["decision"]["tags"] == ["night", "batch"]
    assert "\ntags night, batch\n" in gateway.run("explain", answer.request_id).stdout
