"""The tables of hostile/money against the program: amounts as an operator types them, and prices as
a settlement charges them. (Splits between sellers, in process: tests/unit/ledger.)"""

import json
import socket

import pytest

import corpus
import tally
from gateway import nanos
from pricing import line_nanos
from upstream import chat_answer, plain

# The largest balance of an account (limits::account_nanos_max).
BALANCE_MAX = 4 * 10**18


def unescaped(text):
    return text.replace("\\t", "\t").replace("\\u0000", "\0")


def control(gateway, command, **arguments):
    """A command as the command line sends it, so that any bytes can be an amount."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(gateway.state / "control.sock"))
        connection.sendall(json.dumps({"command": command, "arguments": arguments}).encode() +
                           b"\n")
        return json.loads(connection.makefile().readline())


def amounts():
    read = []
    for row in corpus.table("hostile", "money", "amounts.tsv"):
        read.append((unescaped(row["text"]), row["nano_usd_or_R"]))
    assert len(read) == 39
    return read


@pytest.fixture(scope="module")
def gateway(module_workshop):
    return module_workshop.gateway([module_workshop.upstream().channel()])


def test_amounts_of_a_daily_limit(gateway):
    """Shown as they were given, to the nano-dollar, or refused naming the option."""
    tenant = gateway.tenant()
    for text, wanted in amounts():
        said = control(gateway, "key.create", tenant=tenant, daily_limit=text)
        accepted = "result" in said
        tally.count("money/amounts", "accepted" if accepted else "refused")
        if wanted.startswith("E"):
            assert not accepted or nanos(said["result"]["daily_limit"]) == 10**9, text
        elif wanted == "R":
            assert not accepted and "--daily-limit" in said["error"]["message"], (text, said)
        else:
            assert accepted and nanos(said["result"]["daily_limit"]) == int(wanted), (text, said)


def test_amounts_that_are_paid_in(gateway):
    """The wallet grows by exactly what was written, on the command line itself."""
    total, tenant = 0, gateway.tenant()
    for text, wanted in amounts():
        if "\0" in text:
            continue  # no command line can say it
        done = gateway.run("wallet", "credit", "--tenant", tenant, f"--amount={text}", "--json")
        tally.count("money/amounts, paid in", "accepted" if done.returncode == 0 else "refused")
        if done.returncode == 0:
            assert wanted != "R", text
            total += 10**9 if wanted.startswith("E") else int(wanted)
        else:
            misused = 1 if text else 2  # nothing behind the option is wrong usage
            assert done.returncode == misused and "--amount" in done.stderr or wanted != "R", done
            # Right amounts that are not paid in: nothing, and more than an account may hold.
            assert wanted in ("R", "0") or wanted.startswith("E") or int(wanted) > BALANCE_MAX, text
        assert gateway.balance(tenant) == total, text


def test_amounts_that_are_no_text(gateway):
    tenant = gateway.tenant()
    for amount in (1, -1, 0.1, 1e30, True, None, [], {}, ["1"], {"amount": "1"}):
        said = control(gateway, "wallet.credit", tenant=tenant, amount=amount)
        assert "error" in said, (amount, said)
    assert gateway.balance(tenant) == 0


def test_a_wallet_never_passes_what_can_be_counted(workshop):
    gateway = workshop.gateway(start=False)
    tenant = gateway.tenant()
    gateway.credit(tenant, "4000000000")
    assert gateway.balance(tenant) == BALANCE_MAX
    gateway.refused("wallet", "credit", "--tenant", tenant, "--amount", "0.000000001")
    assert gateway.balance(tenant) == BALANCE_MAX


# --- Prices ---

OUTPUT_MAX = 10_000_000  # tokens that a request may allow at most


def decimal(micro):
    """Micro-dollars per million tokens as the catalogue writes them."""
    return f"{micro // 10**6}.{micro % 10**6:06d}"


def test_prices_of_a_settlement(workshop):
    """The upstream says the table's tokens; what is charged is the table's nano-dollars. What can
    be no count is not believed; what can be no price is refused with the catalogue."""
    rows = corpus.table("hostile", "money", "price.tsv")
    assert len(rows) == 17
    rows = [(int(r["tokens"]), int(r["price_micro_usd_per_million_tokens"]),
             r["expected_nano_usd"]) for r in rows]
    upstream = workshop.upstream(lambda call: call.send(plain(chat_answer(
        prompt=1, completion=int(call.request.json()["user"])))))
    gateway = workshop.gateway([upstream.channel()], start=False)
    gateway.set_models([{"id": f"m{price}", "price": {"input": "0", "output": decimal(price)},
                         "max_output": OUTPUT_MAX, "context_window": 4 * OUTPUT_MAX}
                        for price in {price for _, price, _ in rows if price >= 0}])
    gateway.start()
    caller = gateway.caller("3000000000")
    for tokens, price, expected in rows:
        if price < 0:
            good, bad = f'"output": "{decimal(3000000)}"', '"output": "-0.000001"'
            gateway.edit("data/models.json", good, bad)
            assert "m3000000" in gateway.refused("check")
            gateway.edit("data/models.json", bad, good)
            tally.count("money/price", "refused")
            continue
        before = gateway.balance(caller.tenant)
        answer = gateway.chat(caller.key, model=f"m{price}", user=str(tokens),
                              max_tokens=OUTPUT_MAX)
        if answer.status == 402:  # the hold alone is more than anybody has
            assert price >= 10**12 // 10, (tokens, price)
            tally.count("money/price", "beyond the wallet")
            continue
        assert answer.status == 200, answer
        charge = before - gateway.wait_unheld(caller.tenant)["balance"]
        decision = gateway.explain(answer.request_id)["decision"]
        assert charge == nanos(decision["cost"])
        if 0 <= tokens <= OUTPUT_MAX:
            assert charge == int(expected) == line_nanos(tokens, price)
            assert decision["usage_source"] == "reported"
            tally.count("money/price", "charged")
        else:
            assert decision["usage_source"] == "counted" and decision["usage_implausible"]
            assert charge == line_nanos(decision["usage"]["output"], price) >= 0
            tally.count("money/price", "not believed")
