"""The built-in provider as a process: `moongate lab`."""

import json

import raw
from gateway import Program, _address


class Lab:
    """Flags are knobs: Lab(folder, interval_ms=20, fault="reset-in-body"). In a request behind a
    gateway the same knobs stand in its body: metadata={"x-lab-fault": "stall"}."""

    def __init__(self, folder, **knobs):
        self.folder, self.knobs, self.program = folder, knobs, None

    def start(self):
        arguments = ["lab", "--port", "0"]
        for name, value in self.knobs.items():
            arguments += ["--" + name.replace("_", "-"), str(value)]
        self.program = Program(arguments, self.folder, "lab")
        self.address = _address(self.program.wait_report("listening")["address"])
        return self

    @property
    def url(self):
        return f"http://127.0.0.1:{self.address[1]}/v1"

    def channel(self, id="lab", models=None, **settings):
        return {"id": id, "provider": "openai_compatible", "base_url": self.url,
                "credential": "sk-lab-secret", "allow_private": True,
                "models": models or {"*": True}, **settings}

    def counts(self):
        with raw.Connection(self.address) as connection:
            connection.ask("GET", "/lab/counts")
            return json.loads(connection.read_answer("GET").body)

    def reset_counts(self):
        with raw.Connection(self.address) as connection:
            connection.ask("POST", "/lab/reset", b"")
            assert connection.read_answer().status in (200, 204)

    def stop(self):
        if self.program is None:
            return
        program, self.program = self.program, None
        program.end_at_once()
        code = program.wait()
        assert not program.complaints(), program.complaints()
        assert code == 0, f"lab ended with {code}: {program.stderr()[-2000:]}"
