"""Documents are true: their commands run, and they leave out nothing that they are to name."""

import re
import subprocess

import pytest

from document import ROOT, Reader, binary, blocks

DOCUMENTS = ["README.md", "docs/operators.md", "docs/policies.md", "docs/clients.md"]


def text_of(path):
    return (ROOT / path).read_text()


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_commands_run_and_print_what_it_says(document, tmp_path):
    reader = Reader(tmp_path)
    ran = 0
    try:
        for block in blocks(ROOT / document):
            try:
                reader.do(block)
            except AssertionError as wrong:
                raise AssertionError(f"{document}:{block.line}: {wrong}") from None
            ran += block.kind == "sh"
    finally:
        reader.close()
    assert ran > 0


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_links_lead_somewhere(document):
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(document)):
        assert target.startswith("http") or (folder / target).exists(), target


@pytest.mark.parametrize("document", DOCUMENTS)
def test_its_paths_are_there(document):
    """Every path of the tree that stands in `backticks` exists."""
    written = {block.words[1] for block in blocks(ROOT / document) if len(block.words) == 2}
    for path in re.findall(r"`((?:src|scripts|tests|tools|data|examples|docs)/[\w./-]+)`",
                           text_of(document)):
        if not (ROOT / path.rstrip("/")).exists() and path not in written:
            assert any(match for suffix in (".h", ".cc", "*.cc")
                       for match in ROOT.glob(path + suffix)), path


def test_operators_find_every_code_of_refusal():
    codes = re.findall(r'\{Code::\w+, "(\w+)", (\d+)', text_of("src/gateway/refusal.cc"))
    assert len(codes) > 20
    document = text_of("docs/operators.md")
    for code, status in codes:
        assert re.search(rf"\| {status} \| `{code}` \|", document), f"{status} {code}"


def test_operators_find_every_key_of_the_configuration():
    source = text_of("src/server/config.cc")
    keys = set(re.findall(
        r'\.(?:text|required_text|texts|integer|truth|tables?|map|has)\("(\w+)"', source))
    assert {"listen", "channels", "drain_s"} <= keys
    document = text_of("docs/operators.md")
    missing = [key for key in sorted(keys) if f"`{key}`" not in document]
    assert not missing


def commands(*above):
    """The commands that --help lists below a command, in full."""
    shown = subprocess.run([binary(), *above, "--help"], capture_output=True, text=True,
                           check=True).stdout
    listed = shown.split("Subcommands:\n")
    for name in re.findall(r"^  (\S+)", listed[1], re.MULTILINE) if len(listed) > 1 else []:
        below = list(commands(*above, name))
        yield from below or [" ".join((*above, name))]


def test_operators_find_every_command():
    document = text_of("docs/operators.md")
    missing = [command for command in commands() if f"`{command}" not in document
               and f"moongate {command}" not in document]
    assert not missing


def test_operators_find_every_metric():
    names = set(re.findall(r'"(moongate_\w+)"', text_of("src/gateway/metrics.cc")))
    assert len(names) > 15
    document = text_of("docs/operators.md")
    assert not [name for name in sorted(names) if f"`{name}`" not in document]


def test_operators_find_every_event_of_the_log():
    events = set()
    for source in (ROOT / "src").rglob("*.cc"):
        events.update(re.findall(r'\b(?:log_\w+|tell)\("(\w+)"', source.read_text()))
        events.update(re.findall(r'\blog\(\w+, "(\w+)"', source.read_text()))
    assert {"channel_left_out", "ledger_poisoned", "policy_says"} <= events
    document = text_of("docs/operators.md")
    assert not [event for event in sorted(events) if f"`{event}`" not in document]


def test_policy_writers_find_every_function_and_every_setting():
    document = text_of("docs/policies.md")
    functions = re.findall(r"^function (gate\.[\w.]+)", text_of("scripts/meta/gate.lua"),
                           re.MULTILINE)
    assert len(functions) > 10
    assert not [name for name in functions if name not in document]
    for path in sorted((ROOT / "scripts/policies").glob("*.lua")):
        conf = re.search(r"\n  conf = \{\n(.*?)\n  \},", path.read_text(), re.DOTALL)
        for setting in re.findall(r"^    (\w+) =", conf.group(1), re.MULTILINE) if conf else []:
            assert f"`{setting}`" in document, f"{setting} of {path.name}"


def test_the_readme_says_what_each_dependency_is_for():
    readme = text_of("README.md")
    listed = subprocess.run([ROOT / "tools/setup", "--list"], capture_output=True, text=True,
                            check=True).stdout.split()
    libraries = [name for name in listed if re.match(r"lib(?!clang).*-dev$", name)]
    for package in [*libraries, "nlohmann-json3-dev", "node-llhttp", "catch2"]:
        assert f"`{package}`" in readme, package


EXAMPLES = sorted(path.parent.relative_to(ROOT).as_posix()
                  for path in ROOT.glob("examples/*/moongate.lua"))
KEYS = {"OPENAI_API_KEY": "sk-1", "OPENAI_API_KEY_2": "sk-2", "OPENROUTER_API_KEY": "sk-3",
        "HOUSE_LLM_KEY": "house"}


@pytest.mark.parametrize("folder", [".", *EXAMPLES])
def test_a_configuration_is_checked_without_a_complaint(folder):
    done = subprocess.run([binary(), "check", "--config", ROOT / folder / "moongate.lua"],
                          env=KEYS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "warning" not in done.stdout + done.stderr
    assert re.match(r"ok: [1-9]\d* channels, [1-9]\d* callable models", done.stdout), done.stdout


@pytest.mark.parametrize("folder", [".", *EXAMPLES])
def test_a_configuration_serves(folder, tmp_path):
    reader = Reader(tmp_path)
    try:
        for name, value in KEYS.items():
            reader.run(f"export {name}={value}")
        config = (tmp_path / folder / "moongate.lua").relative_to(tmp_path)
        from document import Block
        reader.do(Block("sh server", f"moongate --config {config} serve", 0))
        assert reader.run("curl -sf http://127.0.0.1:8080/health/ready") == 0
        assert '"status":"ready"' in reader.printed
    finally:
        reader.close()


def test_there_are_examples():
    assert {"examples/quickstart", "examples/failover", "examples/custom_provider"} <= set(EXAMPLES)
