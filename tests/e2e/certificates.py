"""A certification authority of the test's own, made with the openssl program."""

import subprocess
from pathlib import Path


class Authority:
    def __init__(self, folder):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.cert, self.key = self.folder / "ca.pem", self.folder / "ca.key"
        self._count = 0
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                      "-nodes", "-keyout", self.key, "-out", self.cert, "-days", "30", "-subj",
                      "/CN=Moongate test authority", "-addext", "keyUsage=critical,keyCertSign")

    def issue(self, *names, addresses=(), days=20):
        """A certificate for these names and addresses; returns the files (cert, key). Days may be
        negative: it has expired."""
        self._count += 1
        base = self.folder / f"leaf{self._count}"
        key, request, cert, extra = (base.with_suffix(s) for s in (".key", ".csr", ".pem", ".ext"))
        alternatives = [f"DNS:{name}" for name in names] + [f"IP:{a}" for a in addresses]
        extra.write_text("subjectAltName=" + ",".join(alternatives) + "\n"
                         "keyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", f"/CN={(*names, *addresses)[0]}")
        self._openssl("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key,
                      "-CAcreateserial", "-out", cert, "-days", str(days), "-extfile", extra)
        return cert, key

    def issue_for_later(self, name, begins, ends):
        """A certificate that is valid between these times ("20400101000000Z"); its files."""
        base = self.folder / "later"
        key, request, cert, config = (base.with_suffix(s) for s in (".key", ".csr", ".pem", ".cnf"))
        (self.folder / "index.txt").write_text("")
        config.write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={self.folder}/index.txt\n"
                          f"rand_serial=yes\nnew_certs_dir={self.folder}\ndefault_md=sha256\n"
                          f"policy=p\nx509_extensions=e\n[p]\ncommonName=supplied\n"
                          f"[e]\nsubjectAltName=DNS:{name}\nbasicConstraints=CA:FALSE\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self._openssl("ca", "-batch", "-notext", "-config", config, "-cert", self.cert, "-keyfile",
                      self.key, "-startdate", begins, "-enddate", ends, "-in", request, "-out", cert)
        return cert, key

    @staticmethod
    def _openssl(*arguments):
        done = subprocess.run(["openssl", *map(str, arguments)], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
