"""The servers that are measured, each with the same upstream behind it and the same port to ask:
the byte relay, nginx, HAProxy and Moongate."""
import json
import os
import time

import machine

NGINX = """
worker_processes 1;
worker_rlimit_nofile 20000;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log warn;
events {{ worker_connections 16000; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 100000000;
  upstream provider {{ server 127.0.0.1:{upstream}; keepalive 8192; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    listen 127.0.0.1:{tls_port} ssl backlog=4096;
    ssl_certificate {cert};
    ssl_certificate_key {key};
    ssl_protocols TLSv1.2;
    ssl_session_cache shared:tls:10m;
    location / {{
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
      proxy_read_timeout 600s;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9000
defaults
  mode http
  option http-keep-alive
  http-reuse always
  timeout connect 5s
  timeout client 600s
  timeout server 600s
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  default_backend provider
backend provider
  server one 127.0.0.1:{upstream}
"""

MOONGATE = """
return {{
  listen = {{
    {{ address = "127.0.0.1:{port}" }},
    {{ address = "127.0.0.1:{tls_port}", tls = {{ cert = "{cert}", key = "{key}" }} }},
  }},
  state = "state", scripts = "{root}/scripts", data = "{root}/data",
  workers = 1, durability = "{durability}",
  log = {{ level = "error" }},
  limits = {{ connections_max = 16000 }},
  channels = {{
    {{ id = "bench", provider = "openai_compatible", base_url = "http://127.0.0.1:{upstream}/v1",
      credential = "sk-bench", allow_private = true, models = {{ ["gpt-4o"] = true }} }},
  }},
}}
"""


class Server:
    """A process on the servers' core. `pid` is whose processor time and memory count."""

    def __init__(self, name, folder):
        self.name = name
        self.folder = os.path.join(folder, f"{name}-{machine.free_port()}")
        os.makedirs(self.folder)
        self.port = machine.free_port()
        self.tls_port = machine.free_port()
        self.key = "none"
        self.process = None

    def launch(self, command, core=machine.SERVER_CORE, **options):
        log_path = os.path.join(self.folder, "log")
        with open(log_path, "wb") as log:
            self.process = machine.start(core, command, log, **options)
        machine.wait_for_port(self.port, self.process, log_path)
        return self

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        machine.stop(self.process)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Bench:
    """Where things are, and how each server is started."""

    def __init__(self, root, build, folder):
        self.root = root
        self.tools = os.path.join(root, "tools", "bench.d")
        self.built = os.path.join(root, "build", build)
        self.moongate_binary = os.path.join(self.built, "moongate")
        self.folder = folder
        self.cert = os.path.join(folder, "cert.pem")
        self.cert_key = os.path.join(folder, "key.pem")
        machine.run(machine.LOAD_CORE, [
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
            "-nodes", "-days", "30", "-subj", "/CN=localhost", "-addext",
            "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", self.cert_key,
            "-out", self.cert])

    def upstream(self, *flags):
        server = Server("upstream", self.folder)
        return server.launch(
            [os.path.join(self.built, "bench_upstream"), str(server.port), *map(str, flags)],
            machine.LOAD_CORE)

    def relay(self, upstream):
        server = Server("relay", self.folder)
        return server.launch(
            [os.path.join(self.built, "bench_relay"), str(server.port), str(upstream.port)])

    def nginx(self, upstream):
        server = Server("nginx", self.folder)
        config = server.write("nginx.conf", NGINX.format(
            folder=server.folder, upstream=upstream.port, port=server.port,
            tls_port=server.tls_port, cert=self.cert, key=self.cert_key))
        return server.launch(["nginx", "-e", "stderr", "-p", server.folder, "-c", config])

    def haproxy(self, upstream):
        server = Server("haproxy", self.folder)
        config = server.write("haproxy.cfg", HAPROXY.format(
            upstream=upstream.port, port=server.port))
        return server.launch(["haproxy", "-q", "-f", config])

    def moongate(self, upstream, durability="strict", sync_us=0):
        server = Server("moongate", self.folder)
        config = server.write("moongate.lua", MOONGATE.format(
            root=self.root, upstream=upstream.port, port=server.port, tls_port=server.tls_port,
            cert=self.cert, key=self.cert_key, durability=durability))

        def ask(*words):
            return json.loads(machine.run(machine.LOAD_CORE, [
                self.moongate_binary, *words, "--config", config, "--json"]))

        tenant = ask("tenant", "create", "--name", "bench")["id"]
        ask("wallet", "credit", "--tenant", tenant, "--amount", "1000000.00")
        server.key = ask("key", "create", "--tenant", tenant)["key"]
        environment = dict(os.environ)
        if sync_us:
            environment["LD_PRELOAD"] = os.path.join(self.built, "bench_slow_sync.so")
            environment["MOONGATE_SYNC_US"] = str(sync_us)
        server.launch([self.moongate_binary, "serve", "--config", config], env=environment)
        return server

    # ---- load

    def wrk(self, server, seconds, connections=64, tls=False):
        """Plain requests; gives how many were answered. One that failed is an error."""
        url = f"https://127.0.0.1:{server.tls_port}" if tls else f"http://127.0.0.1:{server.port}"
        out = machine.run(machine.LOAD_CORE, [
            "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", "-s",
            os.path.join(self.tools, "post.lua"), url],
            env=dict(os.environ, BENCH_KEY=server.key))
        if "Non-2xx" in out or "Socket errors" in out:
            raise machine.Trouble(f"{server.name} did not answer every request:\n{out}")
        summary = next(line for line in out.splitlines() if " requests in " in line)
        answered = int(summary.split()[0])
        if answered == 0:
            raise machine.Trouble(f"{server.name} answered nothing in {seconds} s:\n{out}")
        return answered

    def client(self, mode, server, count, *more):
        return json.loads(machine.run(machine.LOAD_CORE, [
            os.path.join(self.built, "bench_client"), mode, str(server.port), str(count),
            server.key, *map(str, more)]))


def settle():
    """Lets what a load left behind be worked off before the next figure."""
    time.sleep(0.3)
